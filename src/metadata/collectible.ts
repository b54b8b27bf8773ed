import type { Digest } from '../oci/digest.ts'
import type { AbortOptions } from '../options.ts'
import type { Envelope } from './exchange.ts'
import type { Entry, View } from './kv.ts'
import {
  allRecordsPrefix,
  type Kind,
  kindPrefix,
  namespaceOfKey,
  type ParsedKey,
  parseKey,
  recordsPrefix,
} from './schema.ts'
import type { Transaction } from './transaction.ts'

/** A record as the collector sees it: a point in a graph. It need not exist; edges to what is absent lead nowhere. */
export interface Node {
  /** `content`, `ingest`, `image`, `lease`, or a kind of a collectible of yours. */
  readonly kind: string
  readonly namespace: string
  /** Digest, ref, name or id. */
  readonly key: string
  /** True: kept, but what it refers to is not kept by that. Reached both ways, a node counts as reached in full. */
  readonly flat?: boolean
}

/** Tells nodes apart, flat ones from others too. Neither kind nor namespace has a `/` in it. */
export const nodeId = ({ kind, namespace, key, flat }: Node): string =>
  `${flat ? '!' : ''}${kind}/${namespace}/${key}`

/** What a record says of itself to the collector. */
export interface Scanned {
  readonly node: Node
  /** Why it is a root: `image`, `lease until …`; absent: it is none. */
  readonly root?: string | undefined
  /** When it expired, for what was a root until then. */
  readonly expiredAt?: Date | undefined
  /** Nodes that keep it, by its own word: its back references. */
  readonly parents: readonly Node[]
  /** What `references` would give for it, where that is known without another look; else it is asked. */
  readonly references?: readonly Node[] | undefined
  /** Bytes of a blob. */
  readonly size?: number | undefined
  readonly createdAt: Date
}

/** What came of a removal. */
export interface Removed {
  /** False: it was gone already. */
  readonly removed: boolean
  /** True: it is large, and a part of it is left for the next batch. */
  readonly more?: boolean
  /** Published once the removal is durable. */
  readonly event?: Omit<Envelope, 'timestamp'>
}

/**
 * One kind of records that can be collected: says what there is, what is a root and what refers to what.
 *
 * The collector knows no kinds; it is given a list of these. What it asks for is read from the view it gives, so that one
 * run sees one moment.
 */
export interface Collectible {
  readonly kind: string
  /**
   * Every record of this kind, of all namespaces.
   *
   * @param at  the time that counts for expiry: one for the whole run, so that the clock cannot make roots in between
   * @throws DATA_LOSS  a record that cannot be read: it may be what keeps others, so nothing can be collected
   */
  all(view: View, at: Date, options?: AbortOptions): AsyncIterable<Scanned>
  /** What a node keeps; `[]` for one that does not exist. Back references are not among it, they are in `all`. */
  references(view: View, node: Node): Promise<readonly Node[]>
  /** Removes a record within a transaction. */
  remove(tx: Transaction, node: Node): Promise<Removed>
}

/** A blob of a namespace, as a node. */
export const contentNode = (namespace: string, digest: Digest, flat = false): Node => ({
  kind: 'content',
  namespace,
  key: digest,
  ...(flat && { flat }),
})

/** An image, as a node. */
export const imageNode = (namespace: string, name: string, flat = false): Node => ({
  kind: 'image',
  namespace,
  key: name,
  ...(flat && { flat }),
})

/** An ingest, as a node. */
export const ingestNode = (namespace: string, ref: string): Node => ({ kind: 'ingest', namespace, key: ref })

/** A lease, as a node. */
export const leaseNode = (namespace: string, id: string): Node => ({ kind: 'lease', namespace, key: id })

/** The node that may be reachable because this key was put: the record's own, or what a lease was made to hold. */
export function nodeOfKey(key: string): Node | undefined {
  const parsed = parseKey(key)
  switch (parsed?.kind) {
    case 'content':
      return contentNode(parsed.namespace, parsed.digest)
    case 'ingest':
      return ingestNode(parsed.namespace, parsed.ref)
    case 'image':
      return imageNode(parsed.namespace, parsed.name)
    case 'lease':
      return leaseNode(parsed.namespace, parsed.id)
    case 'lease-resource':
      return resourceNode(parsed.namespace, parsed.resource)
    default:
      return undefined
  }
}

/** What a lease holds, as a node; `undefined` for what is not kept here, as snapshots. */
export function resourceNode(
  namespace: string,
  { type, id }: { readonly type: string; readonly id: string },
  flat = false,
): Node | undefined {
  if (type === 'content') return { kind: 'content', namespace, key: id, ...(flat && { flat }) }
  if (type === 'images') return imageNode(namespace, id, flat)
  return type === 'ingests' ? ingestNode(namespace, id) : undefined
}

/** A record with what its key says. */
export interface KeyedRecord<K extends Kind> {
  readonly entry: Entry
  readonly parsed: Extract<ParsedKey, { readonly kind: K }>
}

/**
 * Every record of one kind, of all namespaces that have records: also of one that is not listed, for a blob must not be
 * lost because its namespace was.
 */
export async function* recordsOf<K extends Kind>(
  view: View,
  kind: K,
  // Not passed on as they are: a caller's `limit` would be taken for one of the range.
  { signal }: AbortOptions = {},
): AsyncGenerator<KeyedRecord<K>, void, undefined> {
  for await (const namespace of namespacesWithRecords(view, { signal })) {
    for await (const entry of view.range(kindPrefix(namespace, kind), { signal })) {
      const parsed = parseKey(entry.key)
      if (isOfKind(parsed, kind)) yield { entry, parsed }
    }
  }
}

const isOfKind = <K extends Kind>(
  parsed: ParsedKey | undefined,
  kind: K,
): parsed is Extract<ParsedKey, { readonly kind: K }> => parsed?.kind === kind

/** Jumps from one namespace to the next: one entry is read of each. */
async function* namespacesWithRecords(view: View, { signal }: AbortOptions): AsyncGenerator<string> {
  let after: string | undefined = allRecordsPrefix
  while (after !== undefined) {
    let next: string | undefined
    for await (const { key } of view.range(allRecordsPrefix, { after, limit: 1, signal })) {
      const namespace = namespaceOfKey(key)
      // Above all keys of the namespace, for those are printable ASCII.
      next = `${namespace === undefined ? key : recordsPrefix(namespace)}\x7f`
      if (namespace !== undefined) yield namespace
    }
    after = next
  }
}
