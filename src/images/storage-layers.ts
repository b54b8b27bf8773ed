import { OrlopError } from '../errors.ts'
import { type Digest, digestOf } from '../oci/digest.ts'
import { isDockerType, mediaTypes } from '../oci/media-type.ts'

/** A layer as a copy of its image lists it. */
export interface LayerInfo {
  readonly mediaType: string
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
}

/** The gzip of an empty tar, which old manifests name for a step that changed no file: always the same 32 bytes. */
export const emptyGzipLayer: Uint8Array = Buffer.from(
  '1f8b080000096e8800ff621805a360148c5800080000ffff2eafb5ef00040000',
  'hex',
)

/** Its digest. @see containers/image image/internal, GzippedEmptyLayerDigest */
export const emptyGzipDigest: Digest = digestOf(emptyGzipLayer)

/** The type of a layer without compression, in the format of a manifest. */
export const plainLayerType = (manifest: { readonly mediaType: string }): string =>
  isDockerType(manifest) ? mediaTypes.dockerLayer : mediaTypes.ociLayer

/**
 * The layers of a manifest, one for each that it has: its physical ones in their order, and the empty one where it says that
 * a step changed nothing.
 *
 * @param isEmpty  for each layer of the manifest whether it is such a step; lowest first
 * @param physical  the layers that there are; lowest first
 * @throws DATA_LOSS  there are more or fewer than the manifest needs
 * @see containers/image storage/storage_src.go, buildLayerInfosForCopy
 */
export function layerInfos(
  isEmpty: readonly boolean[],
  physical: readonly LayerInfo[],
): readonly LayerInfo[] {
  let next = 0
  const infos = isEmpty.map(empty => {
    if (empty) return emptyInfo
    const info = physical[next++]
    if (info === undefined)
      throw new OrlopError('DATA_LOSS', `image: more than ${physical.length} layers are expected to exist`)
    return info
  })
  if (next !== physical.length)
    throw new OrlopError('DATA_LOSS', `image: only ${next} of ${physical.length} layers are used`)
  return infos
}

const emptyInfo: LayerInfo = Object.freeze({
  mediaType: mediaTypes.dockerLayerGzip,
  digest: emptyGzipDigest,
  size: emptyGzipLayer.byteLength,
})
