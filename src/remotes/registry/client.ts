import type { Readable } from 'node:stream'
import type { buildConnector, Dispatcher } from 'undici'
import { isOrlopError } from '../../errors.ts'
import type { AbortOptions } from '../../options.ts'
import { version } from '../../version.ts'
import { type Connection, joinConnections } from './connection.ts'
import { decoded, encodingsOf } from './decode.ts'
import { reported } from './fetch-report.ts'
import { type HttpBody, type HttpRequest, type HttpResponse, headerValue, isStreamed } from './http.ts'
import { traced } from './http-trace.ts'
import { outgoing } from './outgoing.ts'
import { type AddressGuard, guardedLookup, guardProxied } from './private-address.ts'
import { proxyFor } from './proxy.ts'
import { secureContext, type TrustOptions } from './tls.ts'
import { transportError } from './transport-error.ts'

/** How long each stage may take, in milliseconds. */
export interface Timeouts {
  /** Until a connection stands, TLS included. */
  readonly connectMs: number
  /** From the request to the headers of its response. */
  readonly headersMs: number
  /**
   * Without a single byte of a body arriving, or being taken by the other side. A body that is not read waits as long as it
   * likes, and so does one that is not given.
   */
  readonly idleMs: number
}

/** Options of `HttpClient`. */
export interface HttpClientOptions extends TrustOptions {
  /**
   * Carries the requests in place of our own. It is not closed with the client; how it connects is its own affair:
   * `guard` sees only hosts that are addresses themselves, and certificates, authorities and proxies are its own.
   */
  readonly dispatcher?: Dispatcher | undefined
  /** Default `orlop/<version>`. */
  readonly userAgent?: string | undefined
  readonly timeouts?: Partial<Timeouts> | undefined
  /** Refuses addresses at the time of connecting, after names are looked up; with a proxy, before it is asked. */
  readonly guard?: AddressGuard | undefined
  /** PEM text of certificate authorities to trust besides Node's, whatever the host. */
  readonly ca?: string | undefined
  /** True: certificates are not checked, whatever the host. */
  readonly skipVerify?: boolean | undefined
}

type SocketOptions = buildConnector.BuildOptions & { readonly autoSelectFamilyAttemptTimeout?: number }

/**
 * Bytes of a body that wait to be read. A full buffer stops undici's parser, and with half of this that costs a fast pull an
 * eighth of its time; twice as much costs as much again, for the kernel clears the pages that the chunks are joined in.
 */
const bodyBuffer = 1024 * 1024

const defaultTimeouts: Timeouts = { connectMs: 30_000, headersMs: 60_000, idleMs: 30_000 }

/**
 * Sends single HTTP requests: no redirects, no credentials, no second try; those are wrapped around it.
 *
 * Connections are kept and shared by all requests that connect in the same way. The proxies of the environment are used,
 * see `proxyFor`.
 */
export class HttpClient implements AsyncDisposable {
  readonly #options: HttpClientOptions
  readonly #timeouts: Timeouts
  /** One for each way to connect: by certificates, authorities and proxy. */
  readonly #own = new Map<string, Promise<Dispatcher>>()
  readonly #general: Connection
  readonly #userAgent: string

  constructor(options: HttpClientOptions = {}) {
    this.#options = options
    const { ca, skipVerify } = options
    this.#timeouts = { ...defaultTimeouts, ...options.timeouts }
    this.#general = { ...(ca !== undefined && { ca: [ca] }), skipVerify }
    this.#userAgent = options.userAgent ?? `orlop/${version}`
  }

  /**
   * One exchange; resolves with the headers, whatever the status. Told of on the channels `orlop:fetch` and `orlop:http`:
   * see `FetchReport` and `HttpTrace`.
   *
   * @throws UNAVAILABLE  no connection, or none that lasted until the headers; so do reads of the body
   */
  async send(request: HttpRequest, options: AbortOptions = {}): Promise<HttpResponse> {
    options.signal?.throwIfAborted()
    const whole = { ...request, headers: this.#headers(request) }
    return reported(whole, () => traced(whole, () => this.#send(whole, options)))
  }

  async #send(request: HttpRequest, { signal }: AbortOptions): Promise<HttpResponse> {
    const { method, url, connection } = request
    const { guard, dispatcher: given } = this.#options
    const proxy = given ? undefined : proxyFor(url)
    if (proxy && guard) await guardProxied(url, guard, { signal })
    const sent = outgoing(request, this.#timeouts.idleMs, { signal })
    try {
      const dispatcher = given ?? (await this.#dispatcher(connection, proxy))
      const response = await dispatcher.request({
        origin: url.origin,
        path: url.pathname + url.search,
        method,
        headers: request.headers ?? {},
        body: sent.body,
        signal: sent.signal ?? null,
        headersTimeout: request.headersMs ?? this.#timeouts.headersMs,
        bodyTimeout: this.#timeouts.idleMs,
        highWaterMark: bodyBuffer,
        // undici would close the connection after each HEAD, against servers that send a body with it all the same.
        reset: false,
      })
      return receive(request, response, signal)
    } catch (error) {
      signal?.throwIfAborted()
      throw isOrlopError(error) ? error : transportError(error, request, proxy)
    }
  }

  /** Drops every connection, those in use too; requests under way fail. */
  async close(): Promise<void> {
    const own = [...this.#own.values()]
    this.#own.clear()
    await Promise.all(own.map(async dispatcher => (await dispatcher).destroy()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #headers({ headers, body }: HttpRequest): Record<string, string> {
    const size = isStreamed(body) ? body.size : undefined
    return {
      'user-agent': this.#userAgent,
      // Offsets, sizes and digests all speak of the bytes as they are stored.
      'accept-encoding': 'identity',
      ...(size !== undefined && { 'content-length': String(size) }),
      ...headers,
    }
  }

  #dispatcher(special: Connection | undefined, proxy: URL | undefined): Promise<Dispatcher> {
    const connection = joinConnections({ ...this.#general, connectMs: this.#timeouts.connectMs }, special)
    const key = JSON.stringify([connection, proxy?.href])
    const known = this.#own.get(key)
    if (known) return known
    const opened = open(connection, proxy, this.#options)
    this.#own.set(key, opened)
    opened.catch(() => this.#own.delete(key))
    return opened
  }
}

/** undici is loaded here, at the first request: it takes longer than all of orlop. */
async function open(
  connection: Connection,
  proxy: URL | undefined,
  { guard, ...trust }: HttpClientOptions,
): Promise<Dispatcher> {
  const { Agent, buildConnector, ProxyAgent } = await import('undici')
  const keepAliveTimeout = 30_000
  const sockets: SocketOptions = {
    ...(connection.connectMs !== undefined && { timeout: connection.connectMs }),
    // A first address that does not answer is given a second, not Node's 250 ms, which far registries miss.
    autoSelectFamilyAttemptTimeout: 1000,
  }
  const secured = async (): Promise<SocketOptions> => ({
    ...sockets,
    secureContext: await secureContext(connection, trust),
    ...(connection.skipVerify && { rejectUnauthorized: false }),
  })
  if (proxy) {
    const proxyTls = { ...sockets, secureContext: await secureContext({}, trust) }
    // A tunnel is for TLS only: many a proxy opens none to other ports.
    const tunnel = { uri: proxy.href, proxyTunnel: false, proxyTls, requestTls: await secured() }
    return new ProxyAgent({ keepAliveTimeout, ...tunnel })
  }
  const lookup = guard && { lookup: guardedLookup(guard) }
  const plain = buildConnector({ ...sockets, ...lookup })
  let tls: Promise<buildConnector.connector> | undefined
  const connect: buildConnector.connector = (options, callback) => {
    if (options.protocol !== 'https:') return plain(options, callback)
    tls ??= secured().then(found => buildConnector({ ...found, ...lookup }))
    tls.then(
      connector => connector(options, callback),
      error => callback(error, null),
    )
  }
  return new Agent({ keepAliveTimeout, connect })
}

function receive(
  request: HttpRequest,
  { statusCode, headers, body }: Dispatcher.ResponseData,
  signal: AbortSignal | undefined,
): HttpResponse {
  // Without a listener a body that fails before it is read would end the process.
  body.on('error', () => {})
  const encodings = request.method === 'HEAD' ? [] : encodingsOf(headerValue(headers, 'content-encoding'))
  return {
    status: statusCode,
    headers,
    method: request.method,
    url: request.url,
    crossed: false,
    encoded: encodings.length > 0,
    body: new Body(body, encodings, request, signal),
  }
}

/** A response's bytes, with errors and aborts in our terms. */
class Body implements HttpBody {
  readonly #raw: Dispatcher.ResponseData['body']
  readonly #encodings: readonly string[]
  readonly #request: HttpRequest
  readonly #signal: AbortSignal | undefined

  constructor(
    raw: Dispatcher.ResponseData['body'],
    encodings: readonly string[],
    request: HttpRequest,
    signal: AbortSignal | undefined,
  ) {
    this.#raw = raw
    this.#encodings = encodings
    this.#request = request
    this.#signal = signal
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      const bytes: Readable = this.#encodings.length > 0 ? decoded(this.#raw, this.#encodings) : this.#raw
      for await (const chunk of bytes) {
        yield chunk
        this.#signal?.throwIfAborted()
      }
    } catch (error) {
      this.#signal?.throwIfAborted()
      throw isOrlopError(error) ? error : transportError(error, this.#request)
    } finally {
      this.#raw.destroy()
    }
  }

  async dump(): Promise<void> {
    try {
      await this.#raw.dump({ limit: 64 * 1024 })
    } catch {
      // Whatever went wrong, the connection is gone, and that was the wish.
    }
  }
}
