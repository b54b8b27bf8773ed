import { OrlopError } from '../errors.ts'

type Result<T> = IteratorResult<T, undefined>

/**
 * A bounded queue that one reader iterates.
 *
 * A reader that lets more than `limit` items wait still gets those, then RESOURCE_EXHAUSTED. Not a generator: that would
 * neither listen before its first `next()` nor clean up when it is left before it.
 */
export class Subscription<T> implements AsyncIterableIterator<T, undefined> {
  readonly #limit: number
  readonly #onEnd: () => void
  #queue: T[] = []
  #waiting: Array<(result: Result<T>) => void> = []
  #error: OrlopError | undefined
  #ended = false

  /** @param onEnd  called once, when no more items are wanted */
  constructor(limit: number, onEnd: () => void) {
    this.#limit = limit
    this.#onEnd = onEnd
  }

  /** Gives an item to the reader, now or when it asks; after the end it is dropped. */
  push(item: T): void {
    if (this.#ended) return
    const waiting = this.#waiting.shift()
    if (waiting !== undefined) waiting({ done: false, value: item })
    else if (this.#queue.length < this.#limit) this.#queue.push(item)
    else this.#overflow()
  }

  /** Ends the iteration without an error, and drops what still waits. */
  end(): void {
    this.#queue = []
    this.#error = undefined
    this.#stop()
  }

  async next(): Promise<Result<T>> {
    const item = this.#queue.shift()
    if (item !== undefined) return { done: false, value: item }
    const error = this.#error
    if (error !== undefined) {
      this.#error = undefined
      throw error
    }
    if (this.#ended) return { done: true, value: undefined }
    return new Promise(resolve => this.#waiting.push(resolve))
  }

  async return(): Promise<Result<T>> {
    this.end()
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #overflow(): void {
    this.#error = new OrlopError(
      'RESOURCE_EXHAUSTED',
      `events: the subscriber let more than ${this.#limit} events wait, so some were lost; subscribe again`,
    )
    this.#stop()
  }

  #stop(): void {
    if (this.#ended) return
    this.#ended = true
    this.#onEnd()
    for (const resolve of this.#waiting.splice(0)) resolve({ done: true, value: undefined })
  }
}
