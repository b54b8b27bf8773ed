import type { Provider } from '../content/types.ts'
import { isNotFound, OrlopError } from '../errors.ts'
import { children, readConfig, readManifest } from '../handlers/children.ts'
import { limitManifests, noManifest } from '../handlers/limit.ts'
import { annotatePath, defaultMaxDepth, defaultMaxNodes } from '../handlers/path.ts'
import { pipe } from '../handlers/pipe.ts'
import { filterPlatforms } from '../handlers/platforms.ts'
import { leafWhen } from '../handlers/skip.ts'
import type { Handler, Wrap } from '../handlers/types.ts'
import { type WalkOptions, walkPaths } from '../handlers/walk.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Manifest } from '../oci/document.ts'
import { anyPlatform, type Matcher } from '../oci/matcher.ts'
import { isConfig, isIndex, isManifest, mediaTypes } from '../oci/media-type.ts'
import { formatPlatformAll, normalizePlatform, type Platform } from '../oci/platform.ts'
import type { AbortOptions } from '../options.ts'
import type { PlatformOptions } from './types.ts'

/** A manifest and how the image's target leads to it. */
export interface FoundManifest {
  readonly descriptor: Descriptor
  /** The target first, the manifest's own descriptor last. */
  readonly path: readonly Descriptor[]
  readonly manifest: Manifest
}

/**
 * The manifest of an image for one platform, with the path to it.
 *
 * A target that is a manifest itself is taken whatever its platform. Entries of an index come best first, those without
 * platform last; of these the config is asked. Where containerd cuts to the single best entry before it looks at configs,
 * here every entry without platform is tried, and one whose blobs are absent does not hide the next.
 *
 * @throws NOT_FOUND  no manifest matches, the target is neither index nor manifest, or `provider` lacks a blob on the way
 * @throws DATA_LOSS  the bytes of an index, manifest or config are not what their digest says
 * @see containerd core/images/image.go, Manifest
 */
export async function findManifest(
  provider: Provider,
  target: Descriptor,
  options: PlatformOptions = {},
): Promise<FoundManifest> {
  if (!isIndex(target) && !isManifest(target)) {
    throw new OrlopError(
      'NOT_FOUND',
      `${target.digest}: no manifest, for its media type is ${JSON.stringify(target.mediaType)}`,
    )
  }
  let missing: unknown
  const note = (error: unknown): void => {
    missing ??= error
  }
  for await (const path of candidates(pipe(children(provider), absentAsEmpty(note)), target, options)) {
    const descriptor = lastOf(path)
    if (!isManifest(descriptor)) continue
    try {
      const manifest = await readManifest(provider, descriptor, options)
      if (await isWanted(provider, path, manifest, options)) return { descriptor, path, manifest }
    } catch (error) {
      const failure = annotatePath(error, path, options)
      if (!isNotFound(error) || isMarked(path)) throw failure
      note(failure)
    }
  }
  throw missing ?? noManifest(target)
}

/**
 * Paths to what an index offers for a platform, best first: its manifests, nested indexes and opaque entries.
 *
 * Entries are not told apart by digest alone, for one manifest may stand for several platforms.
 */
export const candidates = (
  handler: Handler,
  target: Descriptor,
  { platform = anyPlatform, signal }: PlatformOptions,
): AsyncGenerator<readonly Descriptor[], void, undefined> =>
  walkPaths(
    pipe(handler, filterPlatforms(platform), limitManifests(platform, 0), leafWhen(isManifest)),
    [target],
    {
      ...entriesOnce(),
      signal,
    },
  )

/** Walks each entry once, shared subtrees too, within limits that hold for any walk of an image. */
export const entriesOnce = (): WalkOptions => ({
  seen: new Set(),
  key: ({ mediaType, digest, platform }) =>
    `${mediaType} ${digest} ${platform === undefined ? '' : formatPlatformAll(platform)}`,
  maxNodes: defaultMaxNodes,
  maxDepth: defaultMaxDepth,
})

/** The end of a path, which is what it leads to. */
export function lastOf(path: readonly Descriptor[]): Descriptor {
  const last = path.at(-1)
  if (last === undefined) throw new OrlopError('INTERNAL', 'an empty path')
  return last
}

/** True when a manifest needs no config to be taken: it is the target itself, or its entry names a platform. */
export const isMarked = (path: readonly Descriptor[]): boolean =>
  path.length === 1 || lastOf(path).platform !== undefined

/**
 * The platform that a config names, by normal names; `undefined` when it names none, as those of artifacts.
 *
 * Only blobs that are image configs by media type are read, and `application/octet-stream`, as old registries say.
 *
 * @throws NOT_FOUND  `provider` lacks the config
 * @see containerd core/images/image.go, ConfigPlatform
 */
export async function configPlatform(
  provider: Provider,
  config: Descriptor,
  options: AbortOptions = {},
): Promise<Platform | undefined> {
  if (!isConfig(config) && config.mediaType !== mediaTypes.octetStream) return undefined
  const { platform } = await readConfig(provider, config, options)
  return platform.os === '' && platform.architecture === '' ? undefined : normalizePlatform(platform)
}

/** True when a matcher takes the platform of a config; one without platform counts as `unknown/unknown`. */
export const takes = (matcher: Matcher, platform: Platform | undefined): boolean =>
  matcher.match(platform ?? { os: 'unknown', architecture: 'unknown' })

async function isWanted(
  provider: Provider,
  path: readonly Descriptor[],
  { config }: Manifest,
  { platform, signal }: PlatformOptions,
): Promise<boolean> {
  if (platform === undefined || isMarked(path)) return true
  return takes(platform, await configPlatform(provider, config, { signal }))
}

/** An absent index that names no platform has no entries; `note` is told. Others fail the search. */
const absentAsEmpty =
  (note: (error: unknown) => void): Wrap =>
  next =>
  async (desc, options) => {
    try {
      return await next(desc, options)
    } catch (error) {
      if (!isNotFound(error) || desc.platform !== undefined) throw error
      note(error)
      return []
    }
  }
