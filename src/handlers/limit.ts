import { OrlopError } from '../errors.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Matcher } from '../oci/matcher.ts'
import { isIndex } from '../oci/media-type.ts'
import type { Platform } from '../oci/platform.ts'
import { rewrite } from './pipe.ts'
import type { Wrap } from './types.ts'

/**
 * Sorts the entries of an index, best first, and keeps the first `limit` of them; children of other nodes pass.
 *
 * The sort is stable. Entries without platform come after those with one. It only sorts and cuts: entries that do not
 * match must be filtered out before, by `filterPlatforms`.
 *
 * Unlike containerd, entries for `unknown/unknown` (attestations) come after all others, so that a matcher that takes
 * everything does not choose an attestation that happens to stand first.
 *
 * @param limit  0 or less only sorts
 * @throws NOT_FOUND  an index is left without entries, and `limit` is above 0
 * @see containerd core/images/handlers.go, LimitManifests
 */
export const limitManifests = (matcher: Matcher, limit: number): Wrap =>
  rewrite((descs, parent) => {
    if (!isIndex(parent)) return descs
    const sorted = descs.toSorted(bestFirst(matcher))
    if (limit <= 0) return sorted
    if (sorted.length === 0) throw noManifest(parent)
    return sorted.slice(0, limit)
  })

/** The error for an index that offers nothing for the platform that was asked for. */
export const noManifest = (index: Descriptor): OrlopError =>
  new OrlopError(
    'NOT_FOUND',
    `index ${index.digest}: no manifest for this platform; ask for one that it lists`,
  )

/** True for the platform that build tools give to attestations: `unknown/unknown`. */
export const isUnknownPlatform = ({ os, architecture }: Platform): boolean =>
  os === 'unknown' && architecture === 'unknown'

const bestFirst =
  (matcher: Matcher) =>
  (a: Descriptor, b: Descriptor): number => {
    const difference = rank(a) - rank(b)
    if (difference !== 0 || a.platform === undefined || b.platform === undefined) return difference
    return matcher.compare(a.platform, b.platform)
  }

const rank = ({ platform }: Descriptor): number => {
  if (platform === undefined) return 1
  return isUnknownPlatform(platform) ? 2 : 0
}
