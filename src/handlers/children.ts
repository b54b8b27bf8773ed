import { readBlob } from '../content/blob.ts'
import type { Provider } from '../content/types.ts'
import { OrlopError } from '../errors.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { type Index, type Manifest, maxManifestSize, parseIndex, parseManifest } from '../oci/document.ts'
import { type ImageConfig, maxConfigSize, parseImageConfig } from '../oci/image-config.ts'
import { isIndex, isManifest, isSchema1 } from '../oci/media-type.ts'
import type { AbortOptions } from '../options.ts'
import type { Handler } from './types.ts'

/**
 * Names the children of a node as its document does: of an index its entries, of a manifest the config and then the layers.
 *
 * A `subject` is no child, and media types that are not known have none.
 *
 * @throws NOT_FOUND  `provider` lacks the index or manifest
 * @throws DATA_LOSS  its bytes are not what its digest says
 * @throws INVALID_ARGUMENT  its bytes are not an index or a manifest, or are Docker schema 1
 * @throws RESOURCE_EXHAUSTED  it is larger than 4 MiB
 * @see containerd core/images/image.go, Children
 */
export const children =
  (provider: Provider): Handler =>
  async (desc, options) => {
    if (isIndex(desc)) return (await readIndex(provider, desc, options)).manifests
    if (isManifest(desc)) {
      const { config, layers } = await readManifest(provider, desc, options)
      return [config, ...layers]
    }
    if (isSchema1(desc)) {
      throw new OrlopError(
        'INVALID_ARGUMENT',
        `manifest ${desc.digest}: Docker schema 1 is not supported; push the image again in a newer format`,
      )
    }
    return []
  }

/** The index behind a descriptor, checked and parsed. Throws as `children` does. */
export const readIndex = async (
  provider: Provider,
  desc: Descriptor,
  { signal }: AbortOptions = {},
): Promise<Index> =>
  parseIndex(await readBlob(provider, desc, { maxSize: maxManifestSize, signal }), `index ${desc.digest}`)

/** The manifest behind a descriptor, checked and parsed. Throws as `children` does. */
export const readManifest = async (
  provider: Provider,
  desc: Descriptor,
  { signal }: AbortOptions = {},
): Promise<Manifest> =>
  parseManifest(
    await readBlob(provider, desc, { maxSize: maxManifestSize, signal }),
    `manifest ${desc.digest}`,
  )

/** The image config behind a descriptor, checked and parsed. Throws as `children` does; up to 1 MiB are read. */
export const readConfig = async (
  provider: Provider,
  desc: Descriptor,
  { signal }: AbortOptions = {},
): Promise<ImageConfig> =>
  parseImageConfig(
    await readBlob(provider, desc, { maxSize: maxConfigSize, signal }),
    `config ${desc.digest}`,
  )
