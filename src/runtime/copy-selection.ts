import type { Provider } from '../content/types.ts'
import { children } from '../handlers/children.ts'
import { isUnknownPlatform } from '../handlers/limit.ts'
import { leafWhen } from '../handlers/skip.ts'
import type { Wrap } from '../handlers/types.ts'
import { attestationSubject } from '../images/convert/rewrite.ts'
import { findManifest } from '../images/manifest.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { isIndex } from '../oci/media-type.ts'
import type { AbortOptions } from '../options.ts'
import { hostWanted, selectManifests, type Wanted } from './select.ts'

/** Which parts of an image are copied. */
export interface CopySelection {
  /**
   * Of an index: `system` (default) the one manifest for the platform, `all` everything, `index-only` the index without what
   * it lists; as skopeo has them.
   */
  readonly multiArch?: 'system' | 'all' | 'index-only' | undefined
  /**
   * For `system`; default: this machine's. One is copied as a manifest by itself; several with an index that lists them alone, or the index as it is
   * where digests must stay.
   */
  readonly platforms?: readonly Wanted[] | undefined
  readonly preserveDigests?: boolean | undefined
}

/** What of an image is copied. */
export interface Selected {
  readonly root: Descriptor
  readonly isIndex: boolean
  /** Leaves out entries of indexes. */
  readonly select?: Wrap
  /** True: the index keeps its entries, though not all of them come. */
  readonly keepsIndex: boolean
  /** What stays behind, in words. */
  readonly left: readonly string[]
}

/**
 * Chooses what is copied.
 *
 * @throws NOT_FOUND  nothing for a platform; the text lists what there is
 */
export async function selectForCopy(
  blobs: Provider,
  root: Descriptor,
  { multiArch = 'system', platforms = [], preserveDigests = false, signal }: CopySelection & AbortOptions,
): Promise<Selected> {
  const [wanted = hostWanted(), ...others] = platforms
  const whole = { root, isIndex: isIndex(root), keepsIndex: true, left: [] }
  if (!isIndex(root) || multiArch === 'all') return whole
  if (multiArch === 'index-only') return { ...whole, select: leafWhen(isIndex) }
  const select = await selectManifests(blobs, root, [wanted, ...others], { signal })
  if (others.length > 0) return { ...whole, select, keepsIndex: preserveDigests }
  const { descriptor } = await findManifest(blobs, root, { platform: wanted.matcher, signal })
  const { mediaType, digest, size } = descriptor
  const left = await attestationsOf(blobs, root, descriptor, { signal })
  return { root: Object.freeze({ mediaType, digest, size }), isIndex: false, keepsIndex: true, left }
}

/** Attestations stand beside their image in its index, and have no place without one. */
async function attestationsOf(
  blobs: Provider,
  root: Descriptor,
  { digest }: Descriptor,
  options: AbortOptions,
): Promise<readonly string[]> {
  const about = (await children(blobs)(root, options)).filter(
    ({ platform, annotations }) =>
      platform !== undefined && isUnknownPlatform(platform) && annotations?.[attestationSubject] === digest,
  )
  return about.map(entry => `attestation ${entry.digest}, for it needs an index (--multi-arch all)`)
}
