import type { Matcher } from '../oci/matcher.ts'
import { rewrite } from './pipe.ts'
import type { Wrap } from './types.ts'

/**
 * Keeps the children whose platform matches, and those that name none.
 *
 * @see containerd core/images/handlers.go, FilterPlatforms
 */
export const filterPlatforms = (matcher: Matcher): Wrap =>
  rewrite(descs => descs.filter(({ platform }) => platform === undefined || matcher.match(platform)))
