import type { Provider } from '../../content/types.ts'
import { OrlopError } from '../../errors.ts'
import { readConfig } from '../../handlers/children.ts'
import { manifest } from '../../images/manifest.ts'
import type { PlatformOptions } from '../../images/types.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import type { Digest } from '../../oci/digest.ts'
import type { ImageConfig } from '../../oci/image-config.ts'
import { isConfig, mediaTypes } from '../../oci/media-type.ts'
import type { LayerRef } from './types.ts'

/** A layer of an image, and what it must be without its compression. */
export interface ImageLayer {
  readonly ref: LayerRef
  readonly descriptor: Descriptor
  readonly diffId?: Digest
}

/** The layers of an image for one platform, and its config. */
export interface OpenedImage {
  readonly provider: Provider
  /** Lowest first. */
  readonly layers: readonly ImageLayer[]
  /** Absent for an artifact, whose config is none. */
  readonly config?: ImageConfig
}

/**
 * The layers of an image; manifest and config are read, and no layer.
 *
 * @throws NOT_FOUND  no manifest for the platform, or a document is absent
 * @throws DATA_LOSS  a document is not what its digest says
 * @throws INVALID_ARGUMENT  the config names another number of layers than the manifest
 */
export async function openImage(
  provider: Provider,
  target: Descriptor,
  options: PlatformOptions,
): Promise<OpenedImage> {
  const found = await manifest(provider, target, options)
  const config = hasConfig(found.config) ? await readConfig(provider, found.config, options) : undefined
  const diffIds = config?.diffIds ?? []
  if (diffIds.length > 0 && diffIds.length !== found.layers.length) {
    throw new OrlopError(
      'INVALID_ARGUMENT',
      `config ${found.config.digest}: names ${diffIds.length} layers, its manifest ${found.layers.length}`,
    )
  }
  const layers = found.layers.map((descriptor, index): ImageLayer => {
    const diffId = diffIds[index]
    return { ref: { index, digest: descriptor.digest }, descriptor, ...(diffId && { diffId }) }
  })
  return { provider, layers, ...(config && { config }) }
}

const hasConfig = (config: Descriptor): boolean =>
  isConfig(config) || config.mediaType === mediaTypes.octetStream
