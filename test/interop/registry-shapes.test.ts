import path from 'node:path'
import { gzipSync } from 'node:zlib'
import type { ExecutionContext } from 'ava'
import { readBlob } from '../../src/content/blob.ts'
import { MemoryStore } from '../../src/content/memory-store.ts'
import { children } from '../../src/handlers/children.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'
import { copyGraph } from '../../src/remotes/copy.ts'
import { credentialFor, noCredentials } from '../../src/remotes/registry/credentials.ts'
import {
  attestation,
  Blobs,
  config,
  dockerList,
  dockerManifest,
  flat,
  index,
  layer,
  manifest,
  type Node,
  on,
} from '../support/image.ts'
import { testWith } from '../support/programs.ts'
import { type Reach, type RegistryShape, registryShapes } from '../support/registry-shapes.ts'
import { quickResolver } from '../support/resolver.ts'
import { output } from '../support/run.ts'
import { writeSkopeoDirectory } from '../support/skopeo-directory.ts'
import { temporaryDirectory } from '../support/tmp.ts'
import { refreshToken } from '../support/token-server.ts'

const interop = testWith('docker-registry', 'skopeo')

const gzipped = (text: string, mediaType?: string): Node => layer(gzipSync(text), mediaType)
const one = (platform: string): Node =>
  on(platform, manifest(config({ platform }), gzipped(`of ${platform}`)))
const { dockerConfig, dockerLayerGzip } = mediaTypes
const docker = (platform: string): Node =>
  on(
    platform,
    dockerManifest(config({ platform, mediaType: dockerConfig }), gzipped(platform, dockerLayerGzip)),
  )
const arm = one('linux/arm64')

/** Every kind of document that a registry may hold under a tag. */
const images: Readonly<Record<string, Node>> = {
  manifest: one('linux/amd64'),
  index: index(one('linux/amd64'), arm, attestation(arm)),
  'docker-manifest': docker('linux/amd64'),
  'docker-list': dockerList(docker('linux/amd64'), docker('linux/arm64')),
}

/** One registry is tried with every kind; to the others they are all the same. */
const imagesFor = (shape: string): readonly (readonly [string, Node])[] =>
  Object.entries(images).filter(([tag]) => shape === 'open' || tag === 'index' || tag === 'docker-list')

/** Puts images into a registry, with skopeo, unchanged. */
async function fill(t: ExecutionContext, shape: string, { host, to }: Reach): Promise<void> {
  const directory = await temporaryDirectory(t)
  for (const [tag, root] of imagesFor(shape)) {
    const from = path.join(directory, tag)
    await writeSkopeoDirectory(from, root)
    const flags = ['--all', '--quiet', '--insecure-policy', '--preserve-digests', ...to]
    await output('skopeo', ['copy', ...flags, `dir:${from}`, `docker://${host}/team/app:${tag}`])
  }
}

const pulls = ({ name, start }: RegistryShape): void =>
  interop(`what skopeo put into a registry of the shape ${name} is pulled byte for byte`, async t => {
    const shaped = await start(t)
    await fill(t, name, shaped.source)
    const { resolver } = quickResolver(t, shaped.options)
    for (const [tag, root] of imagesFor(name)) {
      const reference = `${shaped.host}/team/app:${tag}`
      const target = await resolver.resolve(reference)
      t.like(target, { digest: root.desc.digest, size: root.desc.size, mediaType: root.desc.mediaType })
      const from = await resolver.fetcher(reference)
      const store = new MemoryStore()
      await copyGraph(from, store, target, children(from))
      for (const { desc, bytes } of flat(root))
        t.deepEqual(Buffer.from(await readBlob(store, desc)), Buffer.from(bytes))
      if (name !== 'open') continue
      const raw = await output('skopeo', ['inspect', '--raw', ...shaped.skopeo, `docker://${reference}`])
      t.deepEqual(Buffer.from(await readBlob(store, target)), Buffer.from(raw))
    }
  })

// Whether it deletes is nothing to who reads.
for (const shape of registryShapes) if (shape.name !== 'with deletion off') pulls(shape)

interop('a token server is asked for as much as a request needs, and as it wants to be asked', async t => {
  const shape = registryShapes.find(({ name }) => name === 'tokens by GET alone')
  const shaped = await shape?.start(t)
  if (!shaped?.tokens) return t.fail('no such shape')
  const { resolver } = quickResolver(t, shaped.options)
  const root = one('linux/amd64')
  const from = new Blobs(root)
  const to = await resolver.pusher(`${shaped.host}/team/app:v1@${root.desc.digest}`)
  await copyGraph(from, to, root.desc, children(from))
  t.deepEqual(
    shaped.tokens.asked.map(({ method, status, user, scopes }) => [method, status, user, ...scopes]),
    [
      ['POST', 405, undefined, 'repository:team/app:pull,push'],
      ['GET', 200, 'keeper', 'repository:team/app:pull,push'],
    ],
  )
})

interop('nobody may pull what is public from a registry with tokens, and nothing else', async t => {
  const shape = registryShapes.find(({ name }) => name === 'tokens by OAuth')
  const shaped = await shape?.start(t)
  if (!shaped) return t.fail('no such shape')
  const known = quickResolver(t, shaped.options).resolver
  const root = one('linux/amd64')
  const from = new Blobs(root)
  for (const repository of ['public/app', 'team/app']) {
    const to = await known.pusher(`${shaped.host}/${repository}:v1@${root.desc.digest}`)
    await copyGraph(from, to, root.desc, children(from))
  }
  const nobody = quickResolver(t, { ...shaped.options, credentials: noCredentials }).resolver
  t.like(await nobody.resolve(`${shaped.host}/public/app:v1`), { digest: root.desc.digest })
  await t.throwsAsync(nobody.resolve(`${shaped.host}/team/app:v1`), {
    code: 'UNAUTHENTICATED',
    message: /no credentials for host 127\.0\.0\.1:\d+ in auth\.json.*orlop login/,
  })
  const refresh = credentialFor(shaped.host, { identityToken: refreshToken })
  const renewed = quickResolver(t, { ...shaped.options, credentials: refresh }).resolver
  t.like(await renewed.resolve(`${shaped.host}/team/app:v1`), { digest: root.desc.digest })
})
