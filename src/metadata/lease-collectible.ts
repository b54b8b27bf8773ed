import { labelKeys } from '../oci/annotations.ts'
import type { AbortOptions } from '../options.ts'
import { decode, type LeaseRecord, readLeaseRecord } from './codec.ts'
import {
  type Collectible,
  leaseNode,
  type Node,
  type Removed,
  recordsOf,
  resourceNode,
  type Scanned,
} from './collectible.ts'
import { expiryOf } from './gc-label-edges.ts'
import type { View } from './kv.ts'
import { leaseKey, leaseResourcesPrefix, parseKey } from './schema.ts'
import type { Transaction } from './transaction.ts'

/** Resources of a lease that are forgotten in one batch. */
const removalLimit = 1000

/**
 * Leases: roots until they expire. They keep what they hold; with a label `containerd.io/gc.flat` they keep only that:
 * blobs without what those refer to, and images with their target alone. An expired lease is removed.
 */
export const leases: Collectible = {
  kind: 'lease',

  async *all(view: View, at: Date, options?: AbortOptions): AsyncGenerator<Scanned, void, undefined> {
    for await (const { entry, parsed } of recordsOf(view, 'lease', options)) {
      const { labels, createdAt } = decode(entry.key, entry.value, readLeaseRecord)
      const expiry = expiryOf(labels)
      const expired = expiry !== undefined && at > expiry
      const until = expiry === undefined ? '' : ` until ${expiry.toISOString()}`
      yield {
        node: leaseNode(parsed.namespace, parsed.id),
        root: expired ? undefined : `lease${until}`,
        expiredAt: expired ? expiry : undefined,
        parents: [],
        createdAt,
      }
    }
  },

  async references(view: View, { namespace, key }: Node): Promise<readonly Node[]> {
    const record = await leaseRecord(view, namespace, key)
    if (record === undefined) return []
    const flat = Object.hasOwn(record.labels, labelKeys.gcFlat)
    const held: Node[] = []
    for await (const { key: resourceKey } of view.range(leaseResourcesPrefix(namespace, key))) {
      const parsed = parseKey(resourceKey)
      const node = parsed?.kind === 'lease-resource' && resourceNode(namespace, parsed.resource, flat)
      if (node) held.push(node)
    }
    return held
  },

  async remove(tx: Transaction, { namespace, key }: Node): Promise<Removed> {
    const record = leaseKey(namespace, key)
    if ((await tx.get(record)) === undefined) return { removed: false }
    let count = 0
    for await (const held of tx.range(leaseResourcesPrefix(namespace, key), { limit: removalLimit })) {
      tx.delete(held.key)
      count++
    }
    if (count === removalLimit) return { removed: false, more: true }
    tx.delete(record)
    return { removed: true }
  },
}

async function leaseRecord(view: View, namespace: string, id: string): Promise<LeaseRecord | undefined> {
  const key = leaseKey(namespace, id)
  const value = await view.get(key)
  return value === undefined ? undefined : decode(key, value, readLeaseRecord)
}
