import type { AbortOptions } from '../options.ts'

interface Waiting {
  readonly exclusive: boolean
  start(): void
}

/**
 * Lets many users in at once, or one collection alone; whoever came first goes first, so neither side starves.
 *
 * Do not enter it again from inside: a collection that waits in between would wait for both.
 */
export class Gate {
  #users = 0
  #collecting = false
  readonly #queue: Waiting[] = []

  /** True when nobody is in or waits; exclusive work that is begun at once then keeps nobody waiting but for itself. */
  get idle(): boolean {
    return this.#users === 0 && !this.#collecting && this.#queue.length === 0
  }

  /** Runs work together with others' shared work, and never while `exclusive` work runs. */
  shared<T>(work: () => Promise<T>, options?: AbortOptions): Promise<T> {
    return this.#enter(false, work, options)
  }

  /** Runs work alone. */
  exclusive<T>(work: () => Promise<T>, options?: AbortOptions): Promise<T> {
    return this.#enter(true, work, options)
  }

  async #enter<T>(exclusive: boolean, work: () => Promise<T>, { signal }: AbortOptions = {}): Promise<T> {
    signal?.throwIfAborted()
    await this.#admitted(exclusive, signal)
    try {
      return await work()
    } finally {
      if (exclusive) this.#collecting = false
      else this.#users--
      this.#admit()
    }
  }

  #admitted(exclusive: boolean, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        exclusive,
        start: () => {
          signal?.removeEventListener('abort', leave)
          resolve()
        },
      }
      const leave = (): void => {
        this.#queue.splice(this.#queue.indexOf(waiting), 1)
        reject(signal?.reason)
        // Those behind it may have waited for nothing else.
        this.#admit()
      }
      signal?.addEventListener('abort', leave, { once: true })
      this.#queue.push(waiting)
      this.#admit()
    })
  }

  #admit(): void {
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      if (this.#collecting || (next.exclusive && this.#users > 0)) return
      this.#queue.shift()
      if (next.exclusive) this.#collecting = true
      else this.#users++
      next.start()
    }
  }
}
