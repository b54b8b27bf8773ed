import fs from 'node:fs/promises'
import path from 'node:path'
import { errnoOf, namesIn } from '../content/fs-durable.ts'
import { FsIngests } from '../content/fs-ingests.ts'
import type { FsLayout } from '../content/fs-layout.ts'
import { FsPublisher } from '../content/fs-publish.ts'
import { readRange } from '../content/fs-read.ts'
import { type FileProvider, type FileTaker, takeFile } from '../content/fs-share.ts'
import { digestFile } from '../content/hash-file.ts'
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
import { fromErrno, hasCode, isNotFound, OrlopError } from '../errors.ts'
import { algorithmOf, type Digest } from '../oci/digest.ts'
import type { AbortOptions } from '../options.ts'
import type { Fence } from './fence.ts'

/**
 * Blobs as files in a directory that other programs write to as well.
 *
 * Unlike a store of our own, nothing there is believed: a blob that is there counts only when its bytes are hashed and
 * right, and takes the place of one that is wrong. What is written is whole and durable before its name appears, and a
 * blob that was broken off is gone on with.
 */
export class FileBlobs implements FileProvider, FileTaker, Ingester, IngestManager {
  readonly #layout: FsLayout
  readonly #fence: Fence
  readonly #ingests: FsIngests
  readonly #publisher: FsPublisher
  readonly #whole = new Set<Digest>()

  /** @param fence  around the layout's root */
  constructor(layout: FsLayout, fence: Fence, now: () => Date = () => new Date()) {
    const publisher = new FsPublisher(layout)
    this.#layout = layout
    this.#fence = fence
    this.#publisher = publisher
    this.#ingests = new FsIngests({
      layout,
      publisher,
      publish: async (data, digest) => {
        await publisher.replace(data, digest, async () => undefined)
        this.#whole.add(digest)
      },
      now,
    })
  }

  /** What was written through this object, or asked to be and was here. */
  get whole(): ReadonlySet<Digest> {
    return this.#whole
  }

  read(target: Target, options: ReadOptions = {}): AsyncIterable<Uint8Array> {
    checkRange(options)
    return this.#read(target, options)
  }

  async *#read({ digest, size }: Target, options: ReadOptions): AsyncGenerator<Uint8Array> {
    options.signal?.throwIfAborted()
    await using file = await this.#open(digest)
    if (file.size !== size) {
      throw new OrlopError(
        'DATA_LOSS',
        `content ${digest}: its file in ${this.#layout.root} has ${file.size} bytes, expected ${size}`,
      )
    }
    yield* readRange(file.handle, rangeOf(size, options), options)
  }

  /** True when the blob is here with the size that is asked for and its bytes are right: they are read. */
  async isSound(digest: Digest, size: number | undefined, options: AbortOptions = {}): Promise<boolean> {
    options.signal?.throwIfAborted()
    try {
      await using file = await this.#open(digest)
      if (size !== undefined && file.size !== size) return false
      if ((await digestFile(file.handle, algorithmOf(digest), options)).digest !== digest) return false
      this.#whole.add(digest)
      return true
    } catch (error) {
      // What is no regular file is replaced as a wrong one is.
      if (isNotFound(error) || hasCode(error, 'FAILED_PRECONDITION')) return false
      throw error
    }
  }

  /** Also where it is a link inside. */
  async file({ digest, size }: Target): Promise<string | undefined> {
    try {
      return await this.#fence.place(size, this.#relative(this.#layout.blob(digest)))
    } catch (error) {
      if (isNotFound(error) || hasCode(error, 'FAILED_PRECONDITION')) return undefined
      throw error
    }
  }

  async takeFile(file: string, target: Target, options: AbortOptions = {}): Promise<boolean> {
    const { digest } = target
    await this.#fence.check(this.#relative(path.dirname(this.#layout.blob(digest))))
    await this.#fence.check(this.#relative(this.#layout.ingests))
    if (this.#whole.has(digest) || (await this.isSound(digest, target.size, options))) return true
    const put = (data: string): Promise<void> => this.#publisher.replace(data, digest, async () => undefined)
    try {
      if (!(await takeFile(this.#layout, file, target, put, options))) return false
    } catch (error) {
      throw fromErrno(error, `content ${digest} in ${this.#layout.root}`)
    }
    this.#whole.add(digest)
    return true
  }

  #relative(place: string): string {
    return path.relative(this.#fence.directory, place)
  }

  async writer(init: WriterInit, options: AbortOptions = {}): Promise<Writer> {
    const { digest, ...expected } = init.expected ?? {}
    if (digest !== undefined) {
      await this.#fence.check(this.#relative(path.dirname(this.#layout.blob(digest))))
      // What was taken a moment ago has been hashed.
      if (this.#whole.has(digest) || (await this.isSound(digest, expected.size, options)))
        throw new OrlopError('ALREADY_EXISTS', `content ${digest}: it is there already`)
    }
    await this.#fence.check(this.#relative(this.#layout.ingests))
    // Without the digest, or a wrong one of the right size would not be replaced; the commit is told of it.
    return this.#ingests.writer({ ...init, expected }, options)
  }

  status(ref: string, options?: AbortOptions): Promise<Status> {
    return this.#ingests.status(ref, options)
  }

  statuses(filters?: readonly string[], options?: AbortOptions): AsyncIterable<Status> {
    return this.#ingests.statuses(filters, options)
  }

  abort(ref: string, options?: AbortOptions): Promise<void> {
    return this.#ingests.abort(ref, options)
  }

  /** Takes away the directory of ingests when nothing is left in it to go on with. */
  async tidy(): Promise<void> {
    await this.#ingests.removeLeftovers().catch(() => 0)
    if ((await namesIn(this.#layout.ingests)).length === 0) await removeEmpty(this.#layout.ingests)
  }

  async #open(digest: Digest) {
    try {
      return await this.#fence.open(this.#relative(this.#layout.blob(digest)))
    } catch (error) {
      if (!isNotFound(error)) throw error
      throw new OrlopError('NOT_FOUND', `content ${digest}: there is none in ${this.#layout.root}`, {
        cause: error,
      })
    }
  }
}

const removeEmpty = async (directory: string): Promise<void> => {
  await fs.rmdir(directory).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTEMPTY') return
    throw error
  })
}
