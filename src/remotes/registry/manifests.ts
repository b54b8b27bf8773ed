import { OrlopError } from '../../errors.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { algorithmOf, type Digest, digestOf, isDigest } from '../../oci/digest.ts'
import { kindOfDocument, maxManifestSize } from '../../oci/document.ts'
import { isObject, parseJson } from '../../oci/json.ts'
import { isDockerType, isIndex, isManifest, isSchema1, mediaTypes } from '../../oci/media-type.ts'
import type { AbortOptions } from '../../options.ts'
import type { FetchedManifest } from '../types.ts'
import type { Endpoint, EndpointRequest } from './endpoint.ts'
import { hasStatus, RegistryError } from './error.ts'
import { contentLength, contentType, type HttpResponse, headerValue, readUpTo } from './http.ts'
import { repositoryScope } from './scope.ts'

/** The media types of manifests and indexes, as an Accept header. */
export const manifestTypes = [
  mediaTypes.ociIndex,
  mediaTypes.ociManifest,
  mediaTypes.dockerManifestList,
  mediaTypes.dockerManifest,
  '*/*',
].join(', ')

/**
 * The descriptor of what a tag or digest points at: by HEAD where that tells enough, else by reading the manifest.
 *
 * What HEAD tells is the registry's claim; whoever reads the manifest by this descriptor checks it.
 *
 * @param repository  path of the repository
 * @param name  a tag or a digest
 * @throws NOT_FOUND  neither repository nor manifest
 * @throws UNIMPLEMENTED  a Docker schema 1 manifest
 * @throws DATA_LOSS  the body is not what `name`, a digest, says
 */
export async function resolveManifest(
  endpoint: Endpoint,
  repository: string,
  name: string,
  options?: AbortOptions,
): Promise<Descriptor> {
  const request = manifestRequest(endpoint, repository, name)
  try {
    const claimed = await endpoint.exchange(
      { ...request, method: 'HEAD' },
      r => claim(r, request.what),
      options,
    )
    if (claimed && (!isDigest(name) || claimed.digest === name)) return claimed
  } catch (error) {
    // Not every registry has HEAD; and a HEAD that is denied has no body to say why, so GET asks again.
    const headFailed = error instanceof RegistryError && error.method === 'HEAD'
    if (!headFailed || !hasStatus(error, 403, 405, 501)) throw error
  }
  return (await fetchManifest(endpoint, repository, name, options)).target
}

/**
 * A manifest or index, whole. Its digest is of the algorithm that `name` or the registry has it in, else sha256.
 *
 * @throws RESOURCE_EXHAUSTED  more than 4 MiB
 * @throws INVALID_ARGUMENT  not JSON, or of a type that cannot be told
 * @throws DATA_LOSS  the bytes are not what `name`, a digest, says; or for a tag what the registry says they are
 */
export function fetchManifest(
  endpoint: Endpoint,
  repository: string,
  name: string,
  options?: AbortOptions,
): Promise<FetchedManifest> {
  const request = manifestRequest(endpoint, repository, name)
  const { what } = request
  const read = async (response: HttpResponse): Promise<FetchedManifest> => {
    refuseLarge(response.encoded ? undefined : contentLength(response), what)
    const { bytes, whole } = await readUpTo(response.body, maxManifestSize)
    if (!whole) refuseLarge(Number.POSITIVE_INFINITY, what)
    const digest = checkDigest(bytes, isDigest(name) ? name : claimedDigest(response), what)
    const mediaType = mediaTypeOf(contentType(response), bytes, what)
    return { target: Object.freeze({ mediaType, digest, size: bytes.byteLength }), bytes }
  }
  return endpoint.exchange(request, read, options)
}

const manifestRequest = ({ host }: Endpoint, repository: string, name: string): EndpointRequest => ({
  method: 'GET',
  path: `/${repository}/manifests/${name}`,
  headers: { accept: manifestTypes },
  scopes: [repositoryScope(repository, 'pull')],
  what: `${host.name}/${repository}${isDigest(name) ? '@' : ':'}${name}`,
})

/** What the headers say, or `undefined` when they say too little. */
async function claim(response: HttpResponse, what: string): Promise<Descriptor | undefined> {
  await response.body.dump()
  const mediaType = contentType(response)
  const digest = claimedDigest(response)
  const size = contentLength(response)
  if (isSchema1({ mediaType })) throw schema1(what)
  refuseLarge(size, what)
  const encoded = headerValue(response.headers, 'content-encoding') ?? 'identity'
  if (size === undefined || size === 0 || encoded !== 'identity') return undefined
  if (digest === undefined || !(isManifest({ mediaType }) || isIndex({ mediaType }))) return undefined
  return Object.freeze({ mediaType, digest, size })
}

/** The digest that the registry says it is; one that cannot be read is none. */
function claimedDigest({ headers }: HttpResponse): Digest | undefined {
  const digest = headerValue(headers, 'docker-content-digest')
  return digest !== undefined && isDigest(digest) ? digest : undefined
}

/** True when a manifest or index is there. */
export async function hasManifest(
  endpoint: Endpoint,
  repository: string,
  digest: Digest,
  options?: AbortOptions,
): Promise<boolean> {
  const request = manifestRequest(endpoint, repository, digest)
  const read = async ({ status, body }: HttpResponse): Promise<number> => {
    await body.dump()
    return status
  }
  const accept = [404, 405, 501]
  const status = await endpoint.exchange({ ...request, method: 'HEAD', accept }, read, options)
  if (status === 404) return false
  return status < 300 || (await endpoint.exchange({ ...request, accept: [404] }, read, options)) < 300
}

function refuseLarge(size: number | undefined, what: string): void {
  if (size === undefined || size <= maxManifestSize) return
  throw new OrlopError(
    'RESOURCE_EXHAUSTED',
    `${what}: the manifest is larger than the ${maxManifestSize} bytes allowed`,
  )
}

function checkDigest(bytes: Uint8Array, expected: Digest | undefined, what: string): Digest {
  if (expected === undefined) return digestOf(bytes)
  const actual = digestOf(bytes, algorithmOf(expected))
  if (actual !== expected)
    throw new OrlopError(
      'DATA_LOSS',
      `${what}: expected ${expected}, the registry sent ${bytes.byteLength} bytes of ${actual} instead`,
    )
  return actual
}

/**
 * The media type of a manifest: what the response says, or what the document says when that is nothing or says nothing.
 *
 * @throws INVALID_ARGUMENT  not JSON (an HTML page, say), or JSON that is no manifest
 * @throws UNIMPLEMENTED  Docker schema 1
 */
export function mediaTypeOf(said: string, bytes: Uint8Array, what: string): string {
  if (isSchema1({ mediaType: said })) throw schema1(what)
  if (isManifest({ mediaType: said }) || isIndex({ mediaType: said })) return said
  const json = parseJson(bytes, what)
  if (!isObject(json)) throw unknown(what, said)
  const { mediaType } = json
  if (typeof mediaType === 'string' && isSchema1({ mediaType })) throw schema1(what)
  const kind = kindOfDocument(json)
  if (kind === undefined && (Object.hasOwn(json, 'fsLayers') || json.schemaVersion === 1)) throw schema1(what)
  if (typeof mediaType === 'string' && (isManifest({ mediaType }) || isIndex({ mediaType }))) return mediaType
  if (kind === 'index') return mediaTypes.ociIndex
  if (kind === 'manifest')
    return isDockerConfig(json.config) ? mediaTypes.dockerManifest : mediaTypes.ociManifest
  throw unknown(what, said)
}

const isDockerConfig = (config: unknown): boolean =>
  isObject(config) && typeof config.mediaType === 'string' && isDockerType({ mediaType: config.mediaType })

const schema1 = (what: string): OrlopError =>
  new OrlopError(
    'UNIMPLEMENTED',
    `${what}: Docker schema 1 manifests are not supported; push the image again in a newer format`,
  )

const unknown = (what: string, said: string): OrlopError =>
  new OrlopError(
    'INVALID_ARGUMENT',
    `${what}: neither a manifest nor an index (the registry calls it ${said || 'nothing'})`,
  )
