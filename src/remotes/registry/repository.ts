import { firstOf } from '../../content/first-of.ts'
import { checkRange, rangeOf } from '../../content/range.ts'
import type { Provider, ReadOptions, Target } from '../../content/types.ts'
import { isNotFound, OrlopError } from '../../errors.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { type Digest, isDigest } from '../../oci/digest.ts'
import { isManifestOrIndex, isSchema1, mediaTypes } from '../../oci/media-type.ts'
import type { AbortOptions } from '../../options.ts'
import type { FetchedManifest, Fetcher, ListOptions, ReferrersOptions } from '../types.ts'
import type { Endpoint, EndpointRequest } from './endpoint.ts'
import { RegistryError } from './error.ts'
import { readRanges } from './fetch.ts'
import { type ForeignOptions, fetchableUrls, foreignBlob } from './foreign.ts'
import type { Capability } from './hosts.ts'
import { contentLength, contentType, type HttpResponse } from './http.ts'
import { listTags } from './lists.ts'
import { hasManifest } from './manifests.ts'
import { type ParallelRanges, readParallel } from './parallel.ts'
import { referrersByApi, referrersByTag } from './referrers.ts'
import type { RetryNotice } from './retry.ts'
import { repositoryScope } from './scope.ts'
import type { SharedManifests } from './shared-manifests.ts'

/** What a repository reads with. */
export interface RepositoryParts {
  readonly manifests: SharedManifests
  /** How layers are fetched that their descriptors place elsewhere. */
  readonly foreign: ForeignOptions
  /** Absent: each blob over one connection. */
  readonly parallel?: ParallelRanges | undefined
}

/** One repository at one endpoint, to read. */
export class Repository implements Fetcher {
  readonly #endpoint: Endpoint
  readonly #path: string
  readonly #parts: RepositoryParts

  constructor(endpoint: Endpoint, path: string, parts: RepositoryParts) {
    this.#endpoint = endpoint
    this.#path = path
    this.#parts = parts
  }

  /**
   * The descriptor that a tag or digest points at; a digest may be a blob's as well.
   *
   * @throws NOT_FOUND  neither
   */
  async resolve(name: string, options?: AbortOptions): Promise<Descriptor> {
    try {
      return await this.#parts.manifests.resolve(this.#endpoint, this.#path, name, options)
    } catch (error) {
      if (!isNotFound(error) || !isDigest(name)) throw error
      return (await this.#resolveBlob(name, options)) ?? Promise.reject(error)
    }
  }

  /** What this endpoint may be asked for. */
  get capabilities(): ReadonlySet<Capability> {
    return this.#endpoint.host.capabilities
  }

  /** See `fetchManifest`. */
  manifest(name: string, options?: AbortOptions): Promise<FetchedManifest> {
    return this.#parts.manifests.fetch(this.#endpoint, this.#path, name, options)
  }

  /** Whether a blob, manifest or index is there. */
  async has(target: Pick<Descriptor, 'digest' | 'mediaType'>, options?: AbortOptions): Promise<boolean> {
    const { digest } = target
    if (isManifestOrIndex(target)) return hasManifest(this.#endpoint, this.#path, digest, options)
    const request: EndpointRequest = { ...this.#blobRequest(digest), method: 'HEAD', accept: [404] }
    const read = async ({ status, body }: HttpResponse): Promise<boolean> => {
      await body.dump()
      return status !== 404
    }
    return this.#endpoint.exchange(request, read, options)
  }

  /** See `listTags`. */
  tags(options?: ListOptions): AsyncIterable<string> {
    return listTags(this.#endpoint, this.#path, options)
  }

  /** See `referrersByApi`. */
  referrersByApi(digest: Digest, options?: ReferrersOptions): AsyncIterable<Descriptor> {
    return referrersByApi(this.#endpoint, this.#path, digest, options)
  }

  /** See `referrersByTag`. */
  referrersByTag(digest: Digest, options?: ReferrersOptions): AsyncIterable<Descriptor> {
    return referrersByTag(this.#endpoint, this.#path, digest, options)
  }

  /**
   * A manifest or index is read whole and checked before any of it is given out; other blobs come unverified.
   *
   * The registry is asked first, also for layers with `urls`; those are tried when it fails.
   */
  read(target: Target, options: ReadOptions = {}): AsyncIterable<Uint8Array> {
    checkRange(options)
    if (isSchema1(target))
      throw new OrlopError('UNIMPLEMENTED', `${target.digest}: Docker schema 1 manifests are not supported`)
    if (isManifestOrIndex(target)) return this.#readManifest(target, options)
    const here: Provider = { read: (blob, range) => this.#readBlob(blob, range) }
    const elsewhere = fetchableUrls(target.urls).map(url => foreignBlob(url, this.#parts.foreign))
    return elsewhere.length > 0
      ? firstOf(here, ...elsewhere).read(target, options)
      : here.read(target, options)
  }

  async *#readManifest(target: Target, options: ReadOptions): AsyncGenerator<Uint8Array> {
    const { start, end } = rangeOf(target.size, options)
    const { digest, size } = target
    const { bytes } = await this.manifest(digest, { signal: options.signal })
    if (bytes.byteLength !== size)
      throw new OrlopError('DATA_LOSS', `${digest}: ${bytes.byteLength} bytes, its descriptor says ${size}`)
    if (start < end) yield bytes.subarray(start, end)
  }

  #readBlob(target: Target, options: ReadOptions = {}): AsyncIterable<Uint8Array> {
    const request = this.#blobRequest(target.digest)
    const open = (range: string | undefined, { signal }: AbortOptions): Promise<HttpResponse> => {
      const headers = range === undefined ? {} : { range }
      return this.#endpoint.request({ ...request, headers, accept: [416] }, { signal })
    }
    const { what } = request
    const { policy } = this.#endpoint
    const onRetry = (notice: RetryNotice): void => this.#endpoint.notify({ ...notice, what })
    const { parallel } = this.#parts
    return parallel
      ? readParallel(open, target, what, { ...options, ...parallel, policy, onRetry })
      : readRanges(open, target, what, { ...options, policy, onRetry })
  }

  async #resolveBlob(digest: Digest, options: AbortOptions | undefined): Promise<Descriptor | undefined> {
    const request = this.#blobRequest(digest)
    const read = async (response: HttpResponse): Promise<Descriptor | undefined> => {
      await response.body.dump()
      if (response.status === 404) return undefined
      const size = contentLength(response)
      if (size === undefined) throw withoutSize(response, request.what)
      return Object.freeze({ mediaType: contentType(response) || mediaTypes.octetStream, digest, size })
    }
    return this.#endpoint.exchange({ ...request, method: 'HEAD', accept: [404] }, read, options)
  }

  #blobRequest(digest: Digest): EndpointRequest {
    return {
      method: 'GET',
      path: `/${this.#path}/blobs/${digest}`,
      scopes: [repositoryScope(this.#path, 'pull')],
      what: `${this.#endpoint.host.name}/${this.#path}: blob ${digest}`,
    }
  }
}

const withoutSize = ({ method, url, status }: HttpResponse, what: string): RegistryError =>
  new RegistryError('UNAVAILABLE', `${what}: the registry does not tell its size`, { method, url, status })
