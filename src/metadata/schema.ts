import { OrlopError } from '../errors.ts'
import { type Digest, isDigest } from '../oci/digest.ts'
import type { Transaction } from './transaction.ts'

/**
 * Kinds of records in a namespace, as the keys spell them: `v1/<namespace>/<kind>/<name>`.
 *
 * Every key of the database is made and read in this file; docs/schema.md draws them all.
 */
export type Kind = 'content' | 'ingest' | 'image' | 'lease' | 'diff-id'

/** What a lease holds: a type as containerd spells it (`content`, `ingests`, `images`, `snapshots/<name>`) and an id. */
export interface LeaseResource {
  readonly type: string
  readonly id: string
}

/** The key of the record that says which schema the database has; see migrations.ts. */
export const versionKey = 'version'

/** Lists the namespaces without reading their records. */
export const namespacesPrefix = 'namespaces/'

/** A namespace: its labels. Whoever writes the first record of a namespace writes this too, by `touchNamespace`. */
export const namespaceKey = (namespace: string): string => `${namespacesPrefix}${name(namespace)}`

/** All records of all namespaces. */
export const allRecordsPrefix = 'v1/'

/** All records of a namespace; its own (`namespaceKey`) is elsewhere. */
export const recordsPrefix = (namespace: string): string => `${allRecordsPrefix}${part(namespace)}/`

/** The namespace whose record a key is; `undefined` for keys outside namespaces. */
export function namespaceOfKey(key: string): string | undefined {
  const [, encoded] = /^v1\/([^/]+)\//.exec(key) ?? []
  return encoded === undefined ? undefined : plain(encoded)
}

/** All records of one kind in a namespace, in byte order of their names. */
export const kindPrefix = (namespace: string, kind: Kind): string => `${recordsPrefix(namespace)}${kind}/`

/** A blob that the namespace may see. */
export const contentKey = (namespace: string, digest: Digest): string =>
  `${kindPrefix(namespace, 'content')}${digest}`

/** The blobs that are known to be one layer without their compression. */
export const diffIdPrefix = (namespace: string, diffId: Digest): string =>
  `${kindPrefix(namespace, 'diff-id')}${diffId}/`

/** A blob that is known to be a layer without its compression. */
export const diffIdKey = (namespace: string, diffId: Digest, blob: Digest): string =>
  diffIdPrefix(namespace, diffId) + blob

/** An ingest, by the ref that the client knows. */
export const ingestKey = (namespace: string, ref: string): string =>
  kindPrefix(namespace, 'ingest') + name(ref)

/** An image, by name. */
export const imageKey = (namespace: string, image: string): string =>
  kindPrefix(namespace, 'image') + name(image)

/** A lease; what it holds is under `leaseResourceKey`. */
export const leaseKey = (namespace: string, id: string): string => kindPrefix(namespace, 'lease') + name(id)

/** All that a lease holds: in order of type, then of id. */
export const leaseResourcesPrefix = (namespace: string, lease: string): string =>
  `${recordsPrefix(namespace)}lease-resource/${part(lease)}/`

/** One thing that a lease holds: one record each, so that holding one more never rewrites the others. */
export const leaseResourceKey = (namespace: string, lease: string, { type, id }: LeaseResource): string =>
  `${leaseResourcesPrefix(namespace, lease)}${part(type)}/${name(id)}`

/** The last number that was given out in a namespace. */
export const sequenceKey = (namespace: string): string => `${recordsPrefix(namespace)}sequence`

/** What a key says. */
export type ParsedKey =
  | { readonly kind: 'version' }
  | { readonly kind: 'namespace' | 'sequence'; readonly namespace: string }
  | { readonly kind: 'content'; readonly namespace: string; readonly digest: Digest }
  | {
      readonly kind: 'diff-id'
      readonly namespace: string
      readonly diffId: Digest
      readonly blob: Digest
    }
  | { readonly kind: 'ingest'; readonly namespace: string; readonly ref: string }
  | { readonly kind: 'image'; readonly namespace: string; readonly name: string }
  | { readonly kind: 'lease'; readonly namespace: string; readonly id: string }
  | {
      readonly kind: 'lease-resource'
      readonly namespace: string
      readonly lease: string
      readonly resource: LeaseResource
    }

/** What a key says, or `undefined` for one that nothing here writes. */
export function parseKey(key: string): ParsedKey | undefined {
  if (key === versionKey) return { kind: 'version' }
  if (key.startsWith(namespacesPrefix)) return { kind: 'namespace', namespace: plain(key.slice(11)) }
  const found = /^v1\/([^/]+)\/([a-z-]+)(?:\/(.+))?$/.exec(key)
  if (found === null) return undefined
  const [, encoded = '', kind = '', rest = ''] = found
  const namespace = plain(encoded)
  if (kind === 'sequence' && rest === '') return { kind, namespace }
  return rest === '' ? undefined : parseRecord(namespace, kind, rest)
}

const parseRecord = (namespace: string, kind: string, rest: string): ParsedKey | undefined => {
  if (kind === 'content') return isDigest(rest) ? { kind, namespace, digest: rest } : undefined
  if (kind === 'diff-id') {
    const [diffId = '', blob = ''] = rest.split('/', 2)
    return isDigest(diffId) && isDigest(blob) ? { kind, namespace, diffId, blob } : undefined
  }
  if (kind === 'ingest') return { kind, namespace, ref: plain(rest) }
  if (kind === 'image') return { kind, namespace, name: plain(rest) }
  if (kind === 'lease') return { kind, namespace, id: plain(rest) }
  const [, lease = '', type = '', id = ''] = /^([^/]+)\/([^/]+)\/(.+)$/.exec(rest) ?? []
  if (kind !== 'lease-resource' || id === '') return undefined
  return { kind, namespace, lease: plain(lease), resource: { type: plain(type), id: plain(id) } }
}

/**
 * Makes sure that the namespace is listed; every transaction that writes a record of a namespace calls it.
 *
 * Namespaces exist from their first record on, as in containerd. One lookup, and a write only the first time.
 */
export async function touchNamespace(tx: Transaction, namespace: string): Promise<void> {
  const key = namespaceKey(namespace)
  if ((await tx.get(key)) === undefined) tx.put(key, { labels: {} })
}

/** The next number of a namespace, from 1; never given out twice. */
export async function nextSequence(tx: Transaction, namespace: string): Promise<number> {
  const key = sequenceKey(namespace)
  const last = (await tx.get(key)) ?? 0
  if (typeof last !== 'number' || !Number.isSafeInteger(last) || last < 0) {
    throw new OrlopError('DATA_LOSS', `metadata: the record ${key} cannot be read: not a number`)
  }
  tx.put(key, last + 1)
  return last + 1
}

/**
 * Text as the last component of a key: printable ASCII, and in the byte order of the text's UTF-8.
 *
 * Bytes up to `!` become `!` and two hex digits, bytes from `~` on become `~` and two hex digits; what lies between them
 * stays as it is. Both marks thus sort where the bytes sorted that they stand for, so a list of keys is sorted by name.
 */
function name(text: string): string {
  if (text === '') throw new OrlopError('INVALID_ARGUMENT', 'metadata: a name must not be empty')
  if (/\p{Surrogate}/u.test(text)) {
    throw new OrlopError(
      'INVALID_ARGUMENT',
      `metadata: the name ${JSON.stringify(text)} is not Unicode: half of a pair`,
    )
  }
  if (/^["-}]*$/.test(text)) return text
  return Array.from(Buffer.from(text), escaped).join('')
}

const escaped = (byte: number): string => {
  if (byte > 0x21 && byte < 0x7e) return String.fromCharCode(byte)
  return (byte <= 0x21 ? '!' : '~') + byte.toString(16).toUpperCase().padStart(2, '0')
}

/** Text as a component with others after it: as `name`, and without `/`. Their order is not the text's. */
const part = (text: string): string => name(text).replaceAll('/', '!2F')

const plain = (encoded: string): string => {
  if (!/[!~]/.test(encoded)) return encoded
  const bytes = encoded.match(/[!~][0-9A-F]{2}|[^!~]/g) ?? []
  return Buffer.from(
    bytes.map(byte => (byte.length === 3 ? Number.parseInt(byte.slice(1), 16) : byte.charCodeAt(0))),
  ).toString()
}
