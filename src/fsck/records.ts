import { OrlopError } from '../errors.ts'
import { readImageRecord } from '../images/store.ts'
import type { ImageRecord } from '../images/types.ts'
import {
  type BlobRecord,
  decode,
  type IngestRecord,
  type LeaseRecord,
  readBlobRecord,
  readDiffIdRecord,
  readIngestRecord,
  readLeaseRecord,
  readNamespaceRecord,
} from '../metadata/codec.ts'
import { fromJson } from '../metadata/json-value.ts'
import type { View } from '../metadata/kv.ts'
import { type LeaseResource, type ParsedKey, parseKey } from '../metadata/schema.ts'
import type { Digest } from '../oci/digest.ts'
import { asSize, asString } from '../oci/json.ts'
import type { AbortOptions } from '../options.ts'

/** A blob as one namespace knows it. */
export interface BlobEntry {
  readonly namespace: string
  readonly record: BlobRecord
}

/** An ingest with its place. */
export interface IngestEntry {
  readonly namespace: string
  readonly ref: string
  readonly record: IngestRecord
}

/** A record that cannot be decoded, as the database has it. */
export interface UnreadableRecord {
  readonly key: string
  readonly raw: string
  readonly why: string
  readonly namespace?: string
}

/** Every record of a moment, decoded. */
export class Records {
  /** Those that are listed. */
  readonly namespaces = new Set<string>()
  /** Those that have records of any kind. */
  readonly used = new Set<string>()
  readonly blobs = new Map<Digest, BlobEntry[]>()
  readonly ingests: IngestEntry[] = []
  readonly images: Array<{ readonly namespace: string; readonly image: ImageRecord }> = []
  /** By namespace and id. */
  readonly leases = new Map<string, LeaseRecord>()
  readonly resources: Array<Extract<ParsedKey, { kind: 'lease-resource' }>> = []
  readonly unreadable: UnreadableRecord[] = []
  count = 0
  readonly #known = new Set<string>()

  /** True when the namespace has the record of a blob. */
  hasBlob(namespace: string, digest: string): boolean {
    return this.#known.has(nameIn(namespace, `content ${digest}`))
  }

  /** True when the namespace has an image of that name. */
  hasImage(namespace: string, name: string): boolean {
    return this.#known.has(nameIn(namespace, `image ${name}`))
  }

  /** The lease, or `undefined` when there is none. */
  lease(namespace: string, id: string): LeaseRecord | undefined {
    return this.leases.get(nameIn(namespace, id))
  }

  /** Takes one entry of the database, its value as JSON text. */
  add(key: string, raw: string): void {
    this.count++
    const parsed = parseKey(key)
    const namespace = parsed && 'namespace' in parsed ? parsed.namespace : undefined
    if (namespace !== undefined && parsed?.kind !== 'sequence') this.used.add(namespace)
    try {
      if (parsed === undefined) throw new OrlopError('DATA_LOSS', 'a key that orlop does not write')
      this.#take(parsed, key, fromJson(key, raw))
    } catch (error) {
      // It is there all the same, so nothing that names it is dangling.
      if (parsed?.kind === 'content') this.#know(parsed.namespace, `content ${parsed.digest}`)
      if (parsed?.kind === 'image') this.#know(parsed.namespace, `image ${parsed.name}`)
      const why = error instanceof Error ? error.message : String(error)
      this.unreadable.push({ key, raw, why, ...(namespace !== undefined && { namespace }) })
    }
  }

  #take(parsed: ParsedKey, key: string, value: unknown): void {
    switch (parsed.kind) {
      case 'version':
        return
      case 'sequence':
        decode(key, value, asSize)
        return
      case 'namespace':
        decode(key, value, readNamespaceRecord)
        this.namespaces.add(parsed.namespace)
        return
      case 'content':
        this.#takeBlob(parsed.namespace, parsed.digest, decode(key, value, readBlobRecord))
        return
      case 'diff-id':
        decode(key, value, readDiffIdRecord)
        return
      case 'ingest': {
        const { namespace, ref } = parsed
        this.ingests.push({ namespace, ref, record: decode(key, value, readIngestRecord) })
        return
      }
      case 'image': {
        const image = decode(key, value, (json, what) => readImageRecord(parsed.name, json, what))
        this.images.push({ namespace: parsed.namespace, image })
        this.#know(parsed.namespace, `image ${parsed.name}`)
        return
      }
      case 'lease':
        this.leases.set(nameIn(parsed.namespace, parsed.id), decode(key, value, readLeaseRecord))
        return
      case 'lease-resource':
        this.resources.push(parsed)
    }
  }

  #takeBlob(namespace: string, digest: Digest, record: BlobRecord): void {
    const entries = this.blobs.get(digest) ?? []
    entries.push({ namespace, record })
    this.blobs.set(digest, entries)
    this.#know(namespace, `content ${digest}`)
  }

  #know(namespace: string, name: string): void {
    this.#known.add(nameIn(namespace, name))
  }
}

/** What a lease holds, by namespace, type and id. */
export const heldAs = (namespace: string, { type, id }: LeaseResource): string =>
  nameIn(namespace, `${type} ${id}`)

/** Names of namespaces have no blanks. */
const nameIn = (namespace: string, name: string): string => `${namespace} ${name}`

/** Every record that a view has; those that cannot be read are listed as such and no error. */
export async function readRecords(view: View, { signal }: AbortOptions = {}): Promise<Records> {
  const records = new Records()
  for await (const { key, value } of view.range('', { raw: true, signal })) {
    records.add(key, asString(value, key))
  }
  return records
}
