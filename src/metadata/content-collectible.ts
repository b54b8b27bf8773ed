import { isDigest } from '../oci/digest.ts'
import type { AbortOptions } from '../options.ts'
import { decode, readBlobRecord, readIngestRecord } from './codec.ts'
import {
  type Collectible,
  contentNode,
  ingestNode,
  type Node,
  type Removed,
  recordsOf,
  type Scanned,
} from './collectible.ts'
import { blobRecord, forgetBlob, ingestRecord } from './content-records.ts'
import { backReferences, references, rootLabel } from './gc-label-edges.ts'
import type { View } from './kv.ts'
import { ingestKey } from './schema.ts'
import type { Transaction } from './transaction.ts'

/**
 * Blobs, as namespaces see them: a root with a label `containerd.io/gc.root`, else kept by what refers to them; they keep
 * what their labels name. A blob that was committed without lease and without label can go at once.
 */
export const blobs: Collectible = {
  kind: 'content',

  async *all(view: View, _at: Date, options?: AbortOptions): AsyncGenerator<Scanned, void, undefined> {
    for await (const { entry, parsed } of recordsOf(view, 'content', options)) {
      const { namespace, digest } = parsed
      const { labels, size, createdAt } = decode(entry.key, entry.value, readBlobRecord)
      const root = rootLabel(labels)
      yield {
        node: contentNode(namespace, digest),
        root: root && `label ${root}`,
        parents: backReferences(namespace, labels),
        references: references(namespace, labels),
        size,
        createdAt,
      }
    }
  },

  async references(view: View, { namespace, key, flat }: Node): Promise<readonly Node[]> {
    if (flat || !isDigest(key)) return []
    const record = await blobRecord(view, namespace, key)
    return record === undefined ? [] : references(namespace, record.labels)
  },

  async remove(tx: Transaction, { namespace, key }: Node): Promise<Removed> {
    return { removed: isDigest(key) && (await forgetBlob(tx, namespace, key)) }
  },
}

/**
 * Ingests: roots until they expire, a day after they were last opened without lease; those opened under a lease have no
 * time of their own. They keep the blob whose bytes they share; one that merely expects a digest keeps nothing.
 */
export const ingests: Collectible = {
  kind: 'ingest',

  async *all(view: View, at: Date, options?: AbortOptions): AsyncGenerator<Scanned, void, undefined> {
    for await (const { entry, parsed } of recordsOf(view, 'ingest', options)) {
      const { expiresAt, startedAt } = decode(entry.key, entry.value, readIngestRecord)
      const expired = expiresAt !== undefined && at > expiresAt
      yield {
        node: ingestNode(parsed.namespace, parsed.ref),
        root: expired ? undefined : expiresAt && `ingest until ${expiresAt.toISOString()}`,
        expiredAt: expired ? expiresAt : undefined,
        parents: [],
        createdAt: startedAt,
      }
    }
  },

  async references(view: View, { namespace, key }: Node): Promise<readonly Node[]> {
    const record = await ingestRecord(view, namespace, key)
    return record?.shared && record.expected ? [contentNode(namespace, record.expected)] : []
  },

  async remove(tx: Transaction, { namespace, key }: Node): Promise<Removed> {
    return removeKey(tx, ingestKey(namespace, key))
  },
}

async function removeKey(tx: Transaction, key: string): Promise<Removed> {
  if ((await tx.get(key)) === undefined) return { removed: false }
  tx.delete(key)
  return { removed: true }
}
