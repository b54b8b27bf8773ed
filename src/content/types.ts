import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import type { AbortOptions } from '../options.ts'
import type { BufferSource } from './buffers.ts'

/** String labels of a record. An empty value is never stored: setting one removes the key, as in containerd. */
export type Labels = Readonly<Record<string, string>>

/** The part of a descriptor that finds a blob; a whole descriptor is one. */
export type Target = Pick<Descriptor, 'digest' | 'size' | 'mediaType' | 'urls' | 'data'>

/** Which bytes of a blob. */
export interface ReadOptions extends AbortOptions {
  /** First byte, from 0; default 0. At the blob's size or beyond it nothing comes. */
  readonly offset?: number | undefined
  /** Number of bytes; default, and when it reaches past the end: to the end. */
  readonly length?: number | undefined
  /**
   * Where chunks may be taken from, for who uses their memory again; default: new memory. Whoever asks for it may not hand
   * the chunks on to somebody who keeps them.
   */
  readonly buffers?: BufferSource | undefined
}

/** Anywhere bytes can come from: memory, disk, registry, archive, bucket. */
export interface Provider {
  /**
   * The bytes of a blob, or a part of them. Not verified: see `verified`.
   *
   * Nothing is opened until iteration starts; leaving the loop closes what was. A chunk that was given out is never
   * written to again.
   *
   * @throws NOT_FOUND  at the first `next()`, when there is no such blob
   */
  read(target: Target, options?: ReadOptions): AsyncIterable<Uint8Array>
}

/** What a store knows of a committed blob. */
export interface Info {
  readonly digest: Digest
  /** Bytes, ≥ 0. */
  readonly size: number
  readonly createdAt: Date
  readonly updatedAt: Date
  readonly labels: Labels
}

/** Tells of one blob without reading it. */
export interface InfoProvider {
  /** @throws NOT_FOUND  no such blob here */
  info(digest: Digest, options?: AbortOptions): Promise<Info>
}

/** A change of labels: by default merged into those there, where null (or '') removes a key. */
export interface LabelsChange {
  readonly labels: Readonly<Record<string, string | null>>
  /** True: `labels` are all there will be. */
  readonly replace?: boolean | undefined
}

/** Lists, labels and deletes committed blobs. */
export interface Manager extends InfoProvider {
  /**
   * Changes labels; `updatedAt` becomes now, `createdAt` stays.
   *
   * @throws NOT_FOUND  no such blob
   * @throws INVALID_ARGUMENT  a label over its limit
   * @throws FAILED_PRECONDITION  the store keeps no labels
   */
  update(digest: Digest, change: LabelsChange, options?: AbortOptions): Promise<Info>
  /**
   * Every blob that one of `filters` matches (none: all), in order of digest. Fields: `digest`, `labels.<key>`.
   *
   * @throws INVALID_ARGUMENT  a filter that cannot be read; thrown by the call itself, before iteration
   */
  list(filters?: readonly string[], options?: AbortOptions): AsyncIterable<Info>
  /** @throws NOT_FOUND  no such blob */
  delete(digest: Digest, options?: AbortOptions): Promise<void>
}

/** The state of an ingest: bytes on their way, not yet content. */
export interface Status {
  readonly ref: string
  /** Bytes accepted so far. */
  readonly offset: number
  /** Bytes there will be, where the opener said so. */
  readonly total?: number
  /** The digest they will have, where known. */
  readonly expected?: Digest
  readonly startedAt: Date
  readonly updatedAt: Date
}

/** Lists and throws away ingests. */
export interface IngestManager {
  /** @throws NOT_FOUND  no ingest with that ref */
  status(ref: string, options?: AbortOptions): Promise<Status>
  /**
   * Every ingest that one of `filters` matches (none: all), in order of ref. Field: `ref`.
   *
   * @throws INVALID_ARGUMENT  a filter that cannot be read; thrown by the call itself, before iteration
   */
  statuses(filters?: readonly string[], options?: AbortOptions): AsyncIterable<Status>
  /** Throws away an ingest and its bytes. @throws NOT_FOUND  no ingest with that ref */
  abort(ref: string, options?: AbortOptions): Promise<void>
}

/** What is known of the bytes when a writer is opened. */
export interface WriterInit {
  /** Names the ingest; one writer a ref at a time. Not empty. */
  readonly ref: string
  readonly expected?:
    | {
        readonly digest?: Digest | undefined
        /** Bytes. */
        readonly size?: number | undefined
        readonly mediaType?: string | undefined
      }
    | undefined
}

/** What must hold of the bytes, and what to remember of the blob. */
export interface CommitOptions extends AbortOptions {
  /** Bytes; absent: not checked. */
  readonly size?: number | undefined
  /** Absent: not checked. */
  readonly digest?: Digest | undefined
  readonly labels?: Labels | undefined
}

/**
 * Takes the bytes of one ingest.
 *
 * What is written is invisible to readers until `commit`, and gone from the list of ingests after it. Disposing without
 * commit keeps the bytes, and a writer opened later on the same ref goes on at its `offset`; `abort(ref)` throws them away.
 */
export interface Writer extends AsyncDisposable {
  /** Bytes already accepted; where a resumed write goes on. */
  readonly offset: number
  /** The digest of the bytes accepted so far. */
  readonly digest: Digest
  readonly status: Status
  /**
   * Appends a chunk; resolves when the store has taken it and the caller may reuse it.
   *
   * @throws RESOURCE_EXHAUSTED  the device is full; what was accepted before stays
   */
  write(chunk: Uint8Array, options?: AbortOptions): Promise<void>
  /**
   * Makes the bytes content: visible and durable when it resolves. Closes the writer, however it ends.
   *
   * @returns the digest, of `options.digest`'s algorithm where given, else of the opener's, else sha256
   * @throws FAILED_PRECONDITION  size or digest differ, or the writer is closed; the ingest keeps its bytes
   * @throws ALREADY_EXISTS  the blob is there already; the ingest is gone
   */
  commit(options?: CommitOptions): Promise<Digest>
  /** Drops what was written and stays open at offset 0. */
  reset(options?: AbortOptions): Promise<void>
}

/** Anywhere bytes can go. */
export interface Ingester {
  /**
   * Opens or resumes an ingest.
   *
   * @throws INVALID_ARGUMENT  an empty ref
   * @throws UNAVAILABLE  another writer holds the ref; the text says since when
   * @throws ALREADY_EXISTS  a blob with the expected digest is there
   */
  writer(init: WriterInit, options?: AbortOptions): Promise<Writer>
}

/** A content-addressed store: all of the above. */
export interface ContentStore extends Provider, Manager, Ingester, IngestManager {}
