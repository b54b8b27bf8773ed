import type { Fate } from '../fate.ts'

/** What is known of a call that did not end well. */
export interface CallErrorInit {
  /** gRPC's number. */
  readonly code: number
  readonly message: string
  /** Trailers of the answer. */
  readonly trailers?: Readonly<Record<string, unknown>> | undefined
  /** What became of it, when nobody answered. */
  readonly fate?: Fate | undefined
  readonly cause?: unknown
}

/** A call that ended with a status other than OK, or without one. */
export class CallError extends Error {
  override readonly name: string = 'CallError'
  readonly code: number
  readonly fate: Fate | undefined
  readonly #trailers: Readonly<Record<string, unknown>>

  constructor({ code, message, trailers = {}, fate, cause }: CallErrorInit) {
    super(message, { cause })
    this.code = code
    this.fate = fate
    this.#trailers = trailers
  }

  /** The text of a trailer in base64, whose name ends in `-bin`; `undefined`: there is none. */
  binary(name: string): string | undefined {
    const value = this.#trailers[name]
    // Several values of one name are joined by commas; the first counts.
    if (typeof value === 'string') return Buffer.from(value.split(',')[0] ?? '', 'base64').toString()
    return undefined
  }
}
