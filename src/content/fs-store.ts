import type { Stats } from 'node:fs'
import fs from 'node:fs/promises'
import { fromErrno, isAlreadyExists, OrlopError } from '../errors.ts'
import { parseFilters } from '../filters/filter.ts'
import { algorithmOf, type Digest, digestOf, digestSizes, isAlgorithm, isDigest } from '../oci/digest.ts'
import { DigestTable } from '../oci/digest-table.ts'
import type { AbortOptions } from '../options.ts'
import type { BytesTaker } from './bytes-taker.ts'
import { infoFields } from './fields.ts'
import { eachNameIn, errnoOf, namesIn, writeSynced } from './fs-durable.ts'
import { FsIngests } from './fs-ingests.ts'
import { FsLayout } from './fs-layout.ts'
import { FsPublisher } from './fs-publish.ts'
import { readRange } from './fs-read.ts'
import { type FileProvider, type FileTaker, takeFile } from './fs-share.ts'
import { staged } from './fs-staging.ts'
import type { Publish } from './fs-writer.ts'
import { ifFound } from './if-found.ts'
import { changeLabels, keptLabels } from './labels.ts'
import type { LeavesLeftovers } from './leftovers.ts'
import type { ListsDigests } from './lists-digests.ts'
import { checkRange, rangeOf } from './range.ts'
import type {
  CommitOptions,
  ContentStore,
  Info,
  Ingester,
  Labels,
  LabelsChange,
  ReadOptions,
  Status,
  Target,
  Writer,
  WriterInit,
} from './types.ts'

/** Keeps the labels of blobs, for a store whose files cannot. */
export interface LabelStore {
  /** Labels of a blob; `{}` when it has none. */
  get(digest: Digest): Promise<Labels>
  set(digest: Digest, labels: Labels): Promise<void>
  delete(digest: Digest): Promise<void>
}

/** Options of `FsStore`. */
export interface FsStoreOptions {
  /** Without it `update` fails, and labels given to `commit` are dropped, as in containerd. */
  readonly labels?: LabelStore | undefined
  readonly now?: (() => Date) | undefined
}

/**
 * Blobs as files, in containerd's own layout.
 *
 * A blob is complete and durable before its name appears. Directories are made when they are first needed. One process at
 * a time may write to a directory.
 *
 * containerd's local store calls it a success to delete or abort what is not there, and its namespaced layer makes
 * NOT_FOUND of it; here it is NOT_FOUND already. Reading a blob may touch `updatedAt`, which is the file's atime.
 *
 * @see containerd plugins/content/local/store.go
 */
export class FsStore
  implements ContentStore, LeavesLeftovers, ListsDigests, FileProvider, FileTaker, BytesTaker
{
  readonly #layout: FsLayout
  readonly #publisher: FsPublisher
  readonly #ingests: FsIngests
  readonly #labels: LabelStore | undefined
  readonly #now: () => Date

  /** @param root  the content directory, which has or will have `blobs/` and `ingest/` */
  constructor(root: string, { labels, now = () => new Date() }: FsStoreOptions = {}) {
    const layout = new FsLayout(root)
    const publisher = new FsPublisher(layout)
    this.#layout = layout
    this.#publisher = publisher
    this.#ingests = new FsIngests({ layout, publisher, publish: this.#publish, now })
    this.#labels = labels
    this.#now = now
  }

  read({ digest }: Target, options: ReadOptions = {}): AsyncIterable<Uint8Array> {
    checkRange(options)
    return this.#read(digest, options)
  }

  async *#read(digest: Digest, options: ReadOptions): AsyncGenerator<Uint8Array> {
    options.signal?.throwIfAborted()
    try {
      await using handle = await fs.open(this.#layout.blob(digest), 'r')
      const { size } = await handle.stat()
      yield* readRange(handle, rangeOf(size, options), options)
    } catch (error) {
      throw absent(error, digest)
    }
  }

  async info(digest: Digest, { signal }: AbortOptions = {}): Promise<Info> {
    signal?.throwIfAborted()
    const stats = await this.#stat(digest)
    // A directory that cannot be synced here, being on read-only media, has nothing to sync.
    await this.#publisher.settle(digest).catch(() => undefined)
    return infoOf(digest, stats, (await this.#labels?.get(digest)) ?? {})
  }

  async update(digest: Digest, change: LabelsChange, { signal }: AbortOptions = {}): Promise<Info> {
    signal?.throwIfAborted()
    const labels = this.#labels
    if (labels === undefined) {
      throw new OrlopError('FAILED_PRECONDITION', `content ${digest}: this store keeps no labels`)
    }
    return this.#publisher.alone(digest, async file => {
      const stats = await this.#stat(digest)
      const now = this.#now()
      const changed = changeLabels(await labels.get(digest), change)
      await labels.set(digest, changed)
      await fs.utimes(file, now, stats.mtime)
      return { ...infoOf(digest, stats, changed), updatedAt: now }
    })
  }

  list(filters?: readonly string[], options: AbortOptions = {}): AsyncIterable<Info> {
    return this.#list(parseFilters(filters), options)
  }

  async *#list(matches: ReturnType<typeof parseFilters>, options: AbortOptions): AsyncGenerator<Info> {
    for (const algorithm of algorithms) {
      for (const name of await namesIn(this.#layout.algorithm(algorithm))) {
        const digest = `${algorithm}:${name}`
        const info = isDigest(digest) ? await ifFound(this.info(digest, options)) : undefined
        if (info !== undefined && matches(infoFields(info))) yield info
      }
    }
  }

  /** Read to its end before the first comes: who deletes between two would otherwise change what is being read. */
  async *digests({ signal }: AbortOptions = {}): AsyncGenerator<Digest> {
    const found = new DigestTable()
    for (const algorithm of algorithms) {
      for await (const name of eachNameIn(this.#layout.algorithm(algorithm))) {
        signal?.throwIfAborted()
        const digest = `${algorithm}:${name}`
        if (isDigest(digest)) found.add(digest)
      }
    }
    for (let at = 0; at < found.size; at++) yield found.at(at)
  }

  async delete(digest: Digest, { signal }: AbortOptions = {}): Promise<void> {
    signal?.throwIfAborted()
    await this.#publisher.alone(digest, async file => {
      await fs.unlink(file).catch(error => {
        throw absent(error, digest)
      })
      await this.#labels?.delete(digest)
    })
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

  async file({ digest, size }: Target, options?: AbortOptions): Promise<string | undefined> {
    const info = await ifFound(this.info(digest, options))
    return info?.size === size ? this.#layout.blob(digest) : undefined
  }

  async takeFile(file: string, target: Target, options?: AbortOptions): Promise<boolean> {
    const { digest } = target
    if ((await this.file(target, options)) !== undefined) return true
    const put = (data: string): Promise<void> => this.#publish(data, digest, {}).catch(unlessThere)
    return takeFile(this.#layout, file, target, put, options).catch(error => {
      throw fromErrno(error, `content ${digest}`)
    })
  }

  async takeBytes(
    bytes: Uint8Array,
    digest: Digest,
    options: Pick<CommitOptions, 'labels' | 'signal'> = {},
  ): Promise<void> {
    if (!isDigest(digest))
      throw new OrlopError('INVALID_ARGUMENT', `digest ${JSON.stringify(digest)}: is none`)
    const actual = digestOf(bytes, algorithmOf(digest))
    if (actual !== digest)
      throw new OrlopError('FAILED_PRECONDITION', `content ${digest}: its bytes are ${actual}`)
    try {
      await staged(this.#layout.ingests, async file => {
        // Read-only from the start, as in `FsWriter`: nothing of the blob remains to be made durable but its name.
        await writeSynced(file, bytes, process.platform === 'win32' ? 0o666 : 0o444)
        options.signal?.throwIfAborted()
        await this.#publish(file, digest, options)
      })
    } catch (error) {
      throw fromErrno(error, `content ${digest} in ${this.#layout.root}`)
    }
  }

  takeIngest(bytes: Uint8Array, status: Status): Promise<void> {
    return this.#ingests.takeIngest(bytes, status)
  }

  removeLeftovers(options?: AbortOptions): Promise<number> {
    return this.#ingests.removeLeftovers(options)
  }

  writer(init: WriterInit, options?: AbortOptions): Promise<Writer> {
    return this.#ingests.writer(init, options)
  }

  /**
   * Runs work on the file of a blob while nothing in this process publishes, labels or deletes it; for repairs.
   *
   * @param work  is given the file's path, which need not exist
   */
  alone<T>(digest: Digest, work: (file: string) => Promise<T>): Promise<T> {
    return this.#publisher.alone(digest, work)
  }

  /**
   * An ingester whose commits take the place of a blob that is there; for repairs. Say no digest when you open its writer.
   *
   * @param keep  is given the path of the file that will be replaced, when there is one, and puts it in safety
   */
  replacing(keep: (file: string) => Promise<void>): Ingester {
    const publish: Publish = (data, digest) => this.#publisher.replace(data, digest, keep)
    return new FsIngests({ layout: this.#layout, publisher: this.#publisher, publish, now: this.#now })
  }

  readonly #publish: Publish = (data, digest, { labels }) =>
    // Labels before the blob is seen, so that it is never seen without; and over those of one that once was here.
    this.#publisher.publish(data, digest, async () => this.#labels?.set(digest, keptLabels(labels)))

  async #stat(digest: Digest): Promise<Stats> {
    const stats = await fs.stat(this.#layout.blob(digest)).catch(error => {
      throw absent(error, digest)
    })
    if (!stats.isFile()) throw new OrlopError('NOT_FOUND', `content ${digest}: not a file`)
    return stats
  }
}

/** In order. */
const algorithms = Object.keys(digestSizes).filter(isAlgorithm).sort()

/** Somebody else was faster. */
const unlessThere = (error: unknown): void => {
  if (!isAlreadyExists(error)) throw error
}

const infoOf = (digest: Digest, { size, mtime, atime }: Stats, labels: Labels): Info => ({
  digest,
  size,
  createdAt: mtime,
  updatedAt: atime > mtime ? atime : mtime,
  labels,
})

const absent = (error: unknown, digest: Digest): unknown =>
  errnoOf(error) === 'ENOENT'
    ? new OrlopError('NOT_FOUND', `content ${digest}: there is none`, { cause: error })
    : fromErrno(error, `content ${digest}`)
