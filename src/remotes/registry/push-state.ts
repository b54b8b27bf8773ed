import { Turns } from '../../content/turns.ts'
import type { AbortOptions } from '../../options.ts'
import { abortable } from './abortable.ts'
import type { PushIngest } from './push-ingest.ts'
import { UploadHabits } from './upload-habits.ts'

/** What all pushes to one endpoint share: uploads to go on with, who holds them, and what the endpoint has shown. */
export class PushState {
  readonly habits = new UploadHabits()
  /** Changes of one tag that read it first, one after the other. */
  readonly turns = new Turns()
  /** By repository, name and ref. */
  readonly ingests = new Map<string, PushIngest>()
  readonly #held = new Map<string, Promise<void>>()

  /** Waits until nobody holds a key, and takes it; gives what lets go of it. */
  async hold(key: string, { signal }: AbortOptions): Promise<() => void> {
    for (let held = this.#held.get(key); held; held = this.#held.get(key)) {
      await (signal ? abortable(held, signal) : held)
    }
    let free: (() => void) | undefined
    const holding = new Promise<void>(resolve => {
      free = resolve
    })
    this.#held.set(key, holding)
    return () => {
      if (this.#held.get(key) === holding) this.#held.delete(key)
      free?.()
    }
  }

  /** Tells the registry to forget every upload that is left. Never throws. */
  async cancel(options: AbortOptions): Promise<void> {
    const left = [...this.ingests.values()]
    this.ingests.clear()
    await Promise.allSettled(left.map(ingest => ingest.reset(options)))
  }
}
