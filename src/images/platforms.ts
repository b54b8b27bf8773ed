import type { Provider } from '../content/types.ts'
import { isNotFound } from '../errors.ts'
import { children } from '../handlers/children.ts'
import { isUnknownPlatform } from '../handlers/limit.ts'
import { pipe } from '../handlers/pipe.ts'
import { leafWhen, skipMissing } from '../handlers/skip.ts'
import { walk } from '../handlers/walk.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { isConfig } from '../oci/media-type.ts'
import { normalizePlatform, type Platform } from '../oci/platform.ts'
import type { AbortOptions } from '../options.ts'
import { configPlatform, entriesOnce } from './select.ts'

/** Options of `platforms`. */
export interface PlatformsOptions extends AbortOptions {
  /** `skip`: entries without platform whose blobs are absent are left out; `error` (default): NOT_FOUND. */
  readonly onMissing?: 'error' | 'skip' | undefined
}

/**
 * The platforms that an image offers, by normal names and in its own order; one that is listed twice comes twice.
 *
 * An entry that names its platform is believed and not read; of others the config is asked. Attestations
 * (`unknown/unknown`) and artifacts have none.
 *
 * @throws NOT_FOUND  `provider` lacks an index, or what must be read of an entry without platform
 * @throws DATA_LOSS  the bytes of an index, manifest or config are not what their digest says
 * @see containerd core/images/image.go, Platforms
 */
export async function* platforms(
  provider: Provider,
  target: Descriptor,
  { onMissing = 'error', signal }: PlatformsOptions = {},
): AsyncGenerator<Platform, void, undefined> {
  const isNamed = ({ platform }: Descriptor): boolean => platform !== undefined
  const all = pipe(children(provider), leafWhen(isNamed))
  const handler = onMissing === 'skip' ? pipe(all, skipMissing) : all
  for await (const desc of walk(handler, [target], { ...entriesOnce(), signal })) {
    const platform = await platformOf(provider, desc, { onMissing, signal })
    if (platform && !isUnknownPlatform(platform)) yield platform
  }
}

async function platformOf(
  provider: Provider,
  desc: Descriptor,
  { onMissing, signal }: PlatformsOptions,
): Promise<Platform | undefined> {
  if (desc.platform) return normalizePlatform(desc.platform)
  if (!isConfig(desc)) return undefined
  try {
    return await configPlatform(provider, desc, { signal })
  } catch (error) {
    if (onMissing === 'skip' && isNotFound(error)) return undefined
    throw error
  }
}
