import type { AbortOptions } from '../options.ts'
import type { Store } from '../runtime/store.ts'
import type { Verbs } from '../runtime/verbs.ts'

/** How a process takes part in a store: as its owner, who has its database open, or as a guest of who is. */
export interface Member {
  readonly isOwner: boolean
  readonly store: Store
  readonly verbs: Verbs
  /** Ends it. An owner waits for the calls of its guests, for a while, or until the signal fires. */
  leave(options?: AbortOptions): Promise<void>
}
