import fs from 'node:fs/promises'
import path from 'node:path'
import { makeDirectory, namesIn, replaceFile, syncDirectory } from '../content/fs-durable.ts'
import { FsLayout } from '../content/fs-layout.ts'
import type { FileProvider, FileTaker } from '../content/fs-share.ts'
import { checkRange, rangeOf } from '../content/range.ts'
import type {
  Ingester,
  IngestManager,
  ReadOptions,
  Status,
  Target,
  Writer,
  WriterInit,
} from '../content/types.ts'
import { fromErrno, isNotFound, OrlopError } from '../errors.ts'
import {
  decodeSignature,
  encodeSignature,
  maxEncodedSize,
  maxSignatures,
  type Signature,
} from '../images/signature.ts'
import { type Descriptor, descriptorOf } from '../oci/descriptor.ts'
import { type Digest, encodedOf } from '../oci/digest.ts'
import { maxManifestSize } from '../oci/document.ts'
import { isManifestOrIndex } from '../oci/media-type.ts'
import { pathScopes } from '../oci/scopes.ts'
import type { AbortOptions } from '../options.ts'
import { mediaTypeOf } from '../remotes/registry/manifest-type.ts'
import { type LockOptions, lockDirectory, lockName } from './directory-lock.ts'
import { Fence } from './fence.ts'
import { FileBlobs } from './file-blobs.ts'
import { type DirPlace, formatPlace } from './place.ts'
import type { Accepts, Destination, Source } from './types.ts'

const version = 'Directory Transport Version: 1.1\n'

/** Blobs as `<hex>`, all in one directory; with a suffix, those that are manifests. */
class DirLayout extends FsLayout {
  readonly #suffix: string
  override readonly ingests: string = path.join(this.root, '.orlop-ingest')

  constructor(root: string, suffix = '') {
    super(root)
    this.#suffix = suffix
  }

  override blob(digest: Digest): string {
    // Checked there.
    return path.join(this.root, path.basename(super.blob(digest)) + this.#suffix)
  }
}

/** The blobs of a directory, each kind under its own names. */
class DirBlobs implements FileProvider, FileTaker, Ingester, IngestManager {
  readonly blobs: FileBlobs
  readonly manifests: FileBlobs

  constructor(directory: string, fence: Fence) {
    this.blobs = new FileBlobs(new DirLayout(directory), fence)
    this.manifests = new FileBlobs(new DirLayout(directory, '.manifest.json'), fence)
  }

  read(target: Target, options?: ReadOptions): AsyncIterable<Uint8Array> {
    return this.#of(target.mediaType).read(target, options)
  }

  writer(init: WriterInit, options?: AbortOptions): Promise<Writer> {
    return this.#of(init.expected?.mediaType).writer(init, options)
  }

  file(target: Target): Promise<string | undefined> {
    return this.#of(target.mediaType).file(target)
  }

  takeFile(file: string, target: Target, options?: AbortOptions): Promise<boolean> {
    return this.#of(target.mediaType).takeFile(file, target, options)
  }

  // The ingests of both lie in one directory.

  status(ref: string, options?: AbortOptions): Promise<Status> {
    return this.blobs.status(ref, options)
  }

  statuses(filters?: readonly string[], options?: AbortOptions): AsyncIterable<Status> {
    return this.blobs.statuses(filters, options)
  }

  abort(ref: string, options?: AbortOptions): Promise<void> {
    return this.blobs.abort(ref, options)
  }

  #of(mediaType: string | undefined): FileBlobs {
    return mediaType !== undefined && isManifestOrIndex({ mediaType }) ? this.manifests : this.blobs
  }
}

const signatureName = (hex: string | undefined, at: number): string =>
  `${hex === undefined ? '' : `${hex}.`}signature-${at + 1}`

/**
 * The image of a directory, to read. `manifest.json` is its root, whose media type is told by what it says.
 *
 * @throws NOT_FOUND  no such directory, or no manifest.json in it
 * @throws FAILED_PRECONDITION  a directory of another version
 * @see containers/image directory
 */
export async function openDirSource(place: DirPlace, { signal }: AbortOptions = {}): Promise<Source> {
  signal?.throwIfAborted()
  const fence = new Fence(place.path)
  await checkVersion(fence)
  const what = path.join(place.path, 'manifest.json')
  const bytes = await fence.read(maxManifestSize, 'manifest.json')
  const root = descriptorOf(mediaTypeOf('', bytes, what), bytes)
  const files = new DirBlobs(place.path, fence)
  const blobs: FileProvider = {
    read: (target, options = {}) =>
      target.digest === root.digest ? partOf(bytes, options) : files.read(target, options),
    file: async target => (target.digest === root.digest ? undefined : files.file(target)),
  }
  return {
    place: formatPlace(place),
    blobs,
    resolve: async () => root,
    identity: { transport: 'dir', scopes: pathScopes(await fs.realpath(place.path)) },
    signatures: (manifest, options) =>
      readSignatures(fence, manifest === root.digest ? undefined : encodedOf(manifest), options),
    [Symbol.asyncDispose]: async () => undefined,
  }
}

async function* partOf(bytes: Uint8Array, options: ReadOptions): AsyncGenerator<Uint8Array> {
  checkRange(options)
  const { start, end } = rangeOf(bytes.byteLength, options)
  if (start < end) yield bytes.slice(start, end)
}

/** True when the directory says its version; one without is read all the same, as there. */
async function checkVersion(fence: Fence): Promise<boolean> {
  try {
    const text = Buffer.from(await fence.read(4096, 'version')).toString('latin1')
    if (/^Directory Transport Version: 1\.\d+\n$/.test(text)) return true
    throw new OrlopError(
      'FAILED_PRECONDITION',
      `${path.join(fence.directory, 'version')}: ${JSON.stringify(text.slice(0, 80))} is not known`,
    )
  } catch (error) {
    if (isNotFound(error)) return false
    throw error
  }
}

async function readSignatures(
  fence: Fence,
  hex: string | undefined,
  { signal }: AbortOptions = {},
): Promise<readonly Signature[]> {
  const found: Signature[] = []
  for (let at = 0; at <= maxSignatures; at++) {
    signal?.throwIfAborted()
    try {
      const name = signatureName(hex, at)
      const bytes = await fence.read(maxEncodedSize, name)
      found.push(decodeSignature(bytes, path.join(fence.directory, name)))
    } catch (error) {
      if (isNotFound(error)) return found
      throw error
    }
  }
  throw new OrlopError(
    'RESOURCE_EXHAUSTED',
    `${fence.directory}: more than ${maxSignatures} signatures of one manifest`,
  )
}

/**
 * A directory to write one image to; made where it is missing, and what image is there is replaced.
 *
 * containers/image empties the directory first. Here the old image stays whole until manifest.json is replaced at once, and
 * then what was only its goes; files that are of neither stay.
 *
 * @throws FAILED_PRECONDITION  a directory that has files and is none of these
 */
export async function openDirDestination(place: DirPlace, options: LockOptions = {}): Promise<Destination> {
  try {
    await makeDirectory(place.path)
    if (!(await fs.stat(place.path)).isDirectory())
      throw new OrlopError('FAILED_PRECONDITION', `${place.path}: is a file; dir: needs a directory`)
  } catch (error) {
    throw fromErrno(error, place.path)
  }
  const fence = new Fence(place.path)
  const isOurs = await checkVersion(fence)
  const names = (await namesIn(place.path)).filter(name => name !== lockName)
  if (!isOurs && names.length > 0) {
    throw new OrlopError(
      'FAILED_PRECONDITION',
      `${place.path}: has files in it and no "version" of dir:; name an empty directory`,
    )
  }
  const lock = await lockDirectory(place.path, options)
  try {
    if (!isOurs) await replaceFile(path.join(place.path, 'version'), version)
    return new DirDestination(place, fence, lock)
  } catch (error) {
    await lock[Symbol.asyncDispose]()
    throw fromErrno(error, place.path)
  }
}

class DirDestination implements Destination {
  readonly accepts: Accepts = { formats: ['oci', 'docker'], indexes: true }
  readonly place: string
  readonly blobs: DirBlobs
  readonly #directory: string
  readonly #lock: AsyncDisposable
  #root: Digest | undefined

  constructor(place: DirPlace, fence: Fence, lock: AsyncDisposable) {
    this.place = formatPlace(place)
    this.#directory = place.path
    this.#lock = lock
    this.blobs = new DirBlobs(place.path, fence)
  }

  async put({ digest }: Descriptor, { signal }: AbortOptions = {}): Promise<void> {
    signal?.throwIfAborted()
    try {
      // First, for they are of the image that was here.
      await this.#remove(name => /^signature-\d+$/.test(name))
      await fs.rename(this.#file(`${encodedOf(digest)}.manifest.json`), this.#file('manifest.json'))
      await syncDirectory(this.#directory)
      this.#root = digest
      const kept = this.#names()
      await this.#remove(name => /^[0-9a-f]{64,128}(\..+)?$/.test(name) && !kept.has(name))
    } catch (error) {
      throw fromErrno(error, this.#directory)
    }
  }

  async putSignatures(
    manifest: Digest,
    signatures: readonly Signature[],
    { signal }: AbortOptions = {},
  ): Promise<void> {
    const hex = manifest === this.#root ? undefined : encodedOf(manifest)
    try {
      for (const [at, signature] of signatures.entries()) {
        signal?.throwIfAborted()
        await replaceFile(this.#file(signatureName(hex, at)), encodeSignature(signature))
      }
    } catch (error) {
      throw fromErrno(error, this.#directory)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.blobs.blobs.tidy()
    } finally {
      await this.#lock[Symbol.asyncDispose]()
    }
  }

  #file(name: string): string {
    return path.join(this.#directory, name)
  }

  /** The files of the image that was copied. */
  #names(): ReadonlySet<string> {
    const { blobs, manifests } = this.blobs
    const instances = [...manifests.whole].filter(digest => digest !== this.#root)
    return new Set([
      ...Array.from(blobs.whole, encodedOf),
      ...instances.map(digest => `${encodedOf(digest)}.manifest.json`),
    ])
  }

  async #remove(wanted: (name: string) => boolean): Promise<void> {
    for (const name of await namesIn(this.#directory)) if (wanted(name)) await fs.rm(this.#file(name))
  }
}
