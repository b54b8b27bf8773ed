import { OrlopError } from '../../errors.ts'
import type { Digest } from '../../oci/digest.ts'
import type { AbortOptions } from '../../options.ts'
import type { Endpoint, EndpointRequest } from './endpoint.ts'
import { hasStatus, RegistryError, sanitizeUrl } from './error.ts'
import { type HttpResponse, headerValue, isStreamed, type RequestBody } from './http.ts'
import { repositoryScope } from './scope.ts'
import { uploadLocation, withDigest } from './upload-location.ts'

/** A repository that takes a blob. */
export interface UploadPlace {
  readonly endpoint: Endpoint
  readonly repository: string
  /** The blob, for errors: `localhost:5000/app: blob sha256:…`. */
  readonly what: string
}

/** Bytes of a blob, in one request. */
export interface Part {
  readonly body: RequestBody
  /** The first and the last of them, counted from 0; absent: all there are, from the first one. */
  readonly range?: readonly [first: number, last: number] | undefined
}

/** A large blob is checked and moved by the registry before it answers. */
const commitMs = 600_000
/** What was appended may still have to be written down. */
const appendMs = 120_000

const maxRedirects = 5

/** A repository of the same registry to take a blob from. */
export interface MountOptions extends AbortOptions {
  readonly mount?: { readonly digest: Digest; readonly from: string } | undefined
}

/**
 * Begins an upload; `undefined` when the registry says instead that it has the blob now.
 *
 * @throws RegistryError  the registry takes none
 */
export async function startUpload(
  place: UploadPlace,
  { mount, signal }: MountOptions = {},
): Promise<UploadSession | undefined> {
  const { endpoint, repository, what } = place
  const query = mount && new URLSearchParams({ mount: mount.digest, from: mount.from })
  const request: EndpointRequest = {
    method: 'POST',
    path: `/${repository}/blobs/uploads/${query ? `?${query}` : ''}`,
    scopes: [pushScope(repository), ...(mount ? [repositoryScope(mount.from, 'pull')] : [])],
    what,
  }
  const read = async (response: HttpResponse): Promise<UploadSession | undefined> => {
    await response.body.dump()
    if (response.status === 201) return undefined
    const location = uploadLocation(response)
    if (location !== undefined) return new UploadSession(place, location, smallestChunk(response))
    const { method, url, status } = response
    const text = `${what}: the registry began an upload and does not say where it goes on (no Location)`
    throw new RegistryError('UNAVAILABLE', text, { method, url, status })
  }
  return endpoint.exchange(request, read, { signal })
}

/** The scope of whoever writes to a repository. */
export const pushScope = (repository: string): string => repositoryScope(repository, 'pull', 'push')

/** One upload that a registry has begun to take. Its requests are sent once; whoever calls knows what to do next. */
export class UploadSession {
  /** Bytes that the registry has, as far as it said. */
  at = 0
  /** Bytes that any part but the last must have. */
  readonly minChunk: number
  readonly #place: UploadPlace
  #location: URL
  #isKnown = true

  constructor(place: UploadPlace, location: URL, minChunk: number) {
    this.#place = place
    this.#location = location
    this.minChunk = minChunk
  }

  /** Appends bytes; gives where they end, if the registry says that, and leaves it to the caller to believe it. */
  async append({ body, range }: Part, options: AbortOptions): Promise<number | undefined> {
    const headers = { ...octets, ...(range && { 'content-range': `${range[0]}-${range[1]}` }) }
    return reached(await this.#send({ method: 'PATCH', headers, body, headersMs: appendMs }, options))
  }

  /**
   * Ends the upload, with bytes when none were appended.
   *
   * @throws DATA_LOSS  the registry stored something else
   */
  async finish(digest: Digest, body: RequestBody | undefined, options: AbortOptions): Promise<HttpResponse> {
    const request = { method: 'PUT', headers: octets, body, headersMs: commitMs } as const
    const response = await this.#send(request, options, withDigest(this.#location, digest))
    const stored = headerValue(response.headers, 'docker-content-digest')
    if (stored === undefined || stored === digest) return response
    const text = `${this.#place.what}: the registry says that it stored ${JSON.stringify(stored.slice(0, 160))}`
    throw new OrlopError('DATA_LOSS', text)
  }

  /** Asks what the registry has; false when it does not know the upload, or cannot tell. */
  async sync(options: AbortOptions): Promise<boolean> {
    try {
      const found = await this.#exchange({ method: 'GET' }, this.#location, options)
      this.#location = uploadLocation(found) ?? this.#location
      const at = reached(found)
      // "0-0" is said of one byte, and by some of none.
      if (at === undefined || at === 1) return false
      this.at = at
      return true
    } catch (error) {
      this.#isKnown = !hasStatus(error, 404, 410)
      if (hasStatus(error, 400, 404, 405, 410, 416, 501)) return false
      throw error
    }
  }

  /** Tells the registry to forget the upload; never throws, for it forgets by itself in time. */
  async cancel(options: AbortOptions): Promise<void> {
    if (!this.#isKnown) return
    try {
      await this.#exchange({ method: 'DELETE', once: true }, this.#location, options)
    } catch {
      // Not every registry lets one.
    }
  }

  async #send(
    request: Pick<EndpointRequest, 'method' | 'headers' | 'body' | 'headersMs'>,
    options: AbortOptions,
    to = this.#location,
  ): Promise<HttpResponse> {
    let location = to
    for (let hops = 0; ; hops++) {
      const sent = { ...request, once: true, accept: [307, 308] }
      const response = await this.#exchange(sent, location, options)
      const next = uploadLocation(response)
      if (response.status !== 307 && response.status !== 308) {
        this.#location = next ?? this.#location
        return response
      }
      if (next === undefined || hops === maxRedirects || isStreamed(request.body)) {
        if (next !== undefined && request.method === 'PATCH') this.#location = next
        throw redirected(response, this.#place.what)
      }
      location = next
    }
  }

  #exchange(
    request: Pick<EndpointRequest, 'method' | 'headers' | 'body' | 'headersMs' | 'once' | 'accept'>,
    location: URL,
    options: AbortOptions,
  ): Promise<HttpResponse> {
    const { endpoint, repository, what } = this.#place
    const scopes = [pushScope(repository)]
    const read = async (response: HttpResponse): Promise<HttpResponse> => {
      await response.body.dump()
      return response
    }
    return endpoint.exchange({ ...request, path: '', location, scopes, what }, read, options)
  }
}

const octets = { 'content-type': 'application/octet-stream' } as const

/** Where the bytes that a registry has end, by its Range header: `0-1023` is 1024. */
function reached({ headers }: HttpResponse): number | undefined {
  const [, last] = /^(?:bytes=)?0-(\d{1,15})$/.exec(headerValue(headers, 'range')?.trim() ?? '') ?? []
  return last === undefined ? undefined : Number(last) + 1
}

function smallestChunk({ headers }: HttpResponse): number {
  const text = headerValue(headers, 'oci-chunk-min-length') ?? ''
  return /^\d{1,12}$/.test(text) ? Number(text) : 0
}

/** A stream that met a redirect is sent again, from where it began, to where that led. */
const redirected = ({ method, url, status }: HttpResponse, what: string): RegistryError =>
  new RegistryError('UNAVAILABLE', `${what}: ${method} ${sanitizeUrl(url)} was redirected (${status})`, {
    method,
    url,
    status,
  })
