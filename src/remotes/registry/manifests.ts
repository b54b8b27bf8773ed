import { OrlopError } from '../../errors.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { algorithmOf, type Digest, digestOf, isDigest } from '../../oci/digest.ts'
import { maxManifestSize } from '../../oci/document.ts'
import { isManifestOrIndex, isSchema1, mediaTypes } from '../../oci/media-type.ts'
import type { AbortOptions } from '../../options.ts'
import type { FetchedManifest } from '../types.ts'
import type { Endpoint, EndpointRequest } from './endpoint.ts'
import { hasStatus, RegistryError } from './error.ts'
import { contentLength, contentType, type HttpResponse, headerValue, readUpTo } from './http.ts'
import { mediaTypeOf, schema1 } from './manifest-type.ts'
import { repositoryScope } from './scope.ts'
import type { KnownTag, TagCache } from './tag-cache.ts'

/** The media types of manifests and indexes, as an Accept header. */
export const manifestTypes = [
  mediaTypes.ociIndex,
  mediaTypes.ociManifest,
  mediaTypes.dockerManifestList,
  mediaTypes.dockerManifest,
  '*/*',
].join(', ')

/** How manifests are asked for. */
export interface ManifestOptions extends AbortOptions {
  /** What is known of tags; the registry is asked whether it still holds. */
  readonly tags?: TagCache | undefined
}

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
  options: ManifestOptions = {},
): Promise<Descriptor> {
  const ask = new Ask(endpoint, repository, name, options)
  return (await ask.head()) ?? (await ask.get()).target
}

/**
 * A manifest or index, whole. Its digest is of the algorithm that `name` or the registry has it in, else sha256.
 *
 * One that a tag pointed at before is not sent again when HEAD says that it still does.
 *
 * @throws RESOURCE_EXHAUSTED  more than 4 MiB
 * @throws INVALID_ARGUMENT  not JSON, or of a type that cannot be told
 * @throws DATA_LOSS  the bytes are not what `name`, a digest, says; or for a tag what the registry says they are
 */
export async function fetchManifest(
  endpoint: Endpoint,
  repository: string,
  name: string,
  options: ManifestOptions = {},
): Promise<FetchedManifest> {
  const ask = new Ask(endpoint, repository, name, options)
  return (await ask.unchanged()) ?? (await ask.get())
}

/** One question for what a tag or digest points at. */
class Ask {
  readonly #endpoint: Endpoint
  readonly #name: string
  readonly #request: EndpointRequest
  readonly #options: ManifestOptions
  readonly #known: KnownTag | undefined

  constructor(endpoint: Endpoint, repository: string, name: string, options: ManifestOptions) {
    this.#endpoint = endpoint
    this.#name = name
    this.#request = manifestRequest(endpoint, repository, name)
    this.#options = options
    this.#known = isDigest(name) ? undefined : options.tags?.get(this.#key)
  }

  /** What HEAD says; `undefined` where it says too little. */
  async head(): Promise<Descriptor | undefined> {
    const known = this.#known
    try {
      const read = async (response: HttpResponse): Promise<Descriptor | undefined> => {
        if (response.status === 304) return known?.target
        const target = await claim(response, this.#request.what)
        const same = known && target?.digest === known.target.digest
        this.#note(target, response, same ? known.bytes : undefined)
        return target
      }
      const request = this.#unless(known?.etag, { ...this.#request, method: 'HEAD' })
      const target = await this.#endpoint.exchange(request, read, this.#options)
      return isDigest(this.#name) && target?.digest !== this.#name ? undefined : target
    } catch (error) {
      // Not every registry has HEAD; and a HEAD that is denied has no body to say why, so GET asks again.
      const headFailed = error instanceof RegistryError && error.method === 'HEAD'
      if (!headFailed || !hasStatus(error, 403, 405, 501)) throw error
      return undefined
    }
  }

  /** What is known already, where the tag still points at it. */
  async unchanged(): Promise<FetchedManifest | undefined> {
    const { target, bytes } = this.#known ?? {}
    if (!target || !bytes || (await this.head())?.digest !== target.digest) return undefined
    return { target, bytes }
  }

  async get(): Promise<FetchedManifest> {
    const { what } = this.#request
    const { target: known, bytes: kept, etag } = this.#known ?? {}
    const read = async (response: HttpResponse): Promise<FetchedManifest> => {
      if (response.status === 304 && known && kept) return { target: known, bytes: kept }
      refuseLarge(response.encoded ? undefined : contentLength(response), what)
      const { bytes, whole } = await readUpTo(response.body, maxManifestSize)
      if (!whole) refuseLarge(Number.POSITIVE_INFINITY, what)
      const digest = checkDigest(bytes, isDigest(this.#name) ? this.#name : claimedDigest(response), what)
      const mediaType = mediaTypeOf(contentType(response), bytes, what)
      const target = Object.freeze({ mediaType, digest, size: bytes.byteLength })
      this.#note(target, response, bytes)
      return { target, bytes }
    }
    return this.#endpoint.exchange(this.#unless(kept && etag, this.#request), read, this.#options)
  }

  /** The same request, to be answered with 304 when it would be answered as it was. */
  #unless(etag: string | undefined, request: EndpointRequest): EndpointRequest {
    if (etag === undefined) return request
    return { ...request, headers: { ...request.headers, 'if-none-match': etag }, accept: [304] }
  }

  #note(target: Descriptor | undefined, { headers }: HttpResponse, bytes: Uint8Array | undefined): void {
    if (!target || isDigest(this.#name)) return
    this.#options.tags?.set(this.#key, { target, etag: headerValue(headers, 'etag'), bytes })
  }

  get #key(): string {
    const { address, path } = this.#endpoint.host
    return `${address}${path}${this.#request.path}`
  }
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
  if (digest === undefined || !isManifestOrIndex({ mediaType })) return undefined
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
