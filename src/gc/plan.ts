import { ingestRecord } from '../metadata/content-records.ts'
import type { View } from '../metadata/kv.ts'
import { NamedBytes } from '../metadata/named-bytes.ts'
import { isDigest } from '../oci/digest.ts'
import type { Orphan } from './bytes.ts'
import { reasonsFor } from './reason.ts'
import { garbageOf, type Survey } from './survey.ts'

/** One thing that a collection removes: a record of a namespace, or a file that no record names. */
export interface Item {
  /** `content`, `ingest`, `image`, `lease`. */
  readonly kind: string
  /** Absent for bytes on disk without a record. */
  readonly namespace?: string | undefined
  /** Digest, ref, name or id; for an ingest on disk the ref that the store beneath knows. */
  readonly key: string
  /** Bytes of the blob or ingest. */
  readonly size?: number | undefined
  /** Bytes that come free by its removal: 0 when another namespace keeps the blob. Told of one record a blob only. */
  readonly frees: number
  /** Why nothing keeps it. */
  readonly reason: string
  readonly createdAt: Date
}

/** What a collection would remove now. */
export interface Plan {
  readonly items: readonly Item[]
  /** Bytes that would really come free on disk. */
  readonly bytes: number
}

/**
 * Makes a plan out of a survey of a view; nothing is changed.
 *
 * @param files  all that the store beneath has, listed before the view was opened: a blob that is committed in between
 *   then is not taken for an orphan
 */
export async function planOf(view: View, files: readonly Orphan[], found: Survey): Promise<Plan> {
  const garbage = garbageOf(found)
  const reasons = await reasonsFor(view, garbage, found)
  const kept = await keptBytes(view, found)
  const free = new Map<string, { readonly size: number; readonly createdAt: Date }>()
  for (const { kind, key, ...file } of files) {
    const isKept = kind === 'content' ? kept.hasBlob(key) : kept.hasIngest(key)
    if (!isKept) free.set(`${kind} ${key}`, file)
  }
  const items: Item[] = []
  const { nodes, records } = found
  for (const at of garbage) {
    const { kind, namespace, key } = nodes.node(at)
    const bytes = await bytesOf(view, kind, namespace, key)
    const frees = bytes === undefined ? undefined : free.get(bytes)?.size
    if (bytes !== undefined) free.delete(bytes)
    const size = records.sizeOf(at) ?? frees
    const [reason, createdAt] = [reasons.get(at) ?? '', records.createdAt(at)]
    items.push({ kind, namespace, key, size, frees: frees ?? 0, reason, createdAt })
  }
  for (const [bytes, { size, createdAt }] of free) {
    const at = bytes.indexOf(' ')
    const orphan = { kind: bytes.slice(0, at), key: bytes.slice(at + 1) }
    items.push({ ...orphan, size, frees: size, reason: 'orphan on disk', createdAt })
  }
  return { items, bytes: items.reduce((sum, { frees }) => sum + frees, 0) }
}

/** What the records that stay name. */
async function keptBytes(view: View, { marker, nodes, records }: Survey): Promise<NamedBytes> {
  const kept = new NamedBytes()
  for (const at of records.numbers()) {
    if (!marker.hasNumber(at)) continue
    const { kind, namespace, key } = nodes.node(at)
    if (kind === 'content' && isDigest(key)) kept.addBlob(key)
    const record = kind === 'ingest' ? await ingestRecord(view, namespace, key) : undefined
    if (record !== undefined) kept.addIngest(record)
  }
  return kept
}

/** What a record has in the store beneath, as `free` names it. */
async function bytesOf(
  view: View,
  kind: string,
  namespace: string,
  key: string,
): Promise<string | undefined> {
  if (kind === 'content') return `content ${key}`
  const record = kind === 'ingest' ? await ingestRecord(view, namespace, key) : undefined
  return record && `ingest ${record.backendRef}`
}
