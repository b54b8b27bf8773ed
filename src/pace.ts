import { setImmediate } from 'node:timers/promises'
import type { AbortOptions } from './options.ts'

/** How long work goes on before others get a turn, in milliseconds. */
const turn = 5

/** Lets the rest of the process work between the steps of something long: records are read without ever waiting. */
export class Pace {
  #since = performance.now()
  readonly #signal: AbortSignal | undefined

  constructor({ signal }: AbortOptions = {}) {
    this.#signal = signal
  }

  /** True when it is time to call `rest`. */
  get due(): boolean {
    return performance.now() - this.#since > turn
  }

  /** Waits for a turn of the event loop. @throws the signal's reason */
  async rest(): Promise<void> {
    this.#signal?.throwIfAborted()
    await setImmediate()
    this.#signal?.throwIfAborted()
    this.#since = performance.now()
  }
}
