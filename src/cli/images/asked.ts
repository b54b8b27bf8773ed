import type { EntryReport } from '../../images/completeness.ts'
import type { Matcher } from '../../oci/matcher.ts'

/** The entry that stands for a platform: of those that match the best, and of equals the most complete. */
export function asked(entries: readonly EntryReport[], matcher: Matcher): EntryReport | undefined {
  const rank = { complete: 0, partial: 1, missing: 2 } as const
  return entries
    .filter(({ platform }) => platform !== undefined && matcher.match(platform))
    .toSorted((a, b) => {
      const order = a.platform && b.platform ? matcher.compare(a.platform, b.platform) : 0
      return order || rank[a.state] - rank[b.state]
    })[0]
}
