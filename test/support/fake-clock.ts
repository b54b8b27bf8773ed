import { setImmediate } from 'node:timers/promises'
import type { AbortOptions } from '../../src/options.ts'

interface Sleeper {
  readonly until: number
  readonly wake: () => void
}

/** A clock that stands still until everything waits for it, and then goes to the next moment that something waits for. */
export class FakeClock {
  readonly maxRetryAfterMs = 120_000
  readonly #begun: number
  #now: number
  #sleepers: readonly Sleeper[] = []

  constructor(begun = 1_800_000_000_000) {
    this.#begun = begun
    this.#now = begun
  }

  readonly now = (): number => this.#now

  readonly sleep = (ms: number, { signal }: AbortOptions): Promise<void> =>
    new Promise((resolve, reject) => {
      const sleeper = { until: this.#now + ms, wake: resolve }
      this.#sleepers = [...this.#sleepers, sleeper]
      signal?.addEventListener('abort', () => {
        this.#sleepers = this.#sleepers.filter(other => other !== sleeper)
        reject(new Error('a sleep was aborted'))
      })
    })

  /** Milliseconds since it began. */
  get elapsed(): number {
    return this.#now - this.#begun
  }

  get sleepers(): number {
    return this.#sleepers.length
  }

  /** Lets time pass until `work` is done; `isBusy` tells of work that waits for something else than time. */
  async run<T>(work: Promise<T>, isBusy: () => boolean = () => false): Promise<T> {
    let done = false
    const settled = work.finally(() => (done = true))
    settled.catch(() => {})
    while (!done) {
      await setImmediate()
      if (!done && !isBusy()) this.#advance()
    }
    return settled
  }

  #advance(): void {
    if (this.#sleepers.length === 0) return
    this.#now = Math.min(...this.#sleepers.map(({ until }) => until))
    const awake = this.#sleepers.filter(({ until }) => until <= this.#now)
    this.#sleepers = this.#sleepers.filter(({ until }) => until > this.#now)
    for (const { wake } of awake) wake()
  }
}
