import { createHash } from 'node:crypto'
import { BoundedMap } from './bounded-map.ts'

/** How long a credential that was refused is not shown again, in milliseconds. */
const quietMs = 60_000
const maxRemembered = 1024

/**
 * Remembers which credentials were refused, so that they are not shown over and over: accounts get locked for that.
 *
 * One that was taken before is not held to be wrong for one refusal, which then speaks of what it was shown for. Only
 * hashes are kept.
 */
export class Refusals {
  readonly #now: () => number
  readonly #refused = new BoundedMap<string, number>(maxRemembered)
  readonly #taken = new BoundedMap<string, true>(maxRemembered)

  /** @param now  milliseconds since 1970 */
  constructor(now: () => number) {
    this.#now = now
  }

  /** Notes that a place took a credential. */
  taken(place: string, secret: string): void {
    const key = keyOf(place, secret)
    this.#taken.set(key, true)
    this.#refused.delete(key)
  }

  /** True when a place is known to take a credential. */
  isTaken(place: string, secret: string): boolean {
    return this.#taken.has(keyOf(place, secret))
  }

  /** Notes that a place refused a credential. */
  refused(place: string, secret: string): void {
    const key = keyOf(place, secret)
    if (!this.#taken.has(key)) this.#refused.set(key, this.#now() + quietMs)
  }

  /** Milliseconds until a credential may be shown to a place again; 0: now. */
  waitMs(place: string, secret: string): number {
    return Math.max(0, (this.#refused.get(keyOf(place, secret)) ?? 0) - this.#now())
  }
}

const keyOf = (place: string, secret: string): string =>
  createHash('sha256')
    .update(JSON.stringify([place, secret]))
    .digest('base64')
