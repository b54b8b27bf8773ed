import { readBlob } from '../content/blob.ts'
import type { ContentStore } from '../content/types.ts'
import { OrlopError } from '../errors.ts'
import { annotationKeys } from '../oci/annotations.ts'
import { type Descriptor, descriptorToJson } from '../oci/descriptor.ts'
import { type ImageConfig, maxConfigSize, parseImageConfig } from '../oci/image-config.ts'
import { mediaTypes } from '../oci/media-type.ts'
import { normalizePlatform } from '../oci/platform.ts'
import { formatReference, parseReference, withDefaultTag } from '../oci/reference.ts'
import type { AbortOptions } from '../options.ts'
import type { ArchiveFiles } from './archive-files.ts'
import { DockerLayers } from './docker-layers.ts'
import { type DockerImage, parseDockerManifest } from './docker-manifest.ts'
import { layoutFiles } from './layout-files.ts'
import { putDocument } from './put-document.ts'
import { layoutName } from './ref-name.ts'

/** Options of `dockerIndex`. */
export interface DockerIndexOptions extends AbortOptions {
  readonly what: string
  readonly compress?: boolean | undefined
}

/**
 * Makes an index of what `docker save` wrote: a manifest for each image, stored, and an entry for each of its names.
 *
 * The bytes are those that containerd makes of the same archive.
 *
 * @returns the bytes of the index; they are not stored
 * @throws INVALID_ARGUMENT  a file that is named and not there, a name that is no reference, or a config without its diff ids
 * @throws DATA_LOSS  a layer that is not the one that the config names
 * @see containerd core/images/archive/importer.go, ImportIndex
 */
export async function dockerIndex(
  content: ContentStore,
  files: ArchiveFiles,
  manifest: Uint8Array,
  options: DockerIndexOptions,
): Promise<Uint8Array> {
  const layers = new DockerLayers(content, options)
  const entries: Descriptor[] = []
  for (const image of parseDockerManifest(manifest, options.what)) {
    const desc = await storeManifest({ content, files, layers }, image, options)
    entries.push(...named(desc, image))
  }
  return Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: entries.map(descriptorToJson) }))
}

interface Parts {
  readonly content: ContentStore
  readonly files: ArchiveFiles
  readonly layers: DockerLayers
}

async function storeManifest(
  { content, files, layers }: Parts,
  image: DockerImage,
  { what, signal }: DockerIndexOptions,
): Promise<Descriptor> {
  const config = { mediaType: mediaTypes.dockerConfig, ...files.find(image.config) }
  const where = `${what}: ${image.config}`
  const parsed = parseImageConfig(await readBlob(content, config, { maxSize: maxConfigSize, signal }), where)
  const { diffIds } = parsed
  if (diffIds.length !== image.layers.length) {
    throw new OrlopError(
      'INVALID_ARGUMENT',
      `${where}: names ${diffIds.length} layers, ${layoutFiles.dockerManifest} names ${image.layers.length}`,
    )
  }
  const found: Descriptor[] = []
  for (const [at, diffId] of diffIds.entries()) {
    const path = image.layers[at] ?? ''
    found.push(await layers.layer(files.find(path), diffId, `${what}: ${path}`))
  }
  const { dockerManifest: mediaType } = mediaTypes
  const document = {
    schemaVersion: 2,
    mediaType,
    config: descriptorToJson(config),
    layers: found.map(descriptorToJson),
  }
  const desc = await putDocument(content, mediaType, Buffer.from(JSON.stringify(document)), { signal })
  return { ...desc, ...platformOf(parsed) }
}

const platformOf = ({ platform }: ImageConfig): Pick<Descriptor, 'platform'> =>
  platform.os === '' && platform.architecture === '' ? {} : { platform: normalizePlatform(platform) }

function named(desc: Descriptor, { repoTags }: DockerImage): readonly Descriptor[] {
  if (repoTags.length === 0) return [desc]
  return repoTags.map(text => {
    const name = dockerName(text)
    const annotations = { [annotationKeys.imageName]: name, [annotationKeys.refName]: layoutName(name) }
    return { ...desc, annotations }
  })
}

/** The full form of a name; of one with tag and digest, the digest counts, as in containerd. */
function dockerName(text: string): string {
  const { domain, path, tag, digest } = withDefaultTag(parseReference(text))
  return formatReference({
    domain,
    path,
    ...(digest === undefined ? tag !== undefined && { tag } : { digest }),
  })
}
