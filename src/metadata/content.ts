import { infoFields, statusFields } from '../content/fields.ts'
import { type FileProvider, type FileTaker, isFileProvider, isTaker } from '../content/fs-share.ts'
import { ifFound } from '../content/if-found.ts'
import { changeLabels } from '../content/labels.ts'
import { RefLocks } from '../content/ref-locks.ts'
import type {
  ContentStore,
  Info,
  LabelsChange,
  ReadOptions,
  Status,
  Target,
  Writer,
  WriterInit,
} from '../content/types.ts'
import { isNotFound, OrlopError } from '../errors.ts'
import { parseFilters } from '../filters/filter.ts'
import type { Digest } from '../oci/digest.ts'
import type { AbortOptions } from '../options.ts'
import { decode, encode, type IngestRecord, readBlobRecord, readIngestRecord } from './codec.ts'
import { openIngestWriter } from './content-open.ts'
import type { ContentParts, KnownParts } from './content-parts.ts'
import {
  blobRecord,
  type ContentScope,
  forgetBlob,
  forgetIngest,
  infoOf,
  ingestRecord,
  noBlob,
} from './content-records.ts'
import { Gate } from './gate.ts'
import { checkLabels, checkNamespace } from './labels.ts'
import { deleteLeaseResource } from './leases.ts'
import { listed } from './listed.ts'
import { contentKey, kindPrefix, parseKey } from './schema.ts'

/** What a `NamespacedContent` is made from. */
export interface NamespacedContentOptions extends ContentParts, ContentScope {}

/**
 * The content store as one namespace, and perhaps one lease, sees it.
 *
 * A blob is here when the namespace has its record; the bytes lie once in the store beneath, whoever has them. Deleting
 * removes the record; the bytes go with the collection that finds no record of them. What is written under a lease is
 * held by it; an ingest without lease is kept for a day after it was last opened.
 *
 * @see containerd core/metadata/content.go
 */
export class NamespacedContent implements ContentStore, FileProvider, FileTaker {
  readonly #parts: KnownParts
  readonly #scope: ContentScope

  /**
   * @throws FAILED_PRECONDITION  no namespace
   * @throws INVALID_ARGUMENT  a namespace that is no identifier
   */
  constructor({ namespace, lease, ...parts }: NamespacedContentOptions) {
    this.#scope = { namespace: checkNamespace(namespace), lease }
    this.#parts = {
      backend: parts.backend,
      database: parts.database,
      events: parts.events,
      policy: parts.policy ?? 'shared',
      gate: parts.gate ?? new Gate(),
      locks: parts.locks ?? new RefLocks(),
      now: parts.now ?? (() => new Date()),
    }
  }

  read(target: Target, options: ReadOptions = {}): AsyncIterable<Uint8Array> {
    return this.#read(target, this.#parts.backend.read(target, options), options)
  }

  async *#read(
    { digest }: Target,
    bytes: AsyncIterable<Uint8Array>,
    options: AbortOptions,
  ): AsyncGenerator<Uint8Array> {
    await this.info(digest, options)
    yield* bytes
  }

  async file(target: Target, options: AbortOptions = {}): Promise<string | undefined> {
    const { backend } = this.#parts
    if (!isFileProvider(backend)) return undefined
    return (await ifFound(this.info(target.digest, options))) && backend.file(target, options)
  }

  /** Where namespaces share; else each must bring the bytes itself. */
  async takeFile(file: string, target: Target, options: AbortOptions = {}): Promise<boolean> {
    const { backend, policy } = this.#parts
    return policy === 'shared' && isTaker(backend) && backend.takeFile(file, target, options)
  }

  async info(digest: Digest, { signal }: AbortOptions = {}): Promise<Info> {
    signal?.throwIfAborted()
    const { namespace } = this.#scope
    const record = await this.#parts.database.view(view => blobRecord(view, namespace, digest))
    if (record === undefined) throw noBlob(namespace, digest)
    return infoOf(digest, record)
  }

  async update(digest: Digest, change: LabelsChange, options: AbortOptions = {}): Promise<Info> {
    const { namespace } = this.#scope
    const now = this.#parts.now()
    return this.#parts.database.update(async tx => {
      const record = await blobRecord(tx, namespace, digest)
      if (record === undefined) throw noBlob(namespace, digest)
      const changed = { ...record, labels: changeLabels(record.labels, change), updatedAt: now }
      checkLabels(`content ${digest}`, changed.labels)
      tx.put(contentKey(namespace, digest), encode(changed))
      return infoOf(digest, changed)
    }, options)
  }

  list(filters?: readonly string[], options: AbortOptions = {}): AsyncIterable<Info> {
    return this.#list(parseFilters(filters), options)
  }

  #list(matches: ReturnType<typeof parseFilters>, options: AbortOptions): AsyncIterable<Info> {
    return listed(() =>
      this.#parts.database.view(async view => {
        const list: Info[] = []
        for await (const { key, value } of view.range(
          kindPrefix(this.#scope.namespace, 'content'),
          options,
        )) {
          const parsed = parseKey(key)
          if (parsed?.kind !== 'content') continue
          const info = infoOf(parsed.digest, decode(key, value, readBlobRecord))
          if (matches(infoFields(info))) list.push(info)
        }
        return list
      }),
    )
  }

  async delete(digest: Digest, options: AbortOptions = {}): Promise<void> {
    const { namespace, lease } = this.#scope
    await this.#parts.database.update(async tx => {
      if (!(await forgetBlob(tx, namespace, digest))) throw noBlob(namespace, digest)
      if (lease !== undefined) deleteLeaseResource(tx, namespace, lease, { type: 'content', id: digest })
    }, options)
    this.#parts.events?.publish({ namespace, topic: '/content/delete', event: { digest } })
  }

  async status(ref: string, options: AbortOptions = {}): Promise<Status> {
    options.signal?.throwIfAborted()
    if (ref === '') throw noIngest(this.#scope.namespace, ref)
    const holder = this.#parts.locks.holder(`${this.#scope.namespace}/${ref}`)
    if (holder?.pending) return holder.status
    const record = await this.#parts.database.view(view => ingestRecord(view, this.#scope.namespace, ref))
    const status = record === undefined ? undefined : await this.#statusOf(ref, record, options)
    if (status === undefined) throw noIngest(this.#scope.namespace, ref)
    return status
  }

  /** What the store beneath says, under the ref that the caller knows; it has nothing of bytes that are only shared. */
  async #statusOf(
    ref: string,
    { backendRef, expected }: IngestRecord,
    options: AbortOptions,
  ): Promise<Status | undefined> {
    const status = await ifFound(this.#parts.backend.status(backendRef, options))
    return status && { ...status, ref, ...(expected && { expected }) }
  }

  statuses(filters?: readonly string[], options: AbortOptions = {}): AsyncIterable<Status> {
    return this.#statuses(parseFilters(filters), options)
  }

  async *#statuses(matches: ReturnType<typeof parseFilters>, options: AbortOptions): AsyncGenerator<Status> {
    const { database, locks } = this.#parts
    const { namespace } = this.#scope
    // Before the records are read, so that one that gets its record meanwhile is in one of the two.
    const found = new Map<string, IngestRecord | undefined>()
    for (const [ref, { pending }] of locks.holders(`${namespace}/`)) {
      if (pending && matches(statusFields({ ref }))) found.set(ref, undefined)
    }
    await database.view(async view => {
      for await (const { key, value } of view.range(kindPrefix(namespace, 'ingest'), options)) {
        const parsed = parseKey(key)
        if (parsed?.kind !== 'ingest' || !matches(statusFields(parsed))) continue
        found.set(parsed.ref, decode(key, value, readIngestRecord))
      }
    })
    for (const [ref, record] of [...found].sort(([a], [b]) =>
      Buffer.compare(Buffer.from(a), Buffer.from(b)),
    )) {
      const status = await (record
        ? this.#statusOf(ref, record, options)
        : ifFound(this.status(ref, options)))
      if (status !== undefined) yield status
    }
  }

  async abort(ref: string, options: AbortOptions = {}): Promise<void> {
    const { namespace } = this.#scope
    if (ref === '') throw noIngest(namespace, ref)
    const holder = this.#parts.locks.holder(`${namespace}/${ref}`)
    if (holder?.pending) {
      options.signal?.throwIfAborted()
      holder.abandon()
      return
    }
    const record = await this.#parts.database.update(async tx => {
      const found = await forgetIngest(tx, this.#scope, ref)
      // Thrown in here: a lease that holds the ref for an ingest to come must go on holding it.
      if (found === undefined) throw noIngest(namespace, ref)
      return found
    }, options)
    this.#parts.locks.holder(`${namespace}/${ref}`)?.abandon()
    await this.#parts.backend.abort(record.backendRef).catch(error => {
      // Nothing beneath, or gone already.
      if (!isNotFound(error)) throw error
    })
  }

  async writer(init: WriterInit, options: AbortOptions = {}): Promise<Writer> {
    return openIngestWriter(this.#parts, this.#scope, init, options)
  }
}

const noIngest = (namespace: string, ref: string): OrlopError =>
  new OrlopError('NOT_FOUND', `ingest ${JSON.stringify(ref)}: there is none in namespace ${namespace}`)
