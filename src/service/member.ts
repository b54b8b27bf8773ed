import type { AbortOptions } from '../options.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { Store } from '../runtime/store.ts'

/** How a process takes part in a store: as its owner, who has its database open, or as a guest of who is. */
export interface Member {
  readonly store: Store
  /** Of an owner. */
  readonly runtime?: Runtime
  /** Collects what nothing keeps; gives the bytes that came free, where it is known. `namespace` is as in `RemoteStore`. */
  collect(namespace: string, options?: AbortOptions): Promise<number | undefined>
  /** Ends it. An owner waits for the calls of its guests, for a while, or until the signal fires. */
  leave(options?: AbortOptions): Promise<void>
}
