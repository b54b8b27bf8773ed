import fs from 'node:fs/promises'
import { formatDockerManifest, parseDockerManifest, repoTag } from '../archive/docker-manifest.ts'
import { layoutFiles, maxLayoutFile } from '../archive/layout-files.ts'
import { readBlob } from '../content/blob.ts'
import { MemoryStore } from '../content/memory-store.ts'
import type { Ingester, Provider, Writer, WriterInit } from '../content/types.ts'
import { fromErrno, OrlopError } from '../errors.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { type Digest, encodedOf } from '../oci/digest.ts'
import { parseManifest } from '../oci/document.ts'
import { isConfig, isManifestOrIndex } from '../oci/media-type.ts'
import type { AbortOptions } from '../options.ts'
import { ArchiveReader } from './archive-reader.ts'
import { ArchiveWriter, type BlobName } from './archive-writer.ts'
import { chooseImage, imageOf } from './docker-archive-image.ts'
import { type DockerArchivePlace, formatPlace } from './place.ts'
import type { Accepts, Destination, PutOptions, Source } from './types.ts'

/**
 * An image of an archive as `docker save` writes it, to read. Its manifest is made of what is there: Docker's schema 2, the
 * same bytes that an import makes.
 *
 * Layers that the archive has compressed stay so, where containers/image decompresses them; those are read once to know
 * their digests.
 *
 * @throws NOT_FOUND  no such file or image, or no manifest.json in it
 * @throws DATA_LOSS  a layer that is not what the config says
 * @throws as `ArchiveReader.open`
 */
export async function openDockerArchiveSource(
  place: DockerArchivePlace,
  options: AbortOptions = {},
): Promise<Source> {
  const archive = await ArchiveReader.open(place.path, options)
  try {
    const name = layoutFiles.dockerManifest
    const images = parseDockerManifest(
      await archive.readSmall(name, maxLayoutFile[name] ?? 0, options),
      place.path,
    )
    const { root, blobs } = await imageOf(archive, chooseImage(images, place), options)
    return {
      place: formatPlace(place),
      blobs,
      isMade: true,
      resolve: async () => root,
      identity: { transport: 'docker-archive', scopes: [] },
      [Symbol.asyncDispose]: () => archive[Symbol.asyncDispose](),
    }
  } catch (error) {
    await archive[Symbol.asyncDispose]()
    throw error
  }
}

/**
 * An archive as `docker save` writes it, to write one image to: layers without compression under their diff ids, the config,
 * and manifest.json. What versions of Docker before 1.10 read is not written.
 *
 * @throws ALREADY_EXISTS  there is a file that is not empty; as in containers/image nothing is added to it
 * @throws INVALID_ARGUMENT  a place with a number
 */
export async function openDockerArchiveDestination(place: DockerArchivePlace): Promise<Destination> {
  if (place.index !== undefined)
    throw new OrlopError(
      'INVALID_ARGUMENT',
      `${formatPlace(place)}: a number names what is there already; to write give a name`,
    )
  await refuseFull(place.path)
  return new DockerArchiveDestination(place, await ArchiveWriter.create(place.path, nameOf))
}

async function refuseFull(file: string): Promise<void> {
  const stats = await fs.stat(file).catch(() => undefined)
  if (stats?.isDirectory()) throw new OrlopError('FAILED_PRECONDITION', `file ${file}: is a directory`)
  if (stats?.isFile() && stats.size > 0)
    throw new OrlopError('ALREADY_EXISTS', `file ${file}: is there already; an archive is not added to`)
}

/** As containers/image names them. */
const nameOf = (digest: Digest, mediaType: string): BlobName => ({
  name: `${encodedOf(digest)}.${isConfig({ mediaType }) ? 'json' : 'tar'}`,
})

/** Manifests have no place in the archive; they are kept until it is finished. */
class DockerArchiveBlobs implements Ingester {
  readonly documents: MemoryStore
  readonly #archive: ArchiveWriter

  constructor(archive: ArchiveWriter) {
    this.documents = new MemoryStore()
    this.#archive = archive
  }

  writer(init: WriterInit, options?: AbortOptions): Promise<Writer> {
    const { mediaType = '' } = init.expected ?? {}
    const isDocument = isManifestOrIndex({ mediaType })
    return (isDocument ? this.documents : this.#archive).writer(init, options)
  }
}

class DockerArchiveDestination implements Destination {
  readonly accepts: Accepts = { formats: ['docker'], indexes: false, layers: 'plain' }
  readonly concurrency = 1
  readonly place: string
  readonly blobs: DockerArchiveBlobs
  readonly #archive: ArchiveWriter
  readonly #place: DockerArchivePlace

  constructor(place: DockerArchivePlace, archive: ArchiveWriter) {
    this.place = formatPlace(place)
    this.blobs = new DockerArchiveBlobs(archive)
    this.#archive = archive
    this.#place = place
  }

  async put(root: Descriptor, { signal }: PutOptions = {}): Promise<void> {
    const documents: Provider = this.blobs.documents
    const { config, layers } = parseManifest(await readBlob(documents, root, { signal }), root.digest)
    const { reference } = this.#place
    const tag = reference === undefined ? undefined : repoTag(reference)
    const image = {
      config: nameOf(config.digest, config.mediaType).name,
      repoTags: tag === undefined ? [] : [tag],
      layers: layers.map(({ digest, mediaType }) => nameOf(digest, mediaType).name),
    }
    try {
      await this.#archive.add(layoutFiles.dockerManifest, formatDockerManifest([image]), { signal })
      await this.#archive.finish({ signal })
    } catch (error) {
      throw fromErrno(error, `file ${this.#place.path}`)
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#archive[Symbol.asyncDispose]()
  }
}
