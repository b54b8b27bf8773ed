import fs from 'node:fs/promises'
import path from 'node:path'
import {
  type BuiltImage,
  blobFile,
  buildImage,
  getJson,
  putBlob,
  putJson,
  type RawDescriptor,
} from './layout.ts'
import { output, projectRoot } from './run.ts'
import { uploadBlob } from './upload.ts'

/** Where a plan builds: a layout, the images that all plans share, and the registry that it will be pushed to. */
export interface Workshop {
  readonly layout: string
  readonly images: SharedImages
  readonly registryUrl: string
}

/** What a plan built, and who is to push it: skopeo (as it is, or turned into Docker's schema 2), or bare HTTP. */
export interface Product {
  readonly target: RawDescriptor
  readonly push: 'skopeo' | 'skopeo as schema 2' | 'upload'
}

type Plan = (workshop: Workshop) => Promise<Product>

const types = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  empty: 'application/vnd.oci.empty.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
  zstdLayer: 'application/vnd.oci.image.layer.v1.tar+zstd',
  foreignLayer: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
  inToto: 'application/vnd.in-toto+json',
} as const

const emptyDigest = 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

/** How each fixture is made, by name. */
export const plans = {
  'multi-platform': async ({ layout, images }) => {
    const { amd64, arm64, armv7, windows } = images
    return { target: await putIndex(layout, [amd64, arm64, armv7, windows]), push: 'skopeo' }
  },
  'single-manifest': async ({ images: { arm64 } }) => ({ target: arm64, push: 'upload' }),
  'docker-schema2': async ({ images: { amd64 } }) => ({ target: amd64, push: 'skopeo as schema 2' }),
  'docker-manifest-list': async ({ layout, images: { amd64, arm64 } }) => ({
    target: await putIndex(layout, [amd64, arm64]),
    push: 'skopeo as schema 2',
  }),
  'zstd-layers': zstdLayers,
  attestation,
  'nested-index': async ({ layout, images: { amd64, arm64, windows } }) => {
    const inner = await putIndex(layout, [amd64, arm64])
    return { target: await putIndex(layout, [inner, windows]), push: 'upload' }
  },
  'entry-without-platform': async ({ layout, images: { amd64, arm64 } }) => {
    const { platform: _, ...unmarked } = amd64
    return { target: await putIndex(layout, [unmarked, arm64]), push: 'upload' }
  },
  'foreign-layer': foreignLayer,
  'foreign-layer-elsewhere': foreignLayerElsewhere,
  artifact,
  'many-layers': manyLayers,
  'empty-layer': emptyLayer,
} satisfies Readonly<Record<string, Plan>>

/** The images of one platform each that several fixtures are made of. */
export interface SharedImages {
  readonly amd64: RawDescriptor
  readonly arm64: RawDescriptor
  readonly armv7: RawDescriptor
  readonly windows: RawDescriptor
}

/** Builds the shared images: a layer with the licence that all have, and one that each has alone. */
export async function buildSharedImages(layout: string): Promise<SharedImages> {
  const build = async (tag: string, platform: RawDescriptor['platform'] & {}, own: string) => {
    const files = [
      [path.join(projectRoot, 'LICENSE'), '/LICENSE'],
      [path.join(projectRoot, own), `/opt/${path.basename(own)}`],
    ] as const
    return buildImage(layout, { tag, platform, files })
  }
  return {
    amd64: await build('amd64', { os: 'linux', architecture: 'amd64' }, 'node_modules/commander/lib'),
    arm64: await build('arm64', { os: 'linux', architecture: 'arm64', variant: 'v8' }, 'src/oci'),
    armv7: await build('armv7', { os: 'linux', architecture: 'arm', variant: 'v7' }, 'src/metadata'),
    windows: await build(
      'windows',
      { os: 'windows', architecture: 'amd64', 'os.version': '10.0.20348.2762' },
      'src/images',
    ),
  }
}

const putIndex = (layout: string, manifests: readonly RawDescriptor[]): Promise<RawDescriptor> =>
  putJson(layout, types.index, { schemaVersion: 2, mediaType: types.index, manifests })

const putManifest = (layout: string, fields: object): Promise<RawDescriptor> =>
  putJson(layout, types.manifest, { schemaVersion: 2, mediaType: types.manifest, ...fields })

async function zstdLayers({ layout, images: { amd64, arm64 } }: Workshop): Promise<Product> {
  const recompressed = async (image: RawDescriptor): Promise<RawDescriptor> => {
    const { config, layers } = await getJson<BuiltImage>(layout, image)
    const converted: RawDescriptor[] = []
    for (const { digest } of layers) {
      const file = path.join(layout, 'layer.tar.zst')
      const tar = path.join(layout, 'layer.tar')
      await output('zstd', ['-q', '-f', '-d', blobFile(layout, digest), '-o', tar])
      await output('zstd', ['-q', '-f', tar, '-o', file])
      converted.push(await putBlob(layout, types.zstdLayer, await fs.readFile(file)))
    }
    const { platform } = image
    return { ...(await putManifest(layout, { config, layers: converted })), ...(platform && { platform }) }
  }
  const manifests = [await recompressed(amd64), await recompressed(arm64)]
  return { target: await putIndex(layout, manifests), push: 'upload' }
}

// As BuildKit writes them: a manifest of platform unknown/unknown that says by annotation which image it is about.
async function attestation({ layout, images: { amd64 } }: Workshop): Promise<Product> {
  const statement = await putJson(layout, types.inToto, {
    _type: 'https://in-toto.io/Statement/v0.1',
    predicateType: 'https://spdx.dev/Document',
    subject: [{ name: '_', digest: { sha256: amd64.digest.replace('sha256:', '') } }],
    predicate: { SPDXID: 'SPDXRef-DOCUMENT' },
  })
  const config = await putJson(layout, types.config, {
    architecture: 'unknown',
    os: 'unknown',
    config: {},
    rootfs: { type: 'layers', diff_ids: [statement.digest] },
  })
  const annotations = { 'in-toto.io/predicate-type': 'https://spdx.dev/Document' }
  const manifest = await putManifest(layout, { config, layers: [{ ...statement, annotations }] })
  const entry = {
    ...manifest,
    annotations: {
      'vnd.docker.reference.digest': amd64.digest,
      'vnd.docker.reference.type': 'attestation-manifest',
    },
    platform: { architecture: 'unknown', os: 'unknown' },
  }
  return { target: await putIndex(layout, [amd64, entry]), push: 'upload' }
}

// As a registry that was allowed to keep the foreign layer has it.
async function foreignLayer(workshop: Workshop): Promise<Product> {
  return { target: await withForeignLayer(workshop, 'fixtures/foreign-layer'), push: 'upload' }
}

// As Windows' base layers are: only at the URL in the manifest. Here that is a private address.
async function foreignLayerElsewhere(workshop: Workshop): Promise<Product> {
  return { target: await withForeignLayer(workshop, 'fixtures/elsewhere'), push: 'upload' }
}

const withForeignLayer = async (
  { layout, images: { windows }, registryUrl }: Workshop,
  repository: string,
): Promise<RawDescriptor> => {
  const { config, layers } = await getJson<BuiltImage>(layout, windows)
  const [base, ...rest] = layers
  if (base === undefined) throw new Error('no layers')
  await uploadBlob(registryUrl, repository, base.digest, await fs.readFile(blobFile(layout, base.digest)))
  const urls = [`${registryUrl}/v2/fixtures/elsewhere/blobs/${base.digest}`]
  const foreign = { ...base, mediaType: types.foreignLayer, urls }
  return putManifest(layout, { config, layers: [foreign, ...rest] })
}

async function artifact({ layout }: Workshop): Promise<Product> {
  const config = await putBlob(layout, types.empty, Buffer.from('{}'))
  const text = await fs.readFile(path.join(projectRoot, 'LICENSE'))
  const layer = await putBlob(layout, 'text/plain', text)
  const artifactType = 'application/vnd.example.licence.v1'
  const fields = { artifactType, config: { ...config, data: 'e30=' }, layers: [layer] }
  return { target: await putManifest(layout, fields), push: 'upload' }
}

async function manyLayers({ layout }: Workshop): Promise<Product> {
  const files = await fs.readdir(path.join(projectRoot, 'node_modules/undici'), {
    recursive: true,
    withFileTypes: true,
  })
  const sources = files
    .filter(file => file.isFile())
    .map(file => path.join(file.parentPath, file.name))
    .toSorted()
    .slice(0, 128)
  const target = await buildImage(layout, {
    tag: 'many-layers',
    platform: { os: 'linux', architecture: 'amd64' },
    files: sources.map((source, at) => [source, `/files/${at}-${path.basename(source)}`] as const),
  })
  return { target, push: 'skopeo' }
}

async function emptyLayer({ layout, images: { amd64 } }: Workshop): Promise<Product> {
  const manifest = await getJson<BuiltImage>(layout, amd64)
  const nothing = await putBlob(layout, types.layer, new Uint8Array())
  const image = await getJson<{ rootfs: { type: string; diff_ids: readonly string[] } }>(
    layout,
    manifest.config,
  )
  const rootfs = { ...image.rootfs, diff_ids: [...image.rootfs.diff_ids, emptyDigest] }
  const config = await putJson(layout, types.config, { ...image, rootfs })
  const target = await putManifest(layout, { config, layers: [...manifest.layers, nothing] })
  return { target, push: 'upload' }
}
