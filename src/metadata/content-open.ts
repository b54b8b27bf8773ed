import { isBytesTaker, smallSize } from '../content/bytes-taker.ts'
import { ifFound } from '../content/if-found.ts'
import type { Status, Writer, WriterInit } from '../content/types.ts'
import { OrlopError } from '../errors.ts'
import { algorithmOf } from '../oci/digest.ts'
import type { AbortOptions } from '../options.ts'
import type { IngestRecord } from './codec.ts'
import type { KnownParts } from './content-parts.ts'
import {
  blobRecord,
  type ContentScope,
  checkLease,
  forgetIngest,
  hasLease,
  holdBlob,
  ingestRecord,
  isOffered,
  recordIngest,
} from './content-records.ts'
import { NamespacedWriter, type NamespacedWriterInit } from './content-writer.ts'
import { HeldWriter } from './held-writer.ts'

/**
 * Opens an ingest of a namespace. Its record comes before its bytes are on the disk: a collection keeps only what has one.
 *
 * @throws INVALID_ARGUMENT  an empty ref
 * @throws UNAVAILABLE  the ref is held
 * @throws ALREADY_EXISTS  the namespace has the expected blob; the lease holds it now
 * @throws NOT_FOUND  no such lease
 */
export async function openIngestWriter(
  parts: KnownParts,
  scope: ContentScope,
  init: WriterInit,
  { signal }: AbortOptions,
): Promise<Writer> {
  const { ref } = init
  signal?.throwIfAborted()
  if (ref === '') throw new OrlopError('INVALID_ARGUMENT', 'writer: the ref is empty')
  const lock = parts.locks.acquire(`${scope.namespace}/${ref}`, ref)
  try {
    const open = async (): Promise<NamespacedWriter> => {
      const digest = init.expected?.digest
      const there = digest === undefined ? undefined : await ifFound(parts.backend.info(digest, { signal }))
      const opening = { parts, scope, init, lock, there }
      return (await openHeld(opening)) ?? (await openStored(opening, { signal }))
    }
    const writer = await parts.gate.shared(open, { signal })
    lock.attach(writer)
    return writer
  } catch (error) {
    lock.release()
    throw error
  }
}

/** What a writer is opened with. */
type Opening = Pick<NamespacedWriterInit, 'parts' | 'scope' | 'init' | 'lock' | 'there'>

/** A writer with an ingest on the disk, or on bytes that are here and shared. */
async function openStored(opening: Opening, options: AbortOptions): Promise<NamespacedWriter> {
  const { parts, scope, init } = opening
  const { record, isNew } = await openRecord(opening, options)
  const { backendRef } = record
  try {
    const inner = record.shared ? undefined : await openBackend(parts, backendRef, init, options)
    return new NamespacedWriter({ ...opening, backendRef, inner })
  } catch (error) {
    if (isNew) await rollBack(parts, scope, init.ref, backendRef)
    throw error
  }
}

/**
 * A writer that holds a small blob in memory, where nothing of it is here yet; `undefined` where it cannot be.
 *
 * Nothing is recorded: there is nothing on the disk that a collection could take, and the commit asks for the lease again.
 */
async function openHeld({ parts, scope, init, lock, there }: Opening): Promise<NamespacedWriter | undefined> {
  const { backend, database, gate, now } = parts
  const { ref, expected: { digest, size: total } = {} } = init
  if (there !== undefined || total === undefined || total > smallSize || !isBytesTaker(backend))
    return undefined
  const known = await database.view(async view => {
    await checkLease(view, scope)
    return ingestRecord(view, scope.namespace, ref)
  })
  if (known !== undefined) return undefined
  let backendRef = ref
  const keep = async (bytes: Uint8Array, status: Status): Promise<void> => {
    const { startedAt } = status
    const { record, isNew } = await database.update(async tx => {
      // One whose lease is gone keeps its bytes all the same, for a day.
      const holder = (await hasLease(tx, scope)) ? scope : { namespace: scope.namespace }
      return recordIngest(tx, holder, { ref, expected: digest, total, shared: false, now: startedAt })
    })
    backendRef = record.backendRef
    try {
      await backend.takeIngest(bytes, { ...status, ref: backendRef })
    } catch (error) {
      if (isNew) await rollBack(parts, scope, ref, backendRef)
      throw error
    }
  }
  const forget = async (): Promise<void> => {
    await rollBack(parts, scope, ref, backendRef)
    await backend.abort(backendRef)
  }
  const held = new HeldWriter({
    ref,
    algorithm: digest === undefined ? 'sha256' : algorithmOf(digest),
    total,
    now,
    take: (bytes, actual, options) => backend.takeBytes(bytes, actual, options),
    keep: (bytes, status) => gate.shared(() => keep(bytes, status)),
    // Within the gate to the end: what a collection takes before the writer is open would be missing in it.
    store: (bytes, status, options) =>
      gate.shared(async () => {
        await keep(bytes, status)
        try {
          return await openBackend(parts, backendRef, init, options)
        } catch (error) {
          await forget().catch(() => undefined)
          throw error
        }
      }, options),
    forget,
  })
  return new NamespacedWriter({
    parts,
    scope,
    init,
    lock,
    // It has one when it becomes an ingest.
    get backendRef() {
      return backendRef
    },
    inner: held,
    there: undefined,
  })
}

interface OpenedRecord {
  readonly record: IngestRecord
  readonly isNew: boolean
}

async function openRecord(
  { parts: { database, policy, now }, scope, init, there }: Opening,
  options: AbortOptions,
): Promise<OpenedRecord> {
  const { ref, expected: { digest, size } = {} } = init
  const at = now()
  const opened = await database.update(async tx => {
    const known = digest === undefined ? undefined : await blobRecord(tx, scope.namespace, digest)
    if (digest !== undefined && known !== undefined && known.size === there?.size) {
      await holdBlob(tx, scope, digest)
      return undefined
    }
    // A record whose file is gone or cut short is no reason not to take the bytes again; they repair it.
    const fits = known === undefined && there !== undefined && (size === undefined || size === there.size)
    const shared = fits && (policy === 'shared' || (await isOffered(tx, there.digest)))
    return recordIngest(tx, scope, { ref, expected: digest, total: size, shared, now: at })
  }, options)
  if (opened !== undefined) return opened
  throw new OrlopError('ALREADY_EXISTS', `content ${digest}: namespace ${scope.namespace} has it already`)
}

/** Without the digest: that the bytes are there must not tell a namespace that may not know of it. */
const openBackend = (
  { backend }: KnownParts,
  ref: string,
  { expected: { size } = {} }: WriterInit,
  options: AbortOptions,
): Promise<Writer> => backend.writer({ ref, expected: { size } }, options)

/** Takes back the record of an ingest that could not be opened. */
async function rollBack(
  { database }: KnownParts,
  scope: ContentScope,
  ref: string,
  backendRef: string,
): Promise<void> {
  await database.update(async tx => {
    const record = await ingestRecord(tx, scope.namespace, ref)
    if (record?.backendRef === backendRef) await forgetIngest(tx, scope, ref)
  })
}
