import type { DockerImage } from '../archive/docker-manifest.ts'
import { checkRange, rangeOf } from '../content/range.ts'
import type { Provider } from '../content/types.ts'
import { isOrlopError, OrlopError } from '../errors.ts'
import { checkDiffId, decompressedLayer } from '../images/convert/layer.ts'
import { sniffCompression, sniffLength } from '../images/decompress.ts'
import { type Descriptor, descriptorOf, descriptorToJson } from '../oci/descriptor.ts'
import { algorithmOf, type Digest, Digester } from '../oci/digest.ts'
import { maxConfigSize, parseImageConfig } from '../oci/image-config.ts'
import { mediaTypes } from '../oci/media-type.ts'
import { fullReference } from '../oci/reference.ts'
import type { AbortOptions } from '../options.ts'
import type { ArchiveReader, TarredFile } from './archive-reader.ts'
import type { DockerArchivePlace } from './place.ts'

/**
 * The image that a place names; without name and number the only one there is.
 *
 * @throws NOT_FOUND  no such image; the text says what there is
 * @throws INVALID_ARGUMENT  several, and none is named
 */
export function chooseImage(
  images: readonly DockerImage[],
  { path, reference, index }: Pick<DockerArchivePlace, 'path' | 'reference' | 'index'>,
): DockerImage {
  if (reference === undefined && index === undefined && images.length > 1)
    throw new OrlopError(
      'INVALID_ARGUMENT',
      `archive ${path}: has ${images.length} images; name one, as in docker-archive:${path}:@0 (${listOf(images)})`,
    )
  const found =
    reference === undefined
      ? images[index ?? 0]
      : images.find(({ repoTags }) => repoTags.some(tag => isSame(tag, reference)))
  if (found !== undefined) return found
  const asked = reference === undefined ? `number ${index ?? 0}` : `named ${JSON.stringify(reference)}`
  throw new OrlopError('NOT_FOUND', `archive ${path}: no image ${asked}; it has ${listOf(images)}`)
}

function isSame(tag: string, reference: string): boolean {
  try {
    return fullReference(tag) === reference
  } catch (error) {
    // A tag that is no reference is nobody's name.
    if (isOrlopError(error)) return false
    throw error
  }
}

const listOf = (images: readonly DockerImage[]): string =>
  images
    .slice(0, 20)
    .map(({ repoTags }, at) => repoTags[0] ?? `@${at}`)
    .join(', ') || 'none'

/** An image with the manifest that was made for it. */
export interface ArchivedImage {
  readonly root: Descriptor
  readonly blobs: Provider
}

const layerTypes = {
  none: mediaTypes.dockerLayer,
  gzip: mediaTypes.dockerLayerGzip,
  zstd: mediaTypes.dockerLayerZstd,
} as const

/**
 * Makes the manifest of an image in an archive, and finds its blobs.
 *
 * A plain layer is taken for what the config says that it is; whoever copies it checks that.
 *
 * @throws INVALID_ARGUMENT  a config that is none, or has other layers than manifest.json
 * @throws DATA_LOSS  a compressed layer that is not what the config says
 */
export async function imageOf(
  archive: ArchiveReader,
  image: DockerImage,
  options: AbortOptions,
): Promise<ArchivedImage> {
  const files = new Map<Digest, TarredFile>()
  const where = `${archive.what}: ${image.config}`
  const bytes = await archive.readSmall(image.config, maxConfigSize, options)
  const config = descriptorOf(mediaTypes.dockerConfig, bytes)
  files.set(config.digest, archive.find(image.config))
  const { diffIds } = parseImageConfig(bytes, where)
  if (diffIds.length !== image.layers.length)
    throw new OrlopError(
      'INVALID_ARGUMENT',
      `${where}: names ${diffIds.length} layers, manifest.json names ${image.layers.length}`,
    )
  const layers: Descriptor[] = []
  for (const [at, diffId] of diffIds.entries()) {
    const file = archive.find(image.layers[at] ?? '')
    const layer = await layerOf(archive, file, diffId, options)
    files.set(layer.digest, file)
    layers.push(layer)
  }
  const mediaType = mediaTypes.dockerManifest
  const document = {
    schemaVersion: 2,
    mediaType,
    config: descriptorToJson(config),
    layers: layers.map(descriptorToJson),
  }
  const manifest = Buffer.from(JSON.stringify(document))
  const root = descriptorOf(mediaType, manifest)
  return { root, blobs: providerOf(archive, files, root, manifest) }
}

async function layerOf(
  archive: ArchiveReader,
  file: TarredFile,
  diffId: Digest,
  options: AbortOptions,
): Promise<Descriptor> {
  const first: Uint8Array[] = []
  for await (const chunk of archive.read(file, { length: sniffLength, ...options })) first.push(chunk)
  const compression = sniffCompression(Buffer.concat(first))
  const mediaType = layerTypes[compression]
  if (compression === 'none') return { mediaType, digest: diffId, size: file.size }
  const [packed, plain] = [new Digester(), new Digester(algorithmOf(diffId))]
  const source = tapped(archive.read(file, options), packed)
  const size = { digest: diffId, size: file.size }
  for await (const chunk of decompressedLayer(source, size, options)) plain.update(chunk)
  const layer = { mediaType, digest: packed.digest(), size: file.size }
  checkDiffId(layer, plain.digest(), diffId)
  return layer
}

async function* tapped(
  source: AsyncIterable<Uint8Array>,
  digester: Digester,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of source) {
    digester.update(chunk)
    yield chunk
  }
}

const providerOf = (
  archive: ArchiveReader,
  files: ReadonlyMap<Digest, TarredFile>,
  root: Descriptor,
  manifest: Uint8Array,
): Provider => ({
  async *read({ digest }, options = {}) {
    checkRange(options)
    if (digest === root.digest) {
      const { start, end } = rangeOf(manifest.byteLength, options)
      if (start < end) yield manifest.slice(start, end)
      return
    }
    const file = files.get(digest)
    if (file === undefined)
      throw new OrlopError('NOT_FOUND', `content ${digest}: there is none in ${archive.what}`)
    yield* archive.read(file, options)
  },
})
