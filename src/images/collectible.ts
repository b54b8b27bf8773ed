import { decode } from '../metadata/codec.ts'
import {
  type Collectible,
  contentNode,
  imageNode,
  type Node,
  type Removed,
  recordsOf,
  type Scanned,
} from '../metadata/collectible.ts'
import { backReferences, expiryOf, references } from '../metadata/gc-label-edges.ts'
import type { View } from '../metadata/kv.ts'
import { imageKey } from '../metadata/schema.ts'
import type { Transaction } from '../metadata/transaction.ts'
import type { AbortOptions } from '../options.ts'
import { readImageRecord } from './store.ts'
import type { ImageRecord } from './types.ts'

/**
 * Images: roots, until `containerd.io/gc.expire` is past. They keep their target and what their labels name. One that
 * has expired is removed unless something else keeps it, and the event is `/images/delete`.
 */
export const images: Collectible = {
  kind: 'image',

  async *all(view: View, at: Date, options?: AbortOptions): AsyncGenerator<Scanned, void, undefined> {
    for await (const { entry, parsed } of recordsOf(view, 'image', options)) {
      const { namespace, name } = parsed
      const { target, labels, createdAt } = recordOf(entry.key, entry.value, name)
      const expiry = expiryOf(labels)
      const expired = expiry !== undefined && at > expiry
      yield {
        node: imageNode(namespace, name),
        root: expired ? undefined : 'image',
        expiredAt: expired ? expiry : undefined,
        // Of no account while it is a root.
        parents: expired ? backReferences(namespace, labels) : [],
        references: [contentNode(namespace, target.digest), ...references(namespace, labels)],
        createdAt,
      }
    }
  },

  async references(view: View, { namespace, key: name, flat }: Node): Promise<readonly Node[]> {
    const key = keyOf(namespace, name)
    const value = key && (await view.get(key))
    if (key === undefined || value === undefined) return []
    const { target, labels } = recordOf(key, value, name)
    const content = contentNode(namespace, target.digest, flat)
    return flat ? [content] : [content, ...references(namespace, labels)]
  },

  async remove(tx: Transaction, { namespace, key: name }: Node): Promise<Removed> {
    const key = imageKey(namespace, name)
    if ((await tx.get(key)) === undefined) return { removed: false }
    tx.delete(key)
    return { removed: true, event: { namespace, topic: '/images/delete', event: { name } } }
  },
}

const recordOf = (key: string, value: unknown, name: string): ImageRecord =>
  decode(key, value, (json, what) => readImageRecord(name, json, what))

/** A label can name an image that no key can: half of a surrogate pair. */
const keyOf = (namespace: string, name: string): string | undefined =>
  name === '' || /\p{Surrogate}/u.test(name) ? undefined : imageKey(namespace, name)
