import type { Digest } from '../oci/digest.ts'
import { DigestTable } from '../oci/digest-table.ts'
import type { AbortOptions } from '../options.ts'
import { decode, type IngestRecord, readIngestRecord } from './codec.ts'
import { recordsOf } from './collectible.ts'
import { ingestRecord } from './content-records.ts'
import type { View } from './kv.ts'
import { parseKey } from './schema.ts'

/**
 * What records name of the store beneath: the digests of blobs, and the refs of ingests. All else there is nobody's.
 *
 * It only grows, so it may be read from a view first and be told of later changes afterwards.
 */
export class NamedBytes {
  readonly #digests = new DigestTable()
  readonly #refs = new Set<string>()

  /** All that the records of a view name, of all namespaces. */
  static async in(view: View, options: AbortOptions = {}): Promise<NamedBytes> {
    const named = new NamedBytes()
    for await (const { parsed } of recordsOf(view, 'content', options)) named.addBlob(parsed.digest)
    for await (const { entry } of recordsOf(view, 'ingest', options)) {
      named.addIngest(decode(entry.key, entry.value, readIngestRecord))
    }
    return named
  }

  /** Adds what the records with these keys name; a record that is gone names nothing. */
  async addKeys(view: View, keys: Iterable<string>): Promise<void> {
    for (const key of keys) {
      const parsed = parseKey(key)
      if (parsed?.kind === 'content') this.addBlob(parsed.digest)
      if (parsed?.kind !== 'ingest') continue
      const record = await ingestRecord(view, parsed.namespace, parsed.ref)
      if (record !== undefined) this.addIngest(record)
    }
  }

  addBlob(digest: Digest): void {
    this.#digests.add(digest)
  }

  addIngest({ backendRef, shared, expected }: IngestRecord): void {
    this.#refs.add(backendRef)
    // Nothing was opened beneath; the bytes it will become are those of this blob.
    if (shared && expected !== undefined) this.#digests.add(expected)
  }

  hasBlob(digest: Digest): boolean {
    return this.#digests.has(digest)
  }

  hasIngest(backendRef: string): boolean {
    return this.#refs.has(backendRef)
  }
}
