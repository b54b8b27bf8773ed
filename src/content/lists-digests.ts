import type { Digest } from '../oci/digest.ts'
import type { AbortOptions } from '../options.ts'

/** A store that can tell what it has without looking at each blob; for collections, which look only at what no record names. */
export interface ListsDigests {
  /** Every blob as it was when the listing began, in no order; one that is deleted meanwhile may be told, or may not. */
  digests(options?: AbortOptions): AsyncIterable<Digest>
}

/** True for a store that lists digests. */
export const listsDigests = <T extends object>(store: T): store is T & ListsDigests => 'digests' in store
