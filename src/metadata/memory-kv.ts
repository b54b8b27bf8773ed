import { OrlopError } from '../errors.ts'
import type { AbortOptions } from '../options.ts'
import { fromJson, toJson } from './json-value.ts'
import type { Entry, KeyValue, Op, RangeOptions, View } from './kv.ts'

/** What a key held from one commit on; `undefined` when it was deleted. */
interface Version {
  readonly at: number
  readonly json: string | undefined
}

/**
 * Records in memory: for tests, and for stores that need not outlive the process.
 *
 * Values go in and out as JSON, so what works here works on disk. Versions that no snapshot can see are dropped.
 */
export class MemoryKeyValue implements KeyValue {
  readonly #versions = new Map<string, readonly Version[]>()
  readonly #snapshots = new Map<symbol, number>()
  /** The keys of `#versions`, sorted. */
  readonly #keys: string[] = []
  /** Keys with versions that only snapshots hold. */
  readonly #stale = new Set<string>()
  #now = 0
  #closed = false

  snapshot(): View & AsyncDisposable {
    this.#assertOpen()
    const at = this.#now
    const id = Symbol('snapshot')
    this.#snapshots.set(id, at)
    return {
      get: async (key, options) => this.#get(key, at, options),
      range: (prefix, options) => this.#range(prefix, at, options),
      [Symbol.asyncDispose]: async () => {
        if (this.#snapshots.delete(id)) this.#prune()
      },
    }
  }

  async commit(ops: readonly Op[]): Promise<void> {
    this.#assertOpen()
    // Encoded first, so that a value that is not JSON leaves nothing half done.
    const changes = ops.map(op => ({
      key: op.key,
      json: op.type === 'put' ? toJson(op.key, op.value) : undefined,
    }))
    const at = this.#now + 1
    for (const { key, json } of changes) this.#set(key, { at, json })
    this.#now = at
    this.#prune()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
  }

  #get(key: string, at: number, { signal }: AbortOptions = {}): unknown {
    signal?.throwIfAborted()
    this.#assertOpen()
    const json = this.#versions.get(key)?.findLast(version => version.at <= at)?.json
    return json === undefined ? undefined : fromJson(key, json)
  }

  async *#range(prefix: string, at: number, options: RangeOptions = {}): AsyncGenerator<Entry> {
    const { after, limit = Number.POSITIVE_INFINITY, raw = false, signal } = options
    signal?.throwIfAborted()
    this.#assertOpen()
    let count = 0
    // Found anew for each entry, for commits may move the keys meanwhile.
    let index = after === undefined || after < prefix ? this.#indexOf(prefix) : this.#indexAfter(after)
    for (let key = this.#keys[index]; key?.startsWith(prefix) && count < limit; key = this.#keys[index]) {
      const value = this.#get(key, at, { signal })
      if (value !== undefined) {
        count++
        yield { key, value: raw ? toJson(key, value) : value }
      }
      index = this.#indexAfter(key)
    }
  }

  #set(key: string, version: Version): void {
    const versions = this.#versions.get(key)
    if (versions === undefined) {
      if (version.json === undefined) return
      this.#keys.splice(this.#indexOf(key), 0, key)
    }
    this.#versions.set(key, [...(versions ?? []), version])
    this.#stale.add(key)
  }

  #prune(): void {
    const oldest = Math.min(this.#now, ...this.#snapshots.values())
    for (const key of this.#stale) {
      const versions = this.#versions.get(key) ?? []
      const first = versions.findLastIndex(version => version.at <= oldest)
      const kept = versions.slice(Math.max(first, 0))
      const gone = kept.every(version => version.json === undefined)
      if (gone) {
        this.#versions.delete(key)
        this.#keys.splice(this.#indexOf(key), 1)
      } else this.#versions.set(key, kept)
      if (gone || (kept.length === 1 && kept[0]?.json !== undefined)) this.#stale.delete(key)
    }
  }

  /** Where `key` is among the sorted keys, or would be. */
  #indexOf(key: string): number {
    let low = 0
    let high = this.#keys.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#keys[middle] ?? '') < key) low = middle + 1
      else high = middle
    }
    return low
  }

  #indexAfter(key: string): number {
    const index = this.#indexOf(key)
    return this.#keys[index] === key ? index + 1 : index
  }

  #assertOpen(): void {
    if (this.#closed) throw new OrlopError('UNAVAILABLE', 'metadata: the database is closed')
  }
}
