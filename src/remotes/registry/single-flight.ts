import type { AbortOptions } from '../../options.ts'
import { abortable } from './abortable.ts'

interface Flight<T> {
  readonly result: Promise<T>
  readonly stop: AbortController
  waiting: number
}

/** Lets those who want the same thing at the same time share one piece of work. Nothing is remembered afterwards. */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Flight<T>>()

  /**
   * The result of `work`, or of the work that is under way for `key`.
   *
   * One caller's abort leaves the others waiting; when the last one is gone the work is aborted.
   */
  async run(
    key: string,
    work: (options: AbortOptions) => Promise<T>,
    { signal }: AbortOptions = {},
  ): Promise<T> {
    signal?.throwIfAborted()
    const flight = this.#flights.get(key) ?? this.#start(key, work)
    flight.waiting++
    try {
      return await abortable(flight.result, signal)
    } finally {
      if (--flight.waiting === 0) {
        this.#forget(key, flight)
        flight.stop.abort()
      }
    }
  }

  #start(key: string, work: (options: AbortOptions) => Promise<T>): Flight<T> {
    const stop = new AbortController()
    const flight: Flight<T> = { result: work({ signal: stop.signal }), stop, waiting: 0 }
    this.#flights.set(key, flight)
    // Whoever waits sees the failure; this only keeps one that nobody waits for any more from ending the process.
    flight.result.catch(() => {}).finally(() => this.#forget(key, flight))
    return flight
  }

  #forget(key: string, flight: Flight<T>): void {
    if (this.#flights.get(key) === flight) this.#flights.delete(key)
  }
}
