import { OrlopError } from '../errors.ts'
import type { AbortOptions } from '../options.ts'
import { Journal } from './journal.ts'
import type { KeyValue, Op, View } from './kv.ts'
import { Transaction } from './transaction.ts'

interface Waiting {
  /** Runs the update over what those before it in the batch have done; false when it failed and changed nothing. */
  run(base: View): Promise<Transaction | undefined>
  settle(error?: unknown): void
}

/** Updates that share one synced batch, at most. */
const batchLimit = 256

/**
 * Records with transactions: many readers of a moment, one writer.
 *
 * Updates run alone and in the order they were asked for. Those that wait while a batch is being synced are run one after
 * the other on top of each other and committed in one batch: each is still all or nothing, and none resolves before its
 * batch is durable. A function given to `update` may be run again by another engine, so it must have no other effects.
 */
export class Database implements AsyncDisposable {
  readonly #kv: KeyValue
  #waiting: Waiting[] = []
  #running: Promise<void> | undefined
  #closing: Promise<void> | undefined
  readonly #journals = new Set<Journal>()
  readonly #watchers = new Set<(ops: readonly Op[]) => void>()

  constructor(kv: KeyValue) {
    this.#kv = kv
  }

  /** Runs `work` over the records as they are now; what it sees does not change under it. */
  async view<T>(work: (view: View) => Promise<T>): Promise<T> {
    this.#assertOpen()
    await using snapshot = this.#kv.snapshot()
    return await work(snapshot)
  }

  /**
   * Runs `work` and commits what it changed; rejects with what it throws, and then nothing was changed.
   *
   * Pass `tx` down: an `update` inside an `update` would wait for itself. The signal counts until `work` starts.
   *
   * @throws UNAVAILABLE  the database is closed
   */
  update<T>(work: (tx: Transaction) => Promise<T>, { signal }: AbortOptions = {}): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#assertOpen()
      signal?.throwIfAborted()
      let result: T
      this.#waiting.push({
        run: async base => {
          const tx = new Transaction(base)
          try {
            signal?.throwIfAborted()
            result = await work(tx)
            return tx
          } catch (error) {
            reject(error)
            return undefined
          }
        },
        settle: error => (error === undefined ? resolve(result) : reject(error)),
      })
      this.#running ??= this.#drain()
    })
  }

  /**
   * A list of the keys that are put from now on. What it does not tell, a view opened after this call shows.
   *
   * It knows of the updates of this `Database` only, so all who write must go through one.
   */
  journal(): Promise<Journal> {
    // In an update, so that those before it in its batch, which it will not tell of, are committed when this resolves.
    return this.update(async () => {
      const journal: Journal = new Journal(() => this.#journals.delete(journal))
      this.#journals.add(journal)
      return journal
    })
  }

  /** Calls `listener` with the changes of each batch once they are durable, until the result is disposed. */
  watch(listener: (ops: readonly Op[]) => void): Disposable {
    this.#watchers.add(listener)
    return { [Symbol.dispose]: () => void this.#watchers.delete(listener) }
  }

  /** Waits for the updates that were asked for, then closes the engine; views that still run fail with UNAVAILABLE. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      await this.#running
      await this.#kv[Symbol.asyncDispose]()
    })()
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new OrlopError('UNAVAILABLE', 'metadata: the database is closed')
  }

  async #drain(): Promise<void> {
    // Lets callers of the same turn join the first batch.
    await Promise.resolve()
    while (this.#waiting.length > 0) await this.#batch(this.#waiting.splice(0, batchLimit))
    this.#running = undefined
  }

  async #batch(batch: readonly Waiting[]): Promise<void> {
    const done: Waiting[] = []
    try {
      await using snapshot = this.#kv.snapshot()
      const whole = new Transaction(snapshot)
      for (const waiting of batch) {
        const tx = await waiting.run(whole)
        if (tx === undefined) continue
        for (const op of tx.ops()) this.#merge(whole, op)
        done.push(waiting)
      }
      const ops = whole.ops()
      if (ops.length > 0) {
        await this.#kv.commit(ops)
        for (const listener of this.#watchers) listener(ops)
      }
    } catch (error) {
      // Those that failed on their own are settled already; a second rejection does nothing.
      for (const waiting of batch) waiting.settle(error)
      return
    }
    for (const waiting of done) waiting.settle()
  }

  #merge(whole: Transaction, op: Op): void {
    if (op.type === 'put') {
      whole.put(op.key, op.value)
      for (const journal of this.#journals) journal.note(op.key)
    } else whole.delete(op.key)
  }
}
