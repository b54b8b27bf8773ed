import type { AbortOptions } from '../../options.ts'
import { retryAfter } from './error.ts'
import { type HttpResponse, headerValue } from './http.ts'
import { rateState } from './rate-headers.ts'

/** So many requests in so many milliseconds, whenever those begin. */
export interface RateBudget {
  readonly requests: number
  readonly perMs: number
}

/** The clock that limits are kept by. */
export interface RateClock {
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Waits. Rejects when `signal` fires. */
  readonly sleep: (ms: number, options: AbortOptions) => Promise<void>
  /** The longest wait that is worth it, in milliseconds; a host that asks for more is asked again and may refuse. */
  readonly maxRetryAfterMs: number
}

/** The first wait after a refusal that does not say for how long; it doubles from there. As in containers/image. */
const firstPenaltyMs = 2000
const maxPenaltyMs = 60_000

/**
 * When the next request may be sent to one host.
 *
 * A budget is kept exactly: no more requests than it has in any span of its length. What the host says besides is heeded:
 * a Retry-After holds every request back, and when it says how many are left and until when, no more are sent. Limits
 * over a time longer than anybody would wait, such as Docker Hub's six hours, are not waited for: not all requests count
 * there, and which do the host knows best.
 */
export class HostLimits {
  readonly #clock: RateClock
  readonly #given: RateBudget | undefined
  #learned: RateBudget | undefined
  /** When the last requests were sent: as many as the budget has; and some before there is one, for they count in it. */
  readonly #sent: number[] = []
  #heldUntil = 0
  /** What the host says is left, less those under way. */
  #left: { count: number; readonly until: number } | undefined
  /** Refusals in a row that did not say how long to wait. */
  #penalties = 0
  #underWay = 0
  /** The clock cannot be before what has been waited for. */
  #earliest = 0

  constructor(clock: RateClock, budget: RateBudget | undefined) {
    this.#clock = clock
    this.#given = budget
  }

  /** Milliseconds until the next request may be sent; 0: now. */
  get delayMs(): number {
    return Math.max(0, this.#opensAt() - this.#now())
  }

  /** Notes that a wait of `delayMs` is over, whatever the clock says. */
  waited(delayMs: number): void {
    this.#earliest = this.#now() + delayMs
  }

  /** Notes that a request is sent. */
  sent(): void {
    this.#underWay++
    if (this.#left) this.#left.count--
    this.#sent.push(this.#now())
    if (this.#sent.length > (this.#budget?.requests ?? 1000)) this.#sent.shift()
  }

  /** Notes what a response says; `undefined`: none came. */
  answered(response: Pick<HttpResponse, 'status' | 'headers'> | undefined): void {
    this.#underWay--
    if (!response) return
    const { status, headers } = response
    if (status === 429 || status === 503) this.#refused(status, headerValue(headers, 'retry-after'))
    else this.#penalties = 0
    const { limit, windowMs, remaining, resetMs } = rateState(headers, this.#now())
    const { maxRetryAfterMs } = this.#clock
    if (limit !== undefined && limit > 0 && windowMs !== undefined && windowMs <= maxRetryAfterMs)
      this.#learned = { requests: limit, perMs: windowMs }
    const until = resetMs ?? windowMs
    if (remaining !== undefined && until !== undefined && until <= maxRetryAfterMs)
      this.#left = { count: remaining - this.#underWay, until: this.#now() + until }
  }

  #refused(status: number, header: string | undefined): void {
    const asked = retryAfter(header, this.#now())
    if (asked === undefined && status !== 429) return
    const delay = asked ?? Math.min(maxPenaltyMs, firstPenaltyMs * 2 ** this.#penalties++)
    if (delay <= this.#clock.maxRetryAfterMs) this.#heldUntil = Math.max(this.#heldUntil, this.#now() + delay)
  }

  #opensAt(): number {
    const now = this.#now()
    if (this.#left && this.#left.until <= now) this.#left = undefined
    const budget = this.#budget
    const full = budget && this.#sent.length >= budget.requests ? this.#sent.at(-budget.requests) : undefined
    return Math.max(
      this.#heldUntil,
      this.#left && this.#left.count <= 0 ? this.#left.until : 0,
      budget && full !== undefined ? full + budget.perMs : 0,
    )
  }

  get #budget(): RateBudget | undefined {
    return this.#given ?? this.#learned
  }

  #now(): number {
    return Math.max(this.#clock.now(), this.#earliest)
  }
}
