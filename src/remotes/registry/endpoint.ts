import type { AbortOptions } from '../../options.ts'
import type { Authorizer } from './auth.ts'
import type { AuthTarget } from './auth-target.ts'
import { withoutIdentity } from './connection.ts'
import { hasStatus, RegistryError, responseError } from './error.ts'
import type { Host } from './hosts.ts'
import { type HttpRequest, type HttpResponse, isStreamed, type RequestBody, type Send } from './http.ts'
import { followRedirects } from './redirect.ts'
import { causeCode, type RetryNotice, type RetryPolicy, retry } from './retry.ts'

/** One request to a registry. */
export interface EndpointRequest {
  readonly method: HttpRequest['method']
  /** After the host's own: `/library/busybox/manifests/latest`. */
  readonly path: string
  /** Where the registry said to go instead of `path`; on another origin without credentials. */
  readonly location?: URL | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: RequestBody | undefined
  /** As in `HttpRequest`. */
  readonly headersMs?: number | undefined
  /**
   * True: what failed is not sent again, for it may have had its effect. A refusal for want of credentials is answered
   * all the same, unless the body is a stream; then the next request has better ones.
   */
  readonly once?: boolean | undefined
  readonly scopes: readonly string[]
  /** What is asked for, for errors and notices: `docker.io/library/busybox:latest`. */
  readonly what: string
  /** Statuses besides 2xx that are answers and not errors. */
  readonly accept?: readonly number[] | undefined
}

/** Told before each wait for another try. */
export type OnRetry = (notice: RetryNotice & { readonly what: string }) => void

/** The parts of an `Endpoint`. */
export interface EndpointOptions {
  readonly host: Host
  readonly send: Send
  /** Sends what the registry wants to have sent to another origin. */
  readonly elsewhere: Send
  readonly authorizer: Authorizer
  readonly policy: RetryPolicy
  readonly onRetry?: OnRetry | undefined
}

/** More answers to challenges than this in one try would be a game of the server's. */
const maxChallenges = 2

/**
 * One endpoint of a registry: requests with credentials, redirects and retries.
 *
 * Redirects are inside of retries, so that each try asks the registry for a fresh one: signed URLs expire.
 */
export class Endpoint {
  readonly host: Host
  readonly policy: RetryPolicy
  readonly #send: Send
  readonly #elsewhere: Send
  readonly #authorizer: Authorizer
  readonly #onRetry: OnRetry | undefined
  /** Which of the host's schemes is in use, and whether it has proved right. */
  #scheme = 0
  #settled = false

  constructor({ host, send, elsewhere, authorizer, policy, onRetry }: EndpointOptions) {
    this.host = host
    this.policy = policy
    this.#send = followRedirects(send)
    this.#elsewhere = followRedirects(elsewhere)
    this.#authorizer = authorizer
    this.#onRetry = onRetry
  }

  /**
   * Sends a request, again where that may help, and gives an accepted response to `read`, which is part of the try: when
   * it fails for want of a connection, the request is sent anew.
   *
   * @throws RegistryError  for any other status; its text names `request.what`
   */
  exchange<T>(
    request: EndpointRequest,
    read: (response: HttpResponse) => Promise<T>,
    { signal }: AbortOptions = {},
  ): Promise<T> {
    const attempt = async (): Promise<T> => {
      const response = await this.#inScheme(request, { signal })
      const { status } = response
      if ((status >= 200 && status < 300) || request.accept?.includes(status)) return read(response)
      throw await this.#error(response, request)
    }
    const { what } = request
    if (request.once) return attempt()
    const onRetry = (notice: RetryNotice): void => this.#onRetry?.({ ...notice, what })
    return retry(attempt, this.policy, { signal, onRetry })
  }

  /** `exchange` for a body that outlives the call; whoever gets it reads or dumps it. */
  request(request: EndpointRequest, options?: AbortOptions): Promise<HttpResponse> {
    return this.exchange(request, async response => response, options)
  }

  /** Tells a wait between two tries of a body, which `exchange` knows nothing of. */
  notify(notice: RetryNotice & { readonly what: string }): void {
    this.#onRetry?.(notice)
  }

  /** Tries the host's schemes in turn until one is what it speaks; when none is, the first one's failure tells. */
  async #inScheme(request: EndpointRequest, { signal }: AbortOptions): Promise<HttpResponse> {
    const { schemes } = this.host
    if (request.location) return this.#at(request.location, request, { signal })
    let failure: unknown
    for (let at = this.#scheme; ; at++) {
      const last = this.#settled || at + 1 >= schemes.length
      try {
        const response = await this.#authorized(this.#url(request.path, at), request, { signal })
        // A server of TLS that is spoken to in plain text says so with this status.
        if (!last && response.status === 400) throw await this.#error(response, request)
        this.#scheme = at
        this.#settled = true
        return response
      } catch (error) {
        if (!speaksOther(error)) throw error
        // Who answered that it speaks TLS is told by what came of TLS.
        if (failure === undefined || hasStatus(failure, 400)) failure = error
        if (last) throw failure
      }
    }
  }

  #url(path: string, at: number): URL {
    const { address, path: base, schemes, standsFor } = this.host
    const url = new URL(`${schemes[at] ?? 'https'}://${address}${base}${path}`)
    if (standsFor !== undefined) url.searchParams.set('ns', standsFor)
    return url
  }

  async #at(url: URL, request: EndpointRequest, options: AbortOptions): Promise<HttpResponse> {
    const own = this.#url('', this.#scheme).origin === url.origin
    if (own) return this.#authorized(url, request, options)
    const { method, headers, body, headersMs } = request
    const connection = this.host.connection && withoutIdentity(this.host.connection)
    const sent = { method, url, headers, body, headersMs, connection }
    return { ...(await this.#elsewhere(sent, options)), crossed: true }
  }

  async #authorized(
    url: URL,
    { method, headers, body, headersMs, scopes }: EndpointRequest,
    { signal }: AbortOptions,
  ): Promise<HttpResponse> {
    const { connection } = this.host
    const target = this.#target(url, scopes)
    let authorization = await this.#authorizer.authorization(target, { signal })
    for (let answers = 0; ; answers++) {
      const all = { ...this.host.headers, ...headers, ...(authorization !== undefined && { authorization }) }
      const response = await this.#send(
        { method, url, headers: all, body, headersMs, connection },
        { signal },
      )
      if (response.status !== 401 && authorization !== undefined)
        this.#authorizer.accepted(target, authorization)
      if (response.status !== 401 || response.crossed || answers === maxChallenges) return response
      if (!this.#authorizer.challenged(target, response, authorization, answers > 0)) return response
      if (isStreamed(body)) return response
      const better = await this.#betterThan(authorization, target, response, { signal })
      if (better === undefined) return response
      await response.body.dump()
      authorization = better
    }
  }

  /** Another header than the refused one, if there is; a refusal that stands keeps its body, which says why. */
  async #betterThan(
    refused: string | undefined,
    target: AuthTarget,
    response: HttpResponse,
    { signal }: AbortOptions,
  ): Promise<string | undefined> {
    try {
      const found = await this.#authorizer.authorization(target, { signal })
      return found === refused ? undefined : found
    } catch (error) {
      await response.body.dump()
      throw error
    }
  }

  #target(origin: URL, scopes: readonly string[]): AuthTarget {
    const { name, address, connection } = this.host
    return { name, address, origin, scopes, connection }
  }

  #error(response: HttpResponse, { what, scopes }: EndpointRequest): Promise<RegistryError> {
    const { name } = this.host
    const credentials = this.#authorizer.shown(this.#target(response.url, scopes))
    return responseError(response, { what, registry: name, credentials, now: this.policy.now })
  }
}

/** True when a host acted as one may that speaks the other of http and https, or does not listen where https is. */
function speaksOther(error: unknown): boolean {
  if (!(error instanceof RegistryError)) return false
  // The text that tells is missing from an answer to HEAD.
  if (hasStatus(error, 400)) return error.method === 'HEAD' || /\bHTTPS (server|port)\b/i.test(error.message)
  return (
    error.status === undefined &&
    /^(ERR_SSL_|EPROTO$|ECONNREFUSED$|ECONNRESET$|UND_ERR_SOCKET$|HPE_)/.test(causeCode(error))
  )
}
