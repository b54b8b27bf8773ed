import { OrlopError } from '../errors.ts'
import type { AbortOptions } from '../options.ts'
import { toJson } from './json-value.ts'
import type { Entry, Op, RangeOptions, View } from './kv.ts'

/** A view that takes changes and shows them to itself; whoever made it commits `ops()`. */
export class Transaction implements View {
  readonly #base: View
  readonly #changes = new Map<string, Op>()

  constructor(base: View) {
    this.#base = base
  }

  async get(key: string, options?: AbortOptions): Promise<unknown> {
    const change = this.#changes.get(key)
    if (change !== undefined) return change.type === 'put' ? change.value : undefined
    return this.#base.get(key, options)
  }

  /** Changes made while iterating do not show in that iteration. */
  async *range(prefix: string, options: RangeOptions = {}): AsyncGenerator<Entry> {
    const { after = '', limit = Number.POSITIVE_INFINITY, raw = false, signal } = options
    const changed = [...this.#changes.values()]
      .filter(({ key }) => key.startsWith(prefix) && key > after)
      .sort((a, b) => (a.key < b.key ? -1 : 1))
    // Each change hides at most one entry of the base.
    const base = this.#base.range(prefix, { after, limit: limit + changed.length, raw, signal })
    let count = 0
    for await (const entry of merged(base, raw ? changed.map(asRaw) : changed)) {
      if (++count > limit) return
      yield entry
    }
  }

  /**
   * Sets a value, plain JSON.
   *
   * @throws INVALID_ARGUMENT  `undefined`: refused here, so that it cannot spoil the batch that others share
   */
  put(key: string, value: unknown): void {
    if (value === undefined) {
      throw new OrlopError('INVALID_ARGUMENT', `metadata: the value for ${key} is not JSON`)
    }
    this.#changes.set(key, { type: 'put', key, value })
  }

  /** Removes a key; absent ones are no error. */
  delete(key: string): void {
    this.#changes.set(key, { type: 'delete', key })
  }

  /** The changes, one a key. */
  ops(): readonly Op[] {
    return [...this.#changes.values()]
  }
}

async function* merged(base: AsyncIterable<Entry>, changed: readonly Op[]): AsyncGenerator<Entry> {
  let at = 0
  for await (const entry of base) {
    for (let change = changed[at]; change !== undefined && change.key <= entry.key; change = changed[++at]) {
      if (change.type === 'put' && change.key < entry.key) yield entryOf(change)
      if (change.key === entry.key) break
    }
    const same = changed[at]
    if (same?.key !== entry.key) {
      yield entry
      continue
    }
    at++
    if (same.type === 'put') yield entryOf(same)
  }
  for (const change of changed.slice(at)) if (change.type === 'put') yield entryOf(change)
}

const asRaw = (op: Op): Op => (op.type === 'put' ? { ...op, value: toJson(op.key, op.value) } : op)

const entryOf = ({ key, value }: Entry): Entry => ({ key, value })
