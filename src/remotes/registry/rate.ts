import PQueue from 'p-queue'
import type { AbortOptions } from '../../options.ts'
import { abortable } from './abortable.ts'
import { HostLimits, type RateBudget, type RateClock } from './host-limits.ts'
import type { HttpBody, HttpResponse, Send } from './http.ts'
import { defaultRetryPolicy } from './retry.ts'

/** How much is asked of hosts. */
export interface RateOptions {
  /** What a host may be sent, by its name as in references, or its address; default: what it says itself. */
  readonly budget?: ((host: string) => RateBudget | undefined) | undefined
  /** Requests to one host at one time, and bodies that come from it; default 32. */
  readonly concurrency?: number | undefined
}

/** Options of `RateLimits`. */
export interface RateLimitsOptions extends RateOptions {
  readonly clock?: RateClock | undefined
}

/** What those who send know. */
export interface RateSender {
  /** What people call the host with an address; default: its address. */
  readonly nameOf?: ((address: string) => string) | undefined
  /** Told when requests to a host begin to wait, by the first that does. */
  readonly onWait?: ((notice: { readonly host: string; readonly delayMs: number }) => void) | undefined
}

const defaultConcurrency = 32

/**
 * Keeps the requests to each host within its limits; one for a process is best.
 *
 * Requests wait for their turn in order of arrival. A download holds its place until its body was read or dropped.
 */
export class RateLimits {
  readonly #options: RateLimitsOptions
  readonly #gates = new Map<string, Gate>()

  constructor(options: RateLimitsOptions = {}) {
    this.#options = options
  }

  /** `send` within the limits of the host that a request goes to. */
  around(send: Send, { nameOf, onWait }: RateSender = {}): Send {
    return async (request, options = {}) => {
      const { host } = request.url
      const name = nameOf?.(host) ?? host
      const gate = this.#gate(host, name)
      const leave = await gate.enter(delayMs => onWait?.({ host: name, delayMs }), options)
      let response: HttpResponse | undefined
      try {
        response = await send(request, options)
      } finally {
        gate.limits.answered(response)
        if (!response || !isDownload(response)) leave()
      }
      return isDownload(response) ? { ...response, body: watched(response.body, leave, options) } : response
    }
  }

  #gate(host: string, name: string): Gate {
    const known = this.#gates.get(host)
    if (known) return known
    const { clock = defaultRetryPolicy, budget, concurrency = defaultConcurrency } = this.#options
    const gate = new Gate(new HostLimits(clock, budget?.(name)), clock, concurrency)
    this.#gates.set(host, gate)
    return gate
  }
}

/** Other bodies are small, or are dropped before the next request is sent. */
const isDownload = ({ status, method }: HttpResponse): boolean =>
  method === 'GET' && (status === 200 || status === 206)

/** One request that waits. */
interface Turn {
  readonly signal: AbortSignal | undefined
  readonly tell: (delayMs: number) => void
  /** Whether it counts as sent. */
  sent: boolean
}

/** Lets requests to one host pass: so many at a time, and each when the limits allow it. */
class Gate {
  readonly limits: HostLimits
  readonly #clock: RateClock
  readonly #places: PQueue
  /** The first one waits for the limits, the others for the first one. */
  readonly #line = new PQueue({ concurrency: 1 })
  #told = 0

  constructor(limits: HostLimits, clock: RateClock, concurrency: number) {
    this.limits = limits
    this.#clock = clock
    this.#places = new PQueue({ concurrency })
  }

  /** Resolves when a request may be sent, with what gives its place back. */
  async enter(tell: Turn['tell'], { signal }: AbortOptions): Promise<() => void> {
    signal?.throwIfAborted()
    const leave = await this.#place(signal)
    const turn: Turn = { signal, tell, sent: false }
    try {
      await abortable(
        this.#line.add(() => this.#wait(turn)),
        signal,
      )
      return leave
    } catch (error) {
      leave()
      if (turn.sent) this.limits.answered(undefined)
      throw error
    }
  }

  /** The queue's own signal would free the place of one that is still there. */
  #place(signal: AbortSignal | undefined): Promise<() => void> {
    const place = new Promise<() => void>(resolve => {
      const held = (leave: () => void): void => {
        if (signal?.aborted) leave()
        else resolve(leave)
      }
      void this.#places.add(() => new Promise<void>(held))
    })
    return abortable(place, signal)
  }

  async #wait(turn: Turn): Promise<void> {
    const { signal } = turn
    for (let delayMs = this.limits.delayMs; delayMs > 0; delayMs = this.limits.delayMs) {
      if (signal?.aborted) return
      this.#tell(delayMs, turn)
      await this.#clock.sleep(delayMs, { signal })
      this.limits.waited(delayMs)
    }
    if (signal?.aborted) return
    turn.sent = true
    this.limits.sent()
  }

  /** Once for each wait, not for each of those that wait. */
  #tell(delayMs: number, { tell }: Turn): void {
    const until = this.#clock.now() + delayMs
    if (until <= this.#told) return
    this.#told = until
    tell(delayMs)
  }
}

/** A body that gives its place back when it was read, dropped or given up. */
function watched(body: HttpBody, leave: () => void, { signal }: AbortOptions): HttpBody {
  const end = (): void => {
    signal?.removeEventListener('abort', end)
    leave()
  }
  signal?.addEventListener('abort', end, { once: true })
  return {
    async *[Symbol.asyncIterator]() {
      try {
        yield* body
      } finally {
        end()
      }
    },
    async dump() {
      try {
        await body.dump()
      } finally {
        end()
      }
    },
  }
}
