import { OrlopError } from '../../errors.ts'
import { kindOfDocument } from '../../oci/document.ts'
import { isObject, parseJson } from '../../oci/json.ts'
import { isDockerType, isManifestOrIndex, isSchema1, mediaTypes } from '../../oci/media-type.ts'

/**
 * The media type of a manifest: what the response says, or what the document says when that is nothing or says nothing.
 *
 * @throws INVALID_ARGUMENT  not JSON (an HTML page, say), or JSON that is no manifest
 * @throws UNIMPLEMENTED  Docker schema 1
 */
export function mediaTypeOf(said: string, bytes: Uint8Array, what: string): string {
  if (isSchema1({ mediaType: said })) throw schema1(what)
  if (isManifestOrIndex({ mediaType: said })) return said
  const json = parseJson(bytes, what)
  if (!isObject(json)) throw unknown(what, said)
  const { mediaType } = json
  if (typeof mediaType === 'string' && isSchema1({ mediaType })) throw schema1(what)
  const kind = kindOfDocument(json)
  if (kind === undefined && (Object.hasOwn(json, 'fsLayers') || json.schemaVersion === 1)) throw schema1(what)
  if (typeof mediaType === 'string' && isManifestOrIndex({ mediaType })) return mediaType
  if (kind === 'index') return mediaTypes.ociIndex
  if (kind === 'manifest')
    return isDockerConfig(json.config) ? mediaTypes.dockerManifest : mediaTypes.ociManifest
  throw unknown(what, said)
}

const isDockerConfig = (config: unknown): boolean =>
  isObject(config) && typeof config.mediaType === 'string' && isDockerType({ mediaType: config.mediaType })

/** Says that a Docker schema 1 manifest is not supported. */
export const schema1 = (what: string): OrlopError =>
  new OrlopError(
    'UNIMPLEMENTED',
    `${what}: Docker schema 1 manifests are not supported; push the image again in a newer format`,
  )

const unknown = (what: string, said: string): OrlopError =>
  new OrlopError(
    'INVALID_ARGUMENT',
    `${what}: neither a manifest nor an index (the registry calls it ${said || 'nothing'})`,
  )
