import { OrlopError } from '../../errors.ts'
import {
  isDockerType,
  isLayer,
  isNonDistributable,
  type LayerCompression,
  layerCompression,
  mediaTypes,
} from '../../oci/media-type.ts'
import type { Compression } from '../decompress.ts'

/** The two families of manifests, configs and layers: OCI's, and Docker's of schema 2. */
export type Format = 'oci' | 'docker'

/** What a layer's media type says. */
export interface LayerType {
  readonly format: Format
  readonly compression: LayerCompression
  readonly isForeign: boolean
}

/** What a media type says of a layer; `undefined` for what is none, or one that cannot be converted: encrypted, EROFS. */
export function readLayerType(mediaType: string): LayerType | undefined {
  if (!isLayer({ mediaType }) || mediaType === mediaTypes.erofsLayer) return undefined
  const format = isDockerType({ mediaType }) ? 'docker' : 'oci'
  const isForeign = isNonDistributable({ mediaType })
  const compression = layerCompression(mediaType)
  const known = compression === 'unknown' || layerType({ format, compression, isForeign }) === mediaType
  return known ? { format, compression, isForeign } : undefined
}

/** The media type of a layer; `''` is no compression. */
export function layerType({ format, compression, isForeign }: LayerType): string | undefined {
  const types = table[format][isForeign ? 'foreign' : 'usual']
  return types[compression === 'unknown' ? '' : compression]
}

const table: Readonly<
  Record<Format, Readonly<Record<'usual' | 'foreign', Readonly<Partial<Record<string, string>>>>>>
> = {
  oci: {
    usual: {
      '': mediaTypes.ociLayer,
      gzip: mediaTypes.ociLayerGzip,
      zstd: mediaTypes.ociLayerZstd,
    },
    foreign: {
      '': mediaTypes.ociNondistributableLayer,
      gzip: mediaTypes.ociNondistributableLayerGzip,
      zstd: mediaTypes.ociNondistributableLayerZstd,
    },
  },
  docker: {
    usual: {
      '': mediaTypes.dockerLayer,
      gzip: mediaTypes.dockerLayerGzip,
      zstd: mediaTypes.dockerLayerZstd,
    },
    foreign: { '': mediaTypes.dockerForeignLayer, gzip: mediaTypes.dockerForeignLayerGzip },
  },
}

/**
 * The media type of a layer in another format and with another compression.
 *
 * Docker's zstd type is read, for there are such images, and never written: few programs know it.
 *
 * @throws FAILED_PRECONDITION  Docker's format has no such layer
 */
export function convertedLayerType(type: LayerType, format: Format, compression: Compression): string {
  const found = layerType({ ...type, format, compression: compression === 'none' ? '' : compression })
  if (found === undefined || found === mediaTypes.dockerLayerZstd) {
    throw new OrlopError(
      'FAILED_PRECONDITION',
      `Docker's format has no layers compressed with ${compression}; ask for gzip too, or for OCI's format`,
    )
  }
  return found
}

const documents = [
  [mediaTypes.ociIndex, mediaTypes.dockerManifestList],
  [mediaTypes.ociManifest, mediaTypes.dockerManifest],
  [mediaTypes.ociConfig, mediaTypes.dockerConfig],
] as const

/** The media type of an index, manifest or image config in another format; others stay. */
export function documentType(mediaType: string, format: Format): string {
  const [oci = mediaType, docker = mediaType] =
    documents.find(pair => pair.some(type => type === mediaType)) ?? []
  return format === 'oci' ? oci : docker
}

/** The media type of a manifest's config; `application/octet-stream` is what old registries call Docker's. */
export const configType = (mediaType: string, format: Format): string =>
  documentType(mediaType === mediaTypes.octetStream ? mediaTypes.dockerConfig : mediaType, format)
