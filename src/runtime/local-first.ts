import { readBlob } from '../content/blob.ts'
import type { Provider, Target } from '../content/types.ts'
import { hasCode, isNotFound } from '../errors.ts'
import { maxManifestSize } from '../oci/document.ts'
import { isConfig, isManifestOrIndex } from '../oci/media-type.ts'

/**
 * A provider that takes indexes, manifests and configs from `local` where they are there and right, all else from `remote`.
 *
 * So a pull that goes on, or adds a platform, asks the registry for nothing it has.
 */
export const localFirst = (local: Provider, remote: Provider): Provider => ({
  async *read(target, options) {
    const { offset = 0, length, signal } = options ?? {}
    const small = isDocument(target) && target.size <= maxManifestSize
    if (small) {
      try {
        const bytes = await readBlob(local, target, { signal })
        yield bytes.subarray(offset, length === undefined ? undefined : offset + length)
        return
      } catch (error) {
        // A corrupt copy here is no reason to fail: the registry has a right one.
        if (!isNotFound(error) && !hasCode(error, 'DATA_LOSS')) throw error
      }
    }
    yield* remote.read(target, options)
  },
})

/** True for what is read to know the graph: indexes, manifests and configs. */
export const isDocument = (target: Pick<Target, 'mediaType'>): boolean =>
  isManifestOrIndex(target) || isConfig(target)
