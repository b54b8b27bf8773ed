import { OrlopError } from '../errors.ts'

/** The media types known by name. Others pass through as opaque leaves. */
export const mediaTypes = {
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerManifestList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar',
  dockerLayerGzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  dockerLayerZstd: 'application/vnd.docker.image.rootfs.diff.tar.zstd',
  dockerForeignLayer: 'application/vnd.docker.image.rootfs.foreign.diff.tar',
  dockerForeignLayerGzip: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
  dockerSchema1: 'application/vnd.docker.distribution.manifest.v1+json',
  dockerSchema1Signed: 'application/vnd.docker.distribution.manifest.v1+prettyjws',
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  ociEmpty: 'application/vnd.oci.empty.v1+json',
  ociLayer: 'application/vnd.oci.image.layer.v1.tar',
  ociLayerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  ociLayerZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  ociNondistributableLayer: 'application/vnd.oci.image.layer.nondistributable.v1.tar',
  ociNondistributableLayerGzip: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
  ociNondistributableLayerZstd: 'application/vnd.oci.image.layer.nondistributable.v1.tar+zstd',
  erofsLayer: 'application/vnd.erofs.layer.v1',
  inToto: 'application/vnd.in-toto+json',
  checkpoint: 'application/vnd.containerd.container.criu.checkpoint.criu.tar',
  checkpointPreDump: 'application/vnd.containerd.container.criu.checkpoint.predump.tar',
  checkpointResource: 'application/vnd.containerd.container.criu.checkpoint.resource.tar',
  checkpointReadWrite: 'application/vnd.containerd.container.criu.checkpoint.rw.tar',
  checkpointConfig: 'application/vnd.containerd.container.checkpoint.config.v1+proto',
  checkpointOptions: 'application/vnd.containerd.container.checkpoint.options.v1+proto',
  checkpointRuntimeName: 'application/vnd.containerd.container.checkpoint.runtime.name',
  checkpointRuntimeOptions: 'application/vnd.containerd.container.checkpoint.runtime.options+proto',
  octetStream: 'application/octet-stream',
} as const

type Typed = { readonly mediaType: string }

const dockerLayers: ReadonlySet<string> = new Set([
  mediaTypes.dockerLayer,
  mediaTypes.dockerLayerGzip,
  mediaTypes.dockerLayerZstd,
  mediaTypes.dockerForeignLayer,
  mediaTypes.dockerForeignLayerGzip,
])

const baseOf = (mediaType: string): string => mediaType.split('+', 1)[0] ?? mediaType

/** True for the two image manifests; schema 1 is none. @see containerd core/images/mediatypes.go */
export const isManifest = ({ mediaType }: Typed): boolean =>
  mediaType === mediaTypes.ociManifest || mediaType === mediaTypes.dockerManifest

/** True for the OCI index and Docker's manifest list. */
export const isIndex = ({ mediaType }: Typed): boolean =>
  mediaType === mediaTypes.ociIndex || mediaType === mediaTypes.dockerManifestList

/** True for what names other blobs, and what registries keep apart from them: a manifest or an index. */
export const isManifestOrIndex = (typed: Typed): boolean => isManifest(typed) || isIndex(typed)

/** True for the two image configs. */
export const isConfig = ({ mediaType }: Typed): boolean =>
  mediaType === mediaTypes.ociConfig || mediaType === mediaTypes.dockerConfig

/** True for image configs and the two configs of checkpoints; these get the label `…gc.ref.content.config`. */
export const isKnownConfig = (typed: Typed): boolean =>
  isConfig(typed) ||
  typed.mediaType === mediaTypes.checkpointConfig ||
  typed.mediaType === mediaTypes.checkpointOptions

/** True for every layer type, encrypted, foreign and EROFS ones among them. */
export const isLayer = ({ mediaType }: Typed): boolean =>
  mediaType.startsWith('application/vnd.oci.image.layer.') ||
  dockerLayers.has(baseOf(mediaType)) ||
  baseOf(mediaType) === mediaTypes.erofsLayer

/** True for layers that a licence keeps from being pushed (Docker calls them foreign). */
export const isNonDistributable = ({ mediaType }: Typed): boolean =>
  mediaType.startsWith('application/vnd.oci.image.layer.nondistributable.') ||
  mediaType.startsWith('application/vnd.docker.image.rootfs.foreign.')

/** True for any of Docker's own types. */
export const isDockerType = ({ mediaType }: Typed): boolean => mediaType.startsWith('application/vnd.docker.')

/** True for Docker schema 1, signed or not: refused everywhere. */
export const isSchema1 = ({ mediaType }: Typed): boolean =>
  mediaType === mediaTypes.dockerSchema1 || mediaType === mediaTypes.dockerSchema1Signed

/** True for in-toto statements. */
export const isAttestation = ({ mediaType }: Typed): boolean => mediaType === mediaTypes.inToto

/** What a layer's media type says of its compression: `''` is none, `'unknown'` means that the bytes must be asked. */
export type LayerCompression = '' | 'unknown' | 'gzip' | 'zstd'

/**
 * The compression that a layer's media type names.
 *
 * Suffixes are sorted before the last one decides, so `+gzip+encrypted` is gzip, as in containerd.
 *
 * @throws UNIMPLEMENTED  not a layer type
 * @see containerd core/images/mediatypes.go, DiffCompression
 */
export function layerCompression(mediaType: string): LayerCompression {
  const [base = '', ...suffixes] = mediaType.split('+')
  const last = suffixes.toSorted().at(-1)
  switch (base) {
    case mediaTypes.dockerLayer:
    case mediaTypes.dockerForeignLayer:
      return last === undefined ? 'unknown' : ''
    case mediaTypes.dockerLayerGzip:
    case mediaTypes.dockerForeignLayerGzip:
      return last === undefined ? 'gzip' : ''
    case mediaTypes.dockerLayerZstd:
      return last === undefined ? 'zstd' : ''
    case mediaTypes.erofsLayer:
      return ''
  }
  if (base.startsWith('application/vnd.oci.image.layer.'))
    return last === 'gzip' || last === 'zstd' ? last : ''
  throw new OrlopError('UNIMPLEMENTED', `media type ${mediaType}: not a layer`)
}
