import type { Provider } from '../content/types.ts'
import { isNotFound, OrlopError } from '../errors.ts'
import { rewrite } from '../handlers/pipe.ts'
import type { Wrap } from '../handlers/types.ts'
import { findManifest } from '../images/manifest.ts'
import { platforms } from '../images/platforms.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import { type Matcher, only } from '../oci/matcher.ts'
import { isIndex } from '../oci/media-type.ts'
import { formatPlatformAll, hostPlatform } from '../oci/platform.ts'
import type { AbortOptions } from '../options.ts'

/** One platform asked for: who matches, and how to name it when nobody does. */
export interface Wanted {
  readonly matcher: Matcher
  /** `linux/arm64`. */
  readonly text: string
}

/** The platform of this machine; a container's, so linux on macOS. */
export function hostWanted(): Wanted {
  const host = hostPlatform()
  const platform = host.os === 'darwin' ? { ...host, os: 'linux' } : host
  return { matcher: only(platform), text: formatPlatformAll(platform) }
}

/**
 * A wrap that leaves, of every index below `root`, what leads to the best manifest for each of `wanted`.
 *
 * A root that is no index passes whole. Throws as `selectPaths`.
 */
export async function selectManifests(
  provider: Provider,
  root: Descriptor,
  wanted: readonly Wanted[],
  options: AbortOptions = {},
): Promise<Wrap> {
  if (!isIndex(root)) return next => next
  const paths = await selectPaths(provider, root, wanted, options)
  const kept = new Set<Digest>(paths.flat().map(({ digest }) => digest))
  return rewrite((descs, parent) =>
    isIndex(parent) ? descs.filter(({ digest }) => kept.has(digest)) : descs,
  )
}

/**
 * For each of `wanted` the path from `root` to its best manifest. A root that is no index is taken whatever its platform,
 * as in containerd.
 *
 * containerd takes the union of all that match when several platforms are asked for; here each gets its one best manifest.
 *
 * @throws NOT_FOUND  nothing matches one of `wanted`; the text lists what there is
 */
export async function selectPaths(
  provider: Provider,
  root: Descriptor,
  wanted: readonly Wanted[],
  options: AbortOptions = {},
): Promise<ReadonlyArray<readonly Descriptor[]>> {
  if (!isIndex(root)) return [[root]]
  const paths: Array<readonly Descriptor[]> = []
  for (const { matcher, text } of wanted) {
    try {
      paths.push((await findManifest(provider, root, { ...options, platform: matcher })).path)
    } catch (error) {
      throw isNotFound(error) ? await noMatch(provider, root, text, error, options) : error
    }
  }
  return paths
}

async function noMatch(
  provider: Provider,
  root: Descriptor,
  text: string,
  cause: unknown,
  options: AbortOptions,
): Promise<unknown> {
  const offered = new Set<string>()
  try {
    for await (const platform of platforms(provider, root, options)) offered.add(formatPlatformAll(platform))
  } catch {
    // What went wrong first is what matters.
    return cause
  }
  if (offered.has(text)) return cause
  const list = [...offered].sort().join(', ')
  return new OrlopError(
    'NOT_FOUND',
    `index ${root.digest}: no manifest for platform ${text}; ${list ? `it offers ${list}` : 'it names no platforms'}`,
    { cause },
  )
}
