import { OrlopError } from '../../errors.ts'

/** Bytes that clients may have waiting in this process before it has read them as messages. */
export class Budget {
  readonly #limit: number
  readonly #above: Budget | undefined
  #used = 0

  /** @param above  one that these bytes count for too */
  constructor(limit: number, above?: Budget) {
    this.#limit = limit
    this.#above = above
  }

  /** @throws RESOURCE_EXHAUSTED  there is no room for so many; none were taken */
  take(bytes: number): void {
    if (this.#used + bytes > this.#limit) {
      throw new OrlopError(
        'RESOURCE_EXHAUSTED',
        `messages: more than ${this.#limit} bytes wait to be read; send fewer at one time`,
      )
    }
    this.#above?.take(bytes)
    this.#used += bytes
  }

  give(bytes: number): void {
    this.#used -= bytes
    this.#above?.give(bytes)
  }
}
