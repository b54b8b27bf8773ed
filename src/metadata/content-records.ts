import type { Info, Labels, Target } from '../content/types.ts'
import { OrlopError } from '../errors.ts'
import { labelKeys } from '../oci/annotations.ts'
import { type Digest, isDigest } from '../oci/digest.ts'
import {
  type BlobRecord,
  decode,
  encode,
  type IngestRecord,
  readBlobRecord,
  readIngestRecord,
  readNamespaceRecord,
} from './codec.ts'
import type { View } from './kv.ts'
import { addLeaseResource, deleteLeaseResource } from './leases.ts'
import {
  contentKey,
  diffIdKey,
  ingestKey,
  leaseKey,
  namespacesPrefix,
  nextSequence,
  parseKey,
  touchNamespace,
} from './schema.ts'
import type { Transaction } from './transaction.ts'

/** Whose records: a namespace, and the lease that what is made in it belongs to. */
export interface ContentScope {
  readonly namespace: string
  readonly lease?: string | undefined
}

/** How long an ingest without lease is kept, in milliseconds. */
const ingestLife = 24 * 60 * 60 * 1000

/** The record of a blob, or `undefined` when the namespace has none. */
export async function blobRecord(
  view: View,
  namespace: string,
  digest: Digest,
): Promise<BlobRecord | undefined> {
  const key = contentKey(namespace, digest)
  const value = await view.get(key)
  return value === undefined ? undefined : decode(key, value, readBlobRecord)
}

/** The record of an ingest, or `undefined` when the namespace has none. */
export async function ingestRecord(
  view: View,
  namespace: string,
  ref: string,
): Promise<IngestRecord | undefined> {
  const key = ingestKey(namespace, ref)
  const value = await view.get(key)
  return value === undefined ? undefined : decode(key, value, readIngestRecord)
}

/** Forgets a blob, and what it is without compression. @returns false when the namespace has none */
export async function forgetBlob(tx: Transaction, namespace: string, digest: Digest): Promise<boolean> {
  const record = await blobRecord(tx, namespace, digest)
  if (record === undefined) return false
  tx.delete(contentKey(namespace, digest))
  for (const diffId of new Set([digest, record.labels[labelKeys.uncompressed] ?? digest])) {
    const key = isDigest(diffId) ? diffIdKey(namespace, diffId, digest) : undefined
    if (key !== undefined && (await tx.get(key)) !== undefined) tx.delete(key)
  }
  return true
}

/** A record as callers know it. */
export const infoOf = (digest: Digest, record: BlobRecord): Info => Object.freeze({ digest, ...record })

/** The error of a blob that a namespace has not. */
export const noBlob = (namespace: string, digest: Digest): OrlopError =>
  new OrlopError('NOT_FOUND', `content ${digest}: there is none in namespace ${namespace}`)

/** True when a namespace that is labelled as shareable has the blob. */
export async function isOffered(view: View, digest: Digest): Promise<boolean> {
  for await (const { key, value } of view.range(namespacesPrefix)) {
    const parsed = parseKey(key)
    if (parsed?.kind !== 'namespace') continue
    const { labels } = decode(key, value, readNamespaceRecord)
    if (labels[labelKeys.namespaceShareable] !== 'true') continue
    if ((await view.get(contentKey(parsed.namespace, digest))) !== undefined) return true
  }
  return false
}

/** What an ingest is opened with. */
export interface OpenedIngest {
  readonly ref: string
  readonly expected?: Digest | undefined
  readonly total?: number | undefined
  readonly shared: boolean
  readonly now: Date
}

/**
 * Records an ingest, new or known, and has the lease hold it; without lease it is kept for a day from now.
 *
 * @returns the record, and whether there was none before
 * @throws NOT_FOUND  no such lease
 */
export async function recordIngest(
  tx: Transaction,
  { namespace, lease }: ContentScope,
  { ref, expected, total, shared, now }: OpenedIngest,
): Promise<{ readonly record: IngestRecord; readonly isNew: boolean }> {
  const before = await ingestRecord(tx, namespace, ref)
  await touchNamespace(tx, namespace)
  if (lease !== undefined) await addLeaseResource(tx, namespace, lease, { type: 'ingests', id: ref })
  const expiresAt = lease === undefined ? new Date(now.getTime() + ingestLife) : before?.expiresAt
  const record: IngestRecord = {
    backendRef: before?.backendRef ?? `${namespace}/${await nextSequence(tx, namespace)}/${ref}`,
    startedAt: before?.startedAt ?? now,
    ...(expiresAt && { expiresAt }),
    ...(expected && { expected }),
    ...(total !== undefined && { total }),
    ...(shared && { shared }),
  }
  tx.put(ingestKey(namespace, ref), encode(record))
  return { record, isNew: before === undefined }
}

/** Forgets an ingest; gives its record. The current lease lets go of it, other leases' words are dangling and harmless. */
export async function forgetIngest(
  tx: Transaction,
  { namespace, lease }: ContentScope,
  ref: string,
): Promise<IngestRecord | undefined> {
  const record = await ingestRecord(tx, namespace, ref)
  // One that was only held in memory; a change would be written for nothing.
  if (record === undefined) return undefined
  tx.delete(ingestKey(namespace, ref))
  if (lease !== undefined) deleteLeaseResource(tx, namespace, lease, { type: 'ingests', id: ref })
  return record
}

/** What becomes of an ingest. */
export interface NewBlob extends Pick<Target, 'digest' | 'size'> {
  readonly ref: string
  readonly labels: Labels
  readonly now: Date
}

/**
 * Turns an ingest into a blob of the namespace, held by the lease.
 *
 * @returns false when the namespace had the blob: it stays as it was, and the ingest is gone all the same
 */
export async function recordBlob(
  tx: Transaction,
  scope: ContentScope,
  { ref, digest, size, labels, now }: NewBlob,
): Promise<boolean> {
  const { namespace } = scope
  await forgetIngest(tx, scope, ref)
  await holdBlob(tx, scope, digest)
  if ((await blobRecord(tx, namespace, digest)) !== undefined) return false
  await touchNamespace(tx, namespace)
  tx.put(contentKey(namespace, digest), encode({ size, labels, createdAt: now, updatedAt: now }))
  return true
}

/** Has the lease, if there is one, hold a blob. @throws NOT_FOUND  no such lease */
export async function holdBlob(
  tx: Transaction,
  { namespace, lease }: ContentScope,
  digest: Digest,
): Promise<void> {
  if (lease !== undefined) await addLeaseResource(tx, namespace, lease, { type: 'content', id: digest })
}

/** False when the scope's lease is gone. */
export const hasLease = async (view: View, { namespace, lease }: ContentScope): Promise<boolean> =>
  lease === undefined || (await view.get(leaseKey(namespace, lease))) !== undefined

/** Refuses a lease that is gone. @throws NOT_FOUND  it is */
export async function checkLease(view: View, scope: ContentScope): Promise<void> {
  if (await hasLease(view, scope)) return
  throw new OrlopError('NOT_FOUND', `lease ${JSON.stringify(scope.lease)} does not exist`)
}
