import type { Provider } from '../content/types.ts'
import { isNotFound, OrlopError } from '../errors.ts'
import { readIndex } from '../handlers/children.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { isIndex, isManifest, isManifestOrIndex } from '../oci/media-type.ts'
import { findManifest } from './select.ts'
import type { PlatformOptions } from './types.ts'

/**
 * Bytes of everything one platform needs: indexes, manifest, config, layers, as their descriptors say.
 *
 * Reads indexes and manifests, and configs of entries without platform; never layers, which need not be there. So it runs
 * on a registry without pulling. A layer listed twice counts twice, as in containerd. Which manifest is counted is what
 * `findManifest` says, where containerd takes the first entry without platform unasked. An index that lists no manifests
 * at all but opaque blobs, as build caches do, counts with all of them, where containerd counts the first. A target that
 * is neither counts as itself.
 *
 * @returns bytes, ≥ 0
 * @throws NOT_FOUND  no manifest matches `options.platform`, or `provider` lacks one
 * @throws DATA_LOSS  the bytes of an index, manifest or config are not what their digest says
 * @throws OUT_OF_RANGE  a negative size, or a sum over 2^53-1
 * @see containerd core/images/image.go, Size
 */
export async function size(
  provider: Provider,
  target: Descriptor,
  options: PlatformOptions = {},
): Promise<number> {
  options.signal?.throwIfAborted()
  if (!isIndex(target) && !isManifest(target)) return sum([target])
  try {
    const { path, manifest } = await findManifest(provider, target, options)
    return sum([...path, manifest.config, ...manifest.layers])
  } catch (error) {
    const opaque = isNotFound(error) && isIndex(target) ? await opaqueEntries(provider, target, options) : []
    if (opaque.length === 0) throw error
    return sum([target, ...opaque])
  }
}

async function opaqueEntries(
  provider: Provider,
  target: Descriptor,
  options: PlatformOptions,
): Promise<readonly Descriptor[]> {
  const { manifests } = await readIndex(provider, target, options)
  return manifests.some(desc => isManifestOrIndex(desc)) ? [] : manifests
}

const sum = (descs: readonly Descriptor[]): number =>
  descs.reduce((total, { digest, size }) => {
    if (!(size >= 0) || !Number.isSafeInteger(total + size)) {
      throw new OrlopError('OUT_OF_RANGE', `${digest}: a size of ${size} bytes cannot be counted`)
    }
    return total + size
  }, 0)
