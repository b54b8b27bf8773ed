import type { InfoProvider, Provider } from '../content/types.ts'
import { isNotFound } from '../errors.ts'
import { children } from '../handlers/children.ts'
import { dispatch } from '../handlers/dispatch.ts'
import { limitManifests } from '../handlers/limit.ts'
import { pipe } from '../handlers/pipe.ts'
import { filterPlatforms } from '../handlers/platforms.ts'
import { skipMissing } from '../handlers/skip.ts'
import type { Handler } from '../handlers/types.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import { anyPlatform } from '../oci/matcher.ts'
import type { AbortOptions } from '../options.ts'
import type { PlatformOptions } from './types.ts'

/** Options of `usage`. */
export interface UsageOptions extends PlatformOptions {
  /** Follow so many entries of an index, the best for `platform`; they must be there then. Default: all that match. */
  readonly limit?: number | undefined
  /** True: count what descriptors say, whether the blob is there or not. Default: the bytes that are there. */
  readonly declared?: boolean | undefined
}

/**
 * Bytes that images take in a store. A blob counts once, however often and by however many of them it is named.
 *
 * Counts what is there: a blob that is absent counts 0, and what only it could name is not counted. containerd counts a
 * shared blob once a reference, and the descriptor's size where it is less than the blob's.
 *
 * @param options.limit  as containerd's `WithManifestLimit`; a platform that is not offered is an error then
 * @param options.declared  as containerd's `WithManifestUsage`
 * @returns bytes, ≥ 0
 * @throws NOT_FOUND  with `limit`: nothing matches `platform`, or an index or manifest is not there
 * @throws DATA_LOSS  the bytes of an index or manifest are not what their digest says
 * @see containerd core/images/usage/calculator.go
 */
export async function usage(
  store: Provider & InfoProvider,
  targets: Descriptor | readonly Descriptor[],
  options: UsageOptions = {},
): Promise<number> {
  const { declared = false, signal } = options
  const sizes = new Map<Digest, number>()
  const count = async (desc: Descriptor, work: AbortOptions): Promise<void> => {
    if (declared) sizes.set(desc.digest, desc.size)
    else if (!sizes.has(desc.digest)) sizes.set(desc.digest, await stored(store, desc, work))
  }
  await dispatch(handlerOf(store, options), count, [targets].flat(), { signal })
  return [...sizes.values()].reduce((total, size) => total + size, 0)
}

const handlerOf = (store: Provider, { platform = anyPlatform, limit }: UsageOptions): Handler =>
  limit === undefined
    ? pipe(children(store), skipMissing, filterPlatforms(platform))
    : pipe(children(store), filterPlatforms(platform), limitManifests(platform, limit))

async function stored(store: InfoProvider, { digest }: Descriptor, options: AbortOptions): Promise<number> {
  try {
    return (await store.info(digest, options)).size
  } catch (error) {
    if (isNotFound(error)) return 0
    throw error
  }
}
