import { OrlopError } from '../errors.ts'
import { parseFilters } from '../filters/filter.ts'
import { algorithmOf, type Digest, isDigest } from '../oci/digest.ts'
import type { AbortOptions } from '../options.ts'
import { infoFields, statusFields } from './fields.ts'
import { changeLabels, keptLabels } from './labels.ts'
import { type MemoryIngest, MemoryWriter } from './memory-writer.ts'
import { checkRange, rangeOf } from './range.ts'
import { RefLocks } from './ref-locks.ts'
import type {
  ContentStore,
  Info,
  LabelsChange,
  ReadOptions,
  Status,
  Target,
  Writer,
  WriterInit,
} from './types.ts'

interface Blob {
  readonly bytes: Uint8Array
  readonly info: Info
}

/** Options of `MemoryStore`. */
export interface MemoryStoreOptions {
  readonly now?: (() => Date) | undefined
}

/** The whole contract in a Map: for tests, and for content that need not outlive the process. */
export class MemoryStore implements ContentStore {
  readonly #now: () => Date
  readonly #blobs = new Map<Digest, Blob>()
  readonly #ingests = new Map<string, MemoryIngest>()
  readonly #locks = new RefLocks()

  constructor({ now = () => new Date() }: MemoryStoreOptions = {}) {
    this.#now = now
  }

  read({ digest }: Target, options: ReadOptions = {}): AsyncIterable<Uint8Array> {
    checkRange(options)
    return this.#read(digest, options)
  }

  async *#read(digest: Digest, options: ReadOptions): AsyncGenerator<Uint8Array> {
    options.signal?.throwIfAborted()
    const { bytes } = this.#blob(digest)
    const { start, end } = rangeOf(bytes.byteLength, options)
    // A copy: what is given out is the reader's to change.
    if (end > start) yield new Uint8Array(bytes.subarray(start, end))
  }

  async info(digest: Digest, { signal }: AbortOptions = {}): Promise<Info> {
    signal?.throwIfAborted()
    return this.#blob(digest).info
  }

  async update(digest: Digest, change: LabelsChange, { signal }: AbortOptions = {}): Promise<Info> {
    signal?.throwIfAborted()
    const { bytes, info } = this.#blob(digest)
    const changed = { ...info, labels: changeLabels(info.labels, change), updatedAt: this.#now() }
    this.#blobs.set(digest, { bytes, info: changed })
    return changed
  }

  list(filters?: readonly string[], options: AbortOptions = {}): AsyncIterable<Info> {
    return this.#list(parseFilters(filters), options)
  }

  async *#list(matches: ReturnType<typeof parseFilters>, { signal }: AbortOptions): AsyncGenerator<Info> {
    for (const digest of [...this.#blobs.keys()].sort()) {
      signal?.throwIfAborted()
      const info = this.#blobs.get(digest)?.info
      if (info !== undefined && matches(infoFields(info))) yield info
    }
  }

  async delete(digest: Digest, { signal }: AbortOptions = {}): Promise<void> {
    signal?.throwIfAborted()
    this.#blob(digest)
    this.#blobs.delete(digest)
  }

  async status(ref: string, { signal }: AbortOptions = {}): Promise<Status> {
    signal?.throwIfAborted()
    const ingest = this.#ingests.get(ref)
    if (ingest === undefined) throw noIngest(ref)
    return ingest.status
  }

  statuses(filters?: readonly string[], options: AbortOptions = {}): AsyncIterable<Status> {
    return this.#statuses(parseFilters(filters), options)
  }

  async *#statuses(
    matches: ReturnType<typeof parseFilters>,
    { signal }: AbortOptions,
  ): AsyncGenerator<Status> {
    for (const ref of [...this.#ingests.keys()].sort()) {
      signal?.throwIfAborted()
      const status = this.#ingests.get(ref)?.status
      if (status !== undefined && matches(statusFields(status))) yield status
    }
  }

  async abort(ref: string, { signal }: AbortOptions = {}): Promise<void> {
    signal?.throwIfAborted()
    if (!this.#ingests.delete(ref)) throw noIngest(ref)
    this.#locks.holder(ref)?.abandon()
  }

  async writer({ ref, expected = {} }: WriterInit, { signal }: AbortOptions = {}): Promise<Writer> {
    signal?.throwIfAborted()
    if (ref === '') throw new OrlopError('INVALID_ARGUMENT', 'writer: the ref is empty')
    const { digest, size } = expected
    if (digest !== undefined) checkDigest(digest)
    const lock = this.#locks.acquire(ref, ref)
    try {
      if (digest !== undefined && this.#blobs.has(digest)) throw known(digest)
      const now = this.#now()
      const before = this.#ingests.get(ref)
      const status =
        before === undefined || (before.status.total && size && before.status.total !== size)
          ? { ref, offset: 0, ...(size !== undefined && { total: size }), startedAt: now, updatedAt: now }
          : before.status
      const chunks = before !== undefined && status === before.status ? before.chunks : []
      const ingest = { status, chunks }
      this.#ingests.set(ref, ingest)
      const algorithm = digest === undefined ? 'sha256' : algorithmOf(digest)
      const writer = new MemoryWriter({ ingest, algorithm, lock, now: this.#now, publish: this.#publish })
      lock.attach(writer)
      return writer
    } catch (error) {
      lock.release()
      throw error
    }
  }

  readonly #publish: MemoryWriter['publish'] = (ref, bytes, digest, labels) => {
    this.#ingests.delete(ref)
    if (this.#blobs.has(digest)) throw known(digest)
    const now = this.#now()
    const info = {
      digest,
      size: bytes.byteLength,
      createdAt: now,
      updatedAt: now,
      labels: keptLabels(labels),
    }
    this.#blobs.set(digest, { bytes, info })
  }

  #blob(digest: Digest): Blob {
    checkDigest(digest)
    const blob = this.#blobs.get(digest)
    if (blob === undefined) throw new OrlopError('NOT_FOUND', `content ${digest}: there is none`)
    return blob
  }
}

const checkDigest = (digest: Digest): void => {
  if (isDigest(digest)) return
  throw new OrlopError('INVALID_ARGUMENT', `digest ${JSON.stringify(digest)}: not <algorithm>:<hex>`)
}

const known = (digest: Digest): OrlopError =>
  new OrlopError('ALREADY_EXISTS', `content ${digest}: it is there already`)

const noIngest = (ref: string): OrlopError =>
  new OrlopError('NOT_FOUND', `ingest ${JSON.stringify(ref)}: there is none`)
