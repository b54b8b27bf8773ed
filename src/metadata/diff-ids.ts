import { labelKeys } from '../oci/annotations.ts'
import type { Digest } from '../oci/digest.ts'
import type { AbortOptions } from '../options.ts'
import { decode, encode, readDiffIdRecord } from './codec.ts'
import { blobRecord } from './content-records.ts'
import type { Database } from './database.ts'
import { checkNamespace } from './labels.ts'
import { contentKey, diffIdKey, diffIdPrefix, parseKey } from './schema.ts'

/** A blob that is a layer, and what it is without its compression. */
export interface KnownLayer {
  readonly diffId: Digest
  /** Bytes without compression. */
  readonly size: number
  /** Of the blob, as it is stored. */
  readonly blob: Digest
}

/** Finds the blobs of a store by what they are without their compression. */
export interface DiffIdIndex {
  /** The blobs that are there, in order of digest. */
  find(diffId: Digest, options?: AbortOptions): Promise<readonly KnownLayer[]>
  /**
   * Remembers what a blob is. Only for what this program has read and hashed itself, both with and without compression:
   * what others say of a blob must never get in.
   */
  remember(layer: KnownLayer, options?: AbortOptions): Promise<void>
}

/**
 * The index of a namespace, as records. A blob also gets the label `containerd.io/uncompressed`, which other programs read;
 * labels, which anybody can write, are never believed here.
 */
export class DiffIdRecords implements DiffIdIndex {
  readonly #database: Database
  readonly #namespace: string

  /** @throws INVALID_ARGUMENT  a namespace that is no identifier */
  constructor(database: Database, namespace: string) {
    this.#database = database
    this.#namespace = checkNamespace(namespace)
  }

  async find(diffId: Digest, { signal }: AbortOptions = {}): Promise<readonly KnownLayer[]> {
    signal?.throwIfAborted()
    return this.#database.view(async view => {
      const found: KnownLayer[] = []
      for await (const { key, value } of view.range(diffIdPrefix(this.#namespace, diffId), { signal })) {
        const parsed = parseKey(key)
        if (parsed?.kind !== 'diff-id') continue
        const { blob } = parsed
        // A blob that went leaves its record where its label had been changed.
        if ((await view.get(contentKey(this.#namespace, blob))) === undefined) continue
        found.push({ diffId, blob, size: decode(key, value, readDiffIdRecord).size })
      }
      return found
    })
  }

  async remember({ diffId, blob, size }: KnownLayer, options: AbortOptions = {}): Promise<void> {
    const namespace = this.#namespace
    await this.#database.update(async tx => {
      const record = await blobRecord(tx, namespace, blob)
      // It went meanwhile.
      if (record === undefined) return
      tx.put(diffIdKey(namespace, diffId, blob), encode({ size }))
      if (blob === diffId || record.labels[labelKeys.uncompressed] === diffId) return
      const labels = { ...record.labels, [labelKeys.uncompressed]: diffId }
      tx.put(contentKey(namespace, blob), encode({ ...record, labels }))
    }, options)
  }
}
