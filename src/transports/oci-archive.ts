import fs from 'node:fs/promises'
import { blobPath, layoutBytes } from '../archive/layout-files.ts'
import { checkRange } from '../content/range.ts'
import type { Provider } from '../content/types.ts'
import { OrlopError } from '../errors.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { type Digest, encodedOf } from '../oci/digest.ts'
import { pathScopes } from '../oci/scopes.ts'
import type { AbortOptions } from '../options.ts'
import { ArchiveReader } from './archive-reader.ts'
import { ArchiveWriter } from './archive-writer.ts'
import {
  checkLayoutVersion,
  chooseEntry,
  emptyLayoutIndex,
  formatLayoutIndex,
  maxIndexSize,
  parseLayoutIndex,
  withEntry,
  withReferrer,
} from './oci-index.ts'
import { layoutReferrers } from './oci-referrers.ts'
import { formatPlace, type OciArchivePlace } from './place.ts'
import type { Accepts, Destination, PutOptions, Source } from './types.ts'

/**
 * An image of an OCI layout in a tar, to read. A tar that is compressed is written out into a temporary file.
 *
 * @throws NOT_FOUND  no such file, or no index.json in it
 * @throws as `ArchiveReader.open`
 */
export async function openOciArchiveSource(
  place: OciArchivePlace,
  options: AbortOptions = {},
): Promise<Source> {
  const archive = await ArchiveReader.open(place.path, options)
  try {
    await checkVersion(archive, options)
    const what = `${place.path}: index.json`
    const index = parseLayoutIndex(await archive.readSmall('index.json', maxIndexSize, options), what)
    const blobs = archivedBlobs(archive)
    return {
      place: formatPlace(place),
      blobs,
      resolve: async () => chooseEntry(index, place),
      identity: { transport: 'oci-archive', scopes: pathScopes(await fs.realpath(place.path)) },
      referrers: layoutReferrers(index, blobs, place.path),
      [Symbol.asyncDispose]: () => archive[Symbol.asyncDispose](),
    }
  } catch (error) {
    await archive[Symbol.asyncDispose]()
    throw error
  }
}

async function checkVersion(archive: ArchiveReader, options: AbortOptions): Promise<void> {
  if (!archive.has('oci-layout')) return
  checkLayoutVersion(await archive.readSmall('oci-layout', 65_536, options), `${archive.what}: oci-layout`)
}

const archivedBlobs = (archive: ArchiveReader): Provider => ({
  read(target, options = {}) {
    checkRange(options)
    return readBlob(archive, target, options)
  },
})

async function* readBlob(
  archive: ArchiveReader,
  { digest, size }: Pick<Descriptor, 'digest' | 'size'>,
  options: Parameters<Provider['read']>[1],
): AsyncGenerator<Uint8Array> {
  const file = archive.find(blobPath(digest))
  if (file.size !== size)
    throw new OrlopError('DATA_LOSS', `${archive.what}: ${digest} has ${file.size} bytes, expected ${size}`)
  yield* archive.read(file, options)
}

/**
 * An OCI layout in a tar, to write an image to. A file that is there is replaced at once, when all is written; one blob is
 * written at a time, so that the same copy gives the same bytes.
 *
 * @throws INVALID_ARGUMENT  a place with a number
 */
export async function openOciArchiveDestination(place: OciArchivePlace): Promise<Destination> {
  if (place.index !== undefined)
    throw new OrlopError(
      'INVALID_ARGUMENT',
      `${formatPlace(place)}: a number names what is there already; to write give a name`,
    )
  return new OciArchiveDestination(place, await ArchiveWriter.create(place.path, blobName))
}

const blobName = (digest: Digest): { readonly name: string; readonly below: readonly string[] } => {
  const name = blobPath(digest)
  const directory = name.slice(0, -encodedOf(digest).length)
  return { name, below: ['blobs/', directory] }
}

class OciArchiveDestination implements Destination {
  readonly accepts: Accepts = {
    formats: ['oci'],
    tolerant: true,
    indexes: true,
    referrers: true,
    layers: 'gzip',
  }
  readonly concurrency = 1
  readonly place: string
  readonly blobs: ArchiveWriter
  readonly #place: OciArchivePlace

  constructor(place: OciArchivePlace, blobs: ArchiveWriter) {
    this.place = formatPlace(place)
    this.blobs = blobs
    this.#place = place
  }

  async put(root: Descriptor, { referrers = [], signal }: PutOptions = {}): Promise<void> {
    const index = referrers.reduce(withReferrer, withEntry(emptyLayoutIndex, root, this.#place.image))
    await this.blobs.add('index.json', Buffer.from(formatLayoutIndex(index)), { signal })
    await this.blobs.add('oci-layout', layoutBytes, { signal })
    await this.blobs.finish({ signal })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.blobs[Symbol.asyncDispose]()
  }
}
