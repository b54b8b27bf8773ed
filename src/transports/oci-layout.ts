import fs from 'node:fs/promises'
import path from 'node:path'
import { layoutBytes } from '../archive/layout-files.ts'
import { makeDirectory, namesIn, replaceFile } from '../content/fs-durable.ts'
import { FsLayout } from '../content/fs-layout.ts'
import { fromErrno, isNotFound, OrlopError } from '../errors.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { pathScopes } from '../oci/scopes.ts'
import type { AbortOptions } from '../options.ts'
import { type LockOptions, lockDirectory } from './directory-lock.ts'
import { Fence } from './fence.ts'
import { FileBlobs } from './file-blobs.ts'
import {
  checkLayoutVersion,
  chooseEntry,
  emptyLayoutIndex,
  formatLayoutIndex,
  type LayoutIndex,
  maxIndexSize,
  parseLayoutIndex,
  withEntry,
  withReferrer,
} from './oci-index.ts'
import { layoutReferrers } from './oci-referrers.ts'
import { formatPlace, type OciPlace } from './place.ts'
import type { Accepts, Destination, PutOptions, Source } from './types.ts'

/**
 * An image of an OCI layout, to read.
 *
 * The files are a stranger's: links out of the layout are not followed, and sizes are checked.
 *
 * @throws NOT_FOUND  no such directory, or no index.json in it
 * @throws FAILED_PRECONDITION  a layout of another version
 * @see image-spec v1.1, image-layout.md
 */
export async function openOciSource(place: OciPlace, { signal }: AbortOptions = {}): Promise<Source> {
  signal?.throwIfAborted()
  const fence = new Fence(place.path)
  await checkVersion(fence)
  const index = await readIndexFile(fence)
  if (index === undefined)
    throw new OrlopError('NOT_FOUND', `layout ${place.path}: there is none, for it has no index.json`)
  const blobs = new FileBlobs(new FsLayout(place.path), fence)
  return {
    place: formatPlace(place),
    blobs,
    resolve: async () => chooseEntry(index, place),
    identity: { transport: 'oci', scopes: pathScopes(await fs.realpath(place.path)) },
    referrers: layoutReferrers(index, blobs, place.path),
    [Symbol.asyncDispose]: async () => undefined,
  }
}

/** True when there is a file that says so, or none; of another version it is not read. */
async function checkVersion(fence: Fence): Promise<boolean> {
  const bytes = await ifThere(fence.read(4096, 'oci-layout'))
  if (bytes === undefined) return false
  checkLayoutVersion(bytes, path.join(fence.directory, 'oci-layout'))
  return true
}

async function readIndexFile(fence: Fence): Promise<LayoutIndex | undefined> {
  const bytes = await ifThere(fence.read(maxIndexSize, 'index.json'))
  return bytes && parseLayoutIndex(bytes, path.join(fence.directory, 'index.json'))
}

async function ifThere<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

/** Options of `openOciDestination`. */
export interface OciDestinationOptions extends LockOptions {}

/**
 * An OCI layout to write an image to; made where it is missing.
 *
 * Blobs that are there and right are kept, also when a copy before was broken off. index.json is replaced at once, last.
 * No other orlop writes to the layout meanwhile; it waits.
 *
 * @throws FAILED_PRECONDITION  a directory that has files and is no layout, or a layout of another version
 * @throws INVALID_ARGUMENT  a place with a number, or an index.json that cannot be read
 */
export async function openOciDestination(
  place: OciPlace,
  options: OciDestinationOptions = {},
): Promise<Destination> {
  if (place.index !== undefined) {
    throw new OrlopError(
      'INVALID_ARGUMENT',
      `${formatPlace(place)}: a number names what is there already; to write give a name`,
    )
  }
  try {
    await makeDirectory(place.path)
    await refuseOthers(place.path)
  } catch (error) {
    throw fromErrno(error, `layout ${place.path}`)
  }
  const lock = await lockDirectory(place.path, options)
  try {
    const fence = new Fence(place.path)
    if (!(await checkVersion(fence))) await replaceFile(path.join(place.path, 'oci-layout'), layoutBytes)
    await readIndexFile(fence)
    return new OciDestination(place, fence, lock)
  } catch (error) {
    await lock[Symbol.asyncDispose]()
    throw fromErrno(error, `layout ${place.path}`)
  }
}

/** What a layout has; `oci:.` in a directory of other things is a mistake. */
const partsOfLayout = new Set(['oci-layout', 'index.json', 'blobs', 'ingest'])

async function refuseOthers(directory: string): Promise<void> {
  if (!(await fs.stat(directory)).isDirectory())
    throw new OrlopError('FAILED_PRECONDITION', `layout ${directory}: is a file; a layout is a directory`)
  const names = (await namesIn(directory)).filter(name => !name.startsWith('.'))
  if (names.length === 0 || names.some(name => partsOfLayout.has(name))) return
  throw new OrlopError(
    'FAILED_PRECONDITION',
    `layout ${directory}: has other files in it and is no OCI layout; name an empty directory`,
  )
}

class OciDestination implements Destination {
  readonly accepts: Accepts = {
    formats: ['oci'],
    tolerant: true,
    indexes: true,
    referrers: true,
    layers: 'gzip',
  }
  readonly place: string
  readonly blobs: FileBlobs
  readonly #place: OciPlace
  readonly #fence: Fence
  readonly #lock: AsyncDisposable

  constructor(place: OciPlace, fence: Fence, lock: AsyncDisposable) {
    this.place = formatPlace(place)
    this.#place = place
    this.#fence = fence
    this.#lock = lock
    this.blobs = new FileBlobs(new FsLayout(place.path), fence)
  }

  async put(root: Descriptor, { referrers = [], signal }: PutOptions = {}): Promise<void> {
    signal?.throwIfAborted()
    // As it is now: other programs may have written to it since.
    const index = (await readIndexFile(this.#fence)) ?? emptyLayoutIndex
    const changed = referrers.reduce(withReferrer, withEntry(index, root, this.#place.image))
    const file = path.join(this.#place.path, 'index.json')
    try {
      await replaceFile(file, formatLayoutIndex(changed))
    } catch (error) {
      throw fromErrno(error, file)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.blobs.tidy()
    } finally {
      await this.#lock[Symbol.asyncDispose]()
    }
  }
}
