/** How often, and for how long at a time, others were held up. In milliseconds. */
export interface PauseReport {
  readonly count: number
  readonly longest: number
  readonly total: number
}

/** Sums up pauses. */
export class Pauses {
  #count = 0
  #longest = 0
  #total = 0

  /** Measures one pause: from now until `work` has ended, however it ends. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    const start = performance.now()
    try {
      return await work()
    } finally {
      this.add(performance.now() - start)
    }
  }

  /** Notes one pause. */
  add(milliseconds: number): void {
    this.#count++
    this.#longest = Math.max(this.#longest, milliseconds)
    this.#total += milliseconds
  }

  /** What there was so far. */
  get report(): PauseReport {
    return { count: this.#count, longest: this.#longest, total: this.#total }
  }
}
