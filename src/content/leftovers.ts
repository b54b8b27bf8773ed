import type { AbortOptions } from '../options.ts'

/** A store in which a crash can leave things that no call of the contract shows. */
export interface LeavesLeftovers {
  /**
   * Removes what is neither blob nor ingest and that no writer here is making; for collections.
   *
   * @returns how many things there were
   */
  removeLeftovers(options?: AbortOptions): Promise<number>
}

/** True for a store that can be told to remove its leftovers. */
export const leavesLeftovers = <T extends object>(store: T): store is T & LeavesLeftovers =>
  'removeLeftovers' in store
