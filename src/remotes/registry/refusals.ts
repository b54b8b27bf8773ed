import { createHash } from 'node:crypto'

/** How long a credential that was refused is not shown again, in milliseconds. */
const quietMs = 60_000
/** Remembered at most; the oldest go first. */
const maxRemembered = 1024

/**
 * Remembers which credentials were refused, so that they are not shown over and over: accounts get locked for that.
 *
 * One that was taken before is not held to be wrong for one refusal, which then speaks of what it was shown for. Only
 * hashes are kept.
 */
export class Refusals {
  readonly #now: () => number
  readonly #refused = new Map<string, number>()
  readonly #taken = new Set<string>()

  /** @param now  milliseconds since 1970 */
  constructor(now: () => number) {
    this.#now = now
  }

  /** Notes that a place took a credential. */
  taken(place: string, secret: string): void {
    const key = keyOf(place, secret)
    this.#taken.add(key)
    this.#refused.delete(key)
    if (this.#taken.size > maxRemembered) dropFirst(this.#taken)
  }

  /** Notes that a place refused a credential. */
  refused(place: string, secret: string): void {
    const key = keyOf(place, secret)
    if (this.#taken.has(key)) return
    this.#refused.delete(key)
    this.#refused.set(key, this.#now() + quietMs)
    if (this.#refused.size > maxRemembered) dropFirst(this.#refused)
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

function dropFirst(map: Map<string, unknown> | Set<string>): void {
  const first = map.keys().next()
  if (!first.done) map.delete(first.value)
}
