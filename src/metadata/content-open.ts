import { ifFound } from '../content/if-found.ts'
import type { Info, Writer, WriterInit } from '../content/types.ts'
import { OrlopError } from '../errors.ts'
import type { AbortOptions } from '../options.ts'
import type { IngestRecord } from './codec.ts'
import type { KnownParts } from './content-parts.ts'
import {
  blobRecord,
  type ContentScope,
  forgetIngest,
  holdBlob,
  ingestRecord,
  isOffered,
  recordIngest,
} from './content-records.ts'
import { NamespacedWriter } from './content-writer.ts'

/**
 * Opens an ingest of a namespace. The record comes before the bytes: a collection keeps only what has one.
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
    const writer = await parts.gate.shared(
      async () => {
        const { record, isNew, there } = await openRecord(parts, scope, init, { signal })
        const { backendRef } = record
        try {
          const inner = record.shared ? undefined : await openBackend(parts, backendRef, init, { signal })
          return new NamespacedWriter({ parts, scope, init, lock, backendRef, inner, there })
        } catch (error) {
          if (isNew) await rollBack(parts, scope, ref, backendRef)
          throw error
        }
      },
      { signal },
    )
    lock.attach(writer)
    return writer
  } catch (error) {
    lock.release()
    throw error
  }
}

interface OpenedRecord {
  readonly record: IngestRecord
  readonly isNew: boolean
  /** The blob with the expected digest, when the store beneath has it. */
  readonly there: Info | undefined
}

async function openRecord(
  { backend, database, policy, now }: KnownParts,
  scope: ContentScope,
  { ref, expected: { digest, size } = {} }: WriterInit,
  options: AbortOptions,
): Promise<OpenedRecord> {
  const there = digest === undefined ? undefined : await ifFound(backend.info(digest, options))
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
  if (opened !== undefined) return { ...opened, there }
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
