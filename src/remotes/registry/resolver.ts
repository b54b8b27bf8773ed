import { OrlopError } from '../../errors.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { parseDomain, parseReference, type Reference, repositoryName } from '../../oci/reference.ts'
import type { AbortOptions } from '../../options.ts'
import type { OnProgress } from '../progress.ts'
import type {
  Fetcher,
  ListOptions,
  Pusher,
  PusherOptions,
  RemoteRepository,
  Remover,
  WritingResolver,
} from '../types.ts'
import { Authorizer } from './auth.ts'
import { HttpClient, type HttpClientOptions } from './client.ts'
import { type Credentials, canonicalHost } from './credential.ts'
import { storedCredentials } from './credentials.ts'
import { deleteBlob, deleteManifest, deleteTag } from './delete.ts'
import { Endpoint, type OnRetry } from './endpoint.ts'
import { firstAnswer, firstList } from './first-answer.ts'
import type { PushPlace } from './head.ts'
import {
  type Capability,
  defaultHost,
  defaultHosts,
  type Host,
  type Hosts,
  type HostsOptions,
  type Place,
} from './hosts.ts'
import type { Send } from './http.ts'
import { listRepositories } from './lists.ts'
import { Lookaside } from './lookaside.ts'
import { MirroredRepository } from './mirrored.ts'
import { checkParallel, type ParallelRanges } from './parallel.ts'
import { ping } from './ping.ts'
import { guardedSend, isPrivateHost, refusePrivate } from './private-address.ts'
import { PushState } from './push-state.ts'
import { RepositoryPusher } from './pusher.ts'
import { RateLimits, type RateOptions } from './rate.ts'
import { Repository, type RepositoryParts } from './repository.ts'
import { defaultRetryPolicy, type RetryPolicy } from './retry.ts'
import { SharedManifests } from './shared-manifests.ts'
import { SharedReads } from './shared-reads.ts'
import type { RepositoryAt } from './signature-extension.ts'
import { RegistrySignatures, type RegistrySignaturesOptions } from './signatures.ts'

/** Options of `RegistryResolver`. */
export interface RegistryResolverOptions extends HostsOptions, Omit<HttpClientOptions, 'guard'> {
  /** Default: those of whoever runs this, see `storedCredentials`. */
  readonly credentials?: Credentials | undefined
  /** Where an image's endpoints are; default: the registry itself, see `defaultHosts`. */
  readonly hosts?: Hosts | undefined
  readonly retry?: Partial<RetryPolicy> | undefined
  /** True: foreign layers may come from loopback and private addresses. */
  readonly allowPrivateUrls?: boolean | undefined
  /** Reads large blobs over several connections each; default: over one. */
  readonly parallelRanges?: ParallelRanges | undefined
  /** How much is asked of hosts; what they say of their limits is heeded in any case. */
  readonly rate?: RateOptions | undefined
  /** Limits that several resolvers share; default: its own, as `rate` says. */
  readonly limits?: RateLimits | undefined
  /** Told of names that are resolved, and of every wait. */
  readonly onProgress?: OnProgress | undefined
}

/** How long a registry may take to forget the uploads that are left, in milliseconds. */
const farewellMs = 2000

/**
 * Registries of the OCI distribution API as a `Resolver`.
 *
 * One for a process is best: it keeps connections and tokens. Nothing is sent before the first `resolve` or read.
 */
export class RegistryResolver implements WritingResolver, AsyncDisposable {
  readonly #client: HttpClient
  readonly #bare: HttpClient
  readonly #send: Send
  readonly #authorizer: Authorizer
  readonly #policy: RetryPolicy
  readonly #hosts: Hosts
  readonly #parts: RepositoryParts
  readonly #reads = new SharedReads()
  readonly #onProgress: OnProgress | undefined
  readonly #endpoints = new Map<string, Endpoint>()
  /** What people call the hosts with these addresses. */
  readonly #names = new Map<string, string>()
  readonly #pushes = new Map<Endpoint, PushState>()

  constructor(options: RegistryResolverOptions = {}) {
    const { credentials = storedCredentials(), hosts = defaultHosts(options), onProgress } = options
    const guard = options.allowPrivateUrls ? undefined : refusePrivate
    this.#client = new HttpClient(options)
    this.#bare = new HttpClient({ ...options, guard })
    this.#policy = { ...defaultRetryPolicy, ...options.retry }
    this.#hosts = hosts
    this.#onProgress = onProgress
    const limits = options.limits ?? new RateLimits({ ...options.rate, clock: this.#policy })
    const limited = (client: HttpClient): Send =>
      limits.around((request, abort) => client.send(request, abort), {
        nameOf: address => this.#names.get(address) ?? address,
        onWait: notice => this.#onProgress?.({ type: 'throttled', ...notice }),
      })
    this.#send = limited(this.#client)
    this.#authorizer = new Authorizer({ send: this.#send, credentials, now: this.#policy.now })
    const send = limited(this.#bare)
    const foreign = { send, policy: this.#policy, guard, onRetry: this.#onRetry }
    const { parallelRanges: parallel } = options
    if (parallel) checkParallel(parallel)
    this.#parts = { foreign, parallel, manifests: new SharedManifests() }
  }

  /**
   * The descriptor that a reference points at; of `name:tag@digest` the digest counts alone, as in containerd.
   *
   * @param reference  `host/path:tag` or `host/path@digest`
   * @throws INVALID_ARGUMENT  no reference, or neither tag nor digest in it
   * @throws NOT_FOUND  no such repository, tag or digest
   * @throws UNAUTHENTICATED  the registry wants credentials, or other ones
   */
  async resolve(reference: string, { signal }: AbortOptions = {}): Promise<Descriptor> {
    const parsed = parseReference(reference)
    const { digest, tag } = parsed
    const name = digest ?? tag
    if (name === undefined)
      throw new OrlopError(
        'INVALID_ARGUMENT',
        `reference ${reference}: a tag or digest is needed to resolve it`,
      )
    this.#onProgress?.({ type: 'resolving', reference })
    const needed: readonly Capability[] = digest ? ['pull'] : ['pull', 'resolve']
    const repositories = await this.#repositories(parsed, needed, { signal })
    const target = await firstAnswer(repositories, at => at.resolve(name, { signal }), { signal })
    this.#onProgress?.({ type: 'resolved', reference, target })
    return target
  }

  /**
   * The repository of a reference, to read.
   *
   * @throws INVALID_ARGUMENT  no reference
   */
  fetcher(reference: string, options?: AbortOptions): Promise<Fetcher> {
    return this.repository(reference, options)
  }

  /**
   * The repository of a reference, to read and to look around in; a tag or digest of the reference is not looked at.
   *
   * @throws INVALID_ARGUMENT  no reference
   */
  async repository(reference: string, options?: AbortOptions): Promise<RemoteRepository> {
    const parsed = parseReference(reference)
    const repositories = await this.#repositories(parsed, ['pull'], options)
    return new MirroredRepository(repositoryName(parsed), repositories, this.#reads)
  }

  /**
   * The repositories of a registry: those that it cares to tell of, and to whom.
   *
   * @param registry  a host, with a port where it has one
   * @throws INVALID_ARGUMENT  no host
   * @throws NOT_FOUND, UNAUTHENTICATED, PERMISSION_DENIED  at the first `next()`: the registry tells nobody, or not us
   */
  repositories(registry: string, options: ListOptions = {}): AsyncIterable<string> {
    return this.#listRepositories(parseDomain(registry), options)
  }

  /** The signatures of images, where registries.d says they are; nothing is read yet. */
  signatures(options?: RegistrySignaturesOptions): RegistrySignatures {
    const lookaside = new Lookaside({ send: this.#send, policy: this.#policy })
    const repository = (reference: string, abort: AbortOptions) => this.repository(reference, abort)
    const pusher = (reference: string, abort: AbortOptions) => this.pusher(reference, abort)
    const parts = { repository, pusher, lookaside, repositories: this.#repositoriesAt }
    return new RegistrySignatures(parts, options)
  }

  /**
   * Asks a registry itself, and no mirror of it, whether it lets us in.
   *
   * @throws UNAUTHENTICATED  it wants credentials, or other ones
   * @throws NOT_FOUND  something answers that is no registry
   */
  async ping(place: Place, options?: AbortOptions): Promise<void> {
    const isItself = ({ address }: Host): boolean => canonicalHost(address) === canonicalHost(place.domain)
    const host = (await this.#hosts(place, options)).findLast(isItself) ?? defaultHost(place.domain)
    return ping(this.#endpoint(host), options)
  }

  /**
   * The repository of a reference, to write: at the first host that may be pushed to.
   *
   * An upload that breaks can be gone on with until the resolver is closed.
   *
   * @throws INVALID_ARGUMENT  no reference
   * @throws FAILED_PRECONDITION  there is no host to push to
   */
  async pusher(reference: string, options: PusherOptions = {}): Promise<Pusher> {
    const parsed = parseReference(reference)
    const { endpoint, repository } = await this.#pushPlace(parsed, options)
    const state = this.#pushes.get(endpoint) ?? new PushState()
    this.#pushes.set(endpoint, state)
    return new RepositoryPusher({ endpoint, repository, reference: parsed, state, options })
  }

  /**
   * The repository of a reference, to delete from: at the first host that may be pushed to.
   *
   * @throws INVALID_ARGUMENT  no reference
   * @throws FAILED_PRECONDITION  there is no host to push to
   */
  async remover(reference: string, options: AbortOptions = {}): Promise<Remover> {
    const place = await this.#pushPlace(parseReference(reference), options)
    return {
      manifest: (name, abort) => deleteManifest(place, name, abort),
      tag: (tag, abort) => deleteTag(place, tag, abort),
      blob: (digest, abort) => deleteBlob(place, digest, abort),
    }
  }

  /** Has registries forget uploads that were not ended, and drops every connection; what is under way fails. */
  async close(): Promise<void> {
    const signal = AbortSignal.timeout(farewellMs)
    await Promise.all([...this.#pushes.values()].map(state => state.cancel({ signal })))
    this.#pushes.clear()
    await this.#client.close()
    await this.#bare.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #pushPlace(reference: Reference, options: AbortOptions): Promise<PushPlace> {
    const [host] = await this.#capable(reference, ['push'], options)
    if (!host) throw noHost(reference, ['push'])
    return { endpoint: this.#endpoint(host), repository: host.repository ?? reference.path }
  }

  async *#listRepositories(domain: string, options: ListOptions): AsyncGenerator<string> {
    const hosts = await this.#capable({ domain }, ['pull', 'resolve'], options)
    const lists = hosts.map(host => listRepositories(this.#endpoint(host), options))
    yield* firstList(lists, options)
  }

  async #repositories(
    reference: Reference,
    needed: readonly Capability[],
    options: AbortOptions | undefined,
  ): Promise<readonly Repository[]> {
    const hosts = await this.#capable(reference, needed, options)
    return hosts.map(host => {
      const endpoint = this.#endpoint(host)
      return new Repository(endpoint, host.repository ?? reference.path, this.#parts)
    })
  }

  readonly #repositoriesAt = async (
    reference: Reference,
    to: 'pull' | 'push',
    options: AbortOptions,
  ): Promise<readonly RepositoryAt[]> => {
    const hosts = await this.#capable(reference, [to], options)
    return hosts.map(host => ({ endpoint: this.#endpoint(host), path: host.repository ?? reference.path }))
  }

  async #capable(
    place: Place,
    needed: readonly Capability[],
    options: AbortOptions | undefined,
  ): Promise<readonly Host[]> {
    const hosts = await this.#hosts(place, options)
    const capable = hosts.filter(({ capabilities }) => needed.every(one => capabilities.has(one)))
    if (capable.length > 0) return capable
    throw noHost(place, needed)
  }

  #endpoint({ repository: _, ...host }: Host): Endpoint {
    const key = JSON.stringify(host, (_name, value) => (value instanceof Set ? [...value] : value))
    const known = this.#endpoints.get(key)
    if (known) return known
    if (!URL.canParse(`https://${host.address}`))
      throw new OrlopError('INVALID_ARGUMENT', `registry ${host.name}: not a host and a port that exists`)
    const { foreign } = this.#parts
    // Who is private itself may send on to private places.
    const isPrivate = isPrivateHost(new URL(`https://${host.address}`))
    const elsewhere = isPrivate ? this.#send : guardedSend(foreign.send, foreign.guard)
    const parts = { send: this.#send, elsewhere, authorizer: this.#authorizer, policy: this.#policy }
    const endpoint = new Endpoint({ ...parts, host, onRetry: this.#onRetry })
    this.#names.set(host.address, host.name)
    this.#endpoints.set(key, endpoint)
    return endpoint
  }

  readonly #onRetry: OnRetry = ({ what, attempt, delayMs, error }) =>
    this.#onProgress?.({ type: 'retry', what, attempt, delayMs, reason: error.message })
}

const noHost = ({ domain }: Place, needed: readonly Capability[]): OrlopError =>
  new OrlopError(
    'FAILED_PRECONDITION',
    `${domain}: no host is configured to ${needed.join(' and ')} ${needed.includes('push') ? 'to' : 'from'}`,
  )
