import { createHash } from 'node:crypto'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import type { ServedBlob, ServedRepository } from './registry.ts'
import { filesOf, type TarEntry, tarOf } from './tar.ts'

type Desc = { readonly mediaType: string; readonly digest: string; readonly size: number }

type Platform = { readonly os: string; readonly architecture: string; readonly variant?: string }

const types = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  inToto: 'application/vnd.in-toto+json',
} as const

/** The platforms of the demo's image, each with the directory in which the package `classic-level` has its build. */
const builds: readonly (Platform & { readonly build: string })[] = [
  { os: 'linux', architecture: 'amd64', build: 'linux-x64' },
  { os: 'linux', architecture: 'arm64', variant: 'v8', build: 'linux-arm64' },
  { os: 'linux', architecture: 'arm', variant: 'v7', build: 'linux-arm' },
  { os: 'windows', architecture: 'amd64', build: 'win32-x64' },
]

/**
 * An image of this project's own database, for four platforms, as a repository with the tag `latest`.
 *
 * Made of the files that `npm ci` put here: two layers that all platforms share (the licence and documents; the
 * JavaScript) and one for each with the native library built for it. The first has an attestation beside it, as BuildKit
 * makes them. Without any clock in it:
 * on one machine the same files give the same digests.
 *
 * @param root  the directory with package.json and node_modules
 */
export async function buildImage(root: string): Promise<ServedRepository> {
  const blobs = new Map<string, ServedBlob>()
  const modules = path.join(root, 'node_modules')
  const shared = [
    await tarOf(
      ['LICENSE', 'package.json'].map(name => ({ source: path.join(root, name), name: `app/${name}` })),
    ),
    await tarOf(await javaScript(modules)),
  ]
  const manifests: (Desc & { readonly platform: Platform })[] = []
  for (const { build, ...platform } of builds) {
    const native = path.join(modules, 'classic-level/prebuilds', build)
    const own = await tarOf(await filesOf(native, `app/node_modules/classic-level/prebuilds/${build}`))
    manifests.push({ ...putImage(blobs, platform, [...shared, own]), platform })
  }
  const entries = [...manifests, ...manifests.slice(0, 1).map(subject => putAttestation(blobs, subject))]
  const index = putJson(blobs, types.index, { schemaVersion: 2, mediaType: types.index, manifests: entries })
  return { blobs, tags: new Map([['latest', index.digest]]) }
}

const javaScript = async (modules: string): Promise<readonly TarEntry[]> => {
  const packages = ['level', 'abstract-level', 'classic-level', 'undici']
  const files = await Promise.all(
    packages.map(name => filesOf(path.join(modules, name), `app/node_modules/${name}`)),
  )
  return files.flat().filter(({ name }) => /\.(js|json|md)$|LICENSE$/.test(name) && !name.includes('/deps/'))
}

const putImage = (blobs: Map<string, ServedBlob>, platform: Platform, tars: readonly Buffer[]): Desc => {
  const layers = tars.map(tar => put(blobs, types.layer, gzipSync(tar)))
  const config = putJson(blobs, types.config, {
    ...platform,
    config: { WorkingDir: '/app', Cmd: ['node'] },
    rootfs: { type: 'layers', diff_ids: tars.map(digestOf) },
    history: tars.map(() => ({ created_by: 'orlop demo' })),
  })
  return putJson(blobs, types.manifest, { schemaVersion: 2, mediaType: types.manifest, config, layers })
}

const putAttestation = (
  blobs: Map<string, ServedBlob>,
  subject: Desc,
): Desc & { readonly platform: Platform } => {
  const statement = putJson(blobs, types.inToto, {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: 'level', digest: { sha256: subject.digest.slice('sha256:'.length) } }],
    predicateType: 'https://spdx.dev/Document',
    predicate: { SPDXID: 'SPDXRef-DOCUMENT', spdxVersion: 'SPDX-2.3', name: 'level' },
  })
  const platform = { os: 'unknown', architecture: 'unknown' }
  const config = putJson(blobs, types.config, {
    ...platform,
    rootfs: { type: 'layers', diff_ids: [statement.digest] },
  })
  const manifest = { schemaVersion: 2, mediaType: types.manifest, config, layers: [statement] }
  const annotations = {
    'vnd.docker.reference.type': 'attestation-manifest',
    'vnd.docker.reference.digest': subject.digest,
  }
  return { ...putJson(blobs, types.manifest, manifest), platform, ...{ annotations } }
}

const putJson = (blobs: Map<string, ServedBlob>, mediaType: string, value: unknown): Desc =>
  put(blobs, mediaType, Buffer.from(JSON.stringify(value)))

const put = (blobs: Map<string, ServedBlob>, mediaType: string, bytes: Buffer): Desc => {
  const digest = digestOf(bytes)
  blobs.set(digest, { mediaType, bytes })
  return { mediaType, digest, size: bytes.byteLength }
}

const digestOf = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`
