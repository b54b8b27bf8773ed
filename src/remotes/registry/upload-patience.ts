import type { AbortOptions } from '../../options.ts'
import type { RegistryError } from './error.ts'
import { backOff, nextDelay, patienceOf, pause } from './retry.ts'
import type { UploadPlace } from './upload-session.ts'

/** Bytes beyond the furthest that was reached, after which a broken upload counts as a new start. */
const progressBytes = 64 * 1024

/** How often one upload may break: counts failures that brought it no further, and waits between tries. */
export class UploadPatience {
  readonly #place: UploadPlace
  #failures = 0
  #furthest = 0
  #wait: { readonly delayMs: number; readonly error: RegistryError } | undefined

  constructor(place: UploadPlace) {
    this.#place = place
  }

  /** Notes a failure; false when it was one too many, or none that another try can mend. */
  bears(error: RegistryError, mends: boolean): boolean {
    const { policy } = this.#place.endpoint
    this.#failures++
    if (mends && patienceOf(error) === 'none') {
      if (this.#failures >= policy.attempts) return false
      this.#wait = { error, delayMs: backOff(this.#failures, policy) }
      return true
    }
    const delayMs = nextDelay(error, this.#failures, policy)
    this.#wait = delayMs === undefined ? undefined : { error, delayMs }
    return delayMs !== undefined
  }

  /** Waits as long as the last failure asks for. */
  async wait({ signal }: AbortOptions): Promise<void> {
    const wait = this.#wait
    if (!wait) return
    this.#wait = undefined
    const { endpoint, what } = this.#place
    endpoint.notify({ ...wait, attempt: this.#failures, what })
    await pause(wait.delayMs, endpoint.policy, { signal })
  }

  /** Notes how far the registry has come. */
  reached(at: number): void {
    if (at >= this.#furthest + progressBytes) this.#failures = 0
    this.#furthest = Math.max(this.#furthest, at)
  }
}
