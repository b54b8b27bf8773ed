import { setMaxListeners } from 'node:events'

/** The calls that run, so that a server that ends can wait for their last steps. */
export class Running {
  /** Fires when the server begins to end: what would go on for ever must stop. */
  readonly closing = new AbortController()
  readonly #works = new Set<Promise<void>>()

  constructor() {
    // Every call that stays listens.
    setMaxListeners(0, this.closing.signal)
  }

  /** Keeps count of a call's work; it must not reject. */
  add(work: Promise<void>): void {
    this.#works.add(work)
    void work.then(() => this.#works.delete(work))
  }

  /** Resolves when no call runs. */
  async idle(): Promise<void> {
    while (this.#works.size > 0) await Promise.all(this.#works)
  }
}
