import type { Readable } from 'node:stream'
import type { Agent, buildConnector, Dispatcher } from 'undici'
import { isOrlopError } from '../../errors.ts'
import type { AbortOptions } from '../../options.ts'
import { version } from '../../version.ts'
import { type Connection, joinConnections } from './connection.ts'
import { decoded, encodingsOf } from './decode.ts'
import { reported } from './fetch-report.ts'
import {
  type HttpBody,
  type HttpRequest,
  type HttpResponse,
  headerValue,
  isStreamed,
  type RequestBody,
} from './http.ts'
import { type AddressGuard, guardedLookup } from './private-address.ts'
import { transportError } from './transport-error.ts'

/** How long each stage may take, in milliseconds. */
export interface Timeouts {
  /** Until a connection stands, TLS included. */
  readonly connectMs: number
  /** From the request to the headers of its response. */
  readonly headersMs: number
  /** Without a single byte of a body arriving; a body that is not read waits as long as it likes. */
  readonly idleMs: number
}

/** Options of `HttpClient`. */
export interface HttpClientOptions {
  /**
   * Carries the requests in place of our own. It is not closed with the client; how it connects is its own affair, so
   * `guard` sees only hosts that are addresses themselves.
   */
  readonly dispatcher?: Dispatcher | undefined
  /** Default `orlop/<version>`. */
  readonly userAgent?: string | undefined
  readonly timeouts?: Partial<Timeouts> | undefined
  /** Refuses addresses at the time of connecting, after names are looked up. */
  readonly guard?: AddressGuard | undefined
  /** PEM text of certificate authorities to trust besides Node's, whatever the host. */
  readonly ca?: string | undefined
  /** True: certificates are not checked, whatever the host. */
  readonly skipVerify?: boolean | undefined
}

const defaultTimeouts: Timeouts = { connectMs: 30_000, headersMs: 60_000, idleMs: 30_000 }

/**
 * Sends single HTTP requests: no redirects, no credentials, no second try; those are wrapped around it.
 *
 * Connections are kept and shared; the proxies of `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` are used, but never for
 * this machine itself.
 */
export class HttpClient implements AsyncDisposable {
  readonly #options: HttpClientOptions
  readonly #timeouts: Timeouts
  /** One for each way to connect, which may have certificates of its own. */
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
   * One exchange; resolves with the headers, whatever the status. Told of on the channel `orlop:fetch`: see `FetchReport`.
   *
   * @throws UNAVAILABLE  no connection, or none that lasted until the headers; so do reads of the body
   */
  async send(request: HttpRequest, options: AbortOptions = {}): Promise<HttpResponse> {
    options.signal?.throwIfAborted()
    return reported(request, () => this.#send(request, options))
  }

  async #send(request: HttpRequest, { signal }: AbortOptions): Promise<HttpResponse> {
    const { method, url, body, connection } = request
    try {
      const dispatcher = this.#options.dispatcher ?? (await this.#dispatcher(connection))
      const response = await dispatcher.request({
        origin: url.origin,
        path: url.pathname + url.search,
        method,
        headers: this.#headers(request),
        body: bodyOf(body),
        signal: signal ?? null,
        headersTimeout: request.headersMs ?? this.#timeouts.headersMs,
        bodyTimeout: this.#timeouts.idleMs,
        highWaterMark: 512 * 1024,
        // undici would close the connection after each HEAD, against servers that send a body with it all the same.
        reset: false,
      })
      return receive(request, response, signal)
    } catch (error) {
      signal?.throwIfAborted()
      throw isOrlopError(error) ? error : transportError(error, request)
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

  #dispatcher(special: Connection | undefined): Promise<Dispatcher> {
    const connection = joinConnections(this.#general, special)
    const key = JSON.stringify(connection)
    const known = this.#own.get(key)
    if (known) return known
    const opened = open(connection, this.#options.guard, this.#timeouts)
    this.#own.set(key, opened)
    return opened
  }
}

/** undici takes iterables too, which its types do not say; that spares a stream around each. */
const bodyOf = (body: RequestBody | undefined): string | Uint8Array | Readable | null =>
  isStreamed(body) ? (body.chunks as unknown as Readable) : (body ?? null)

/** undici is loaded here, at the first request: it takes longer than all of orlop. */
async function open(
  connection: Connection,
  guard: AddressGuard | undefined,
  timeouts: Timeouts,
): Promise<Dispatcher> {
  const { Agent, EnvHttpProxyAgent } = await import('undici')
  const connect = await connectOptions(connection, timeouts)
  const options: Agent.Options = {
    keepAliveTimeout: 30_000,
    // A first address that does not answer is given a second, not Node's 250 ms, which far registries miss.
    autoSelectFamilyAttemptTimeout: 1000,
    connect: { ...connect, ...(guard && { lookup: guardedLookup(guard) }) },
  }
  // A guard looks at where connections go; through a proxy it would look at the proxy.
  if (guard || !hasProxy(process.env)) return new Agent(options)
  const { no_proxy: lower, NO_PROXY: upper } = process.env
  const noProxy = `${lower ?? upper ?? ''},localhost,127.0.0.1,::1`
  // What lies behind a proxy is connected to by other options than the proxy itself.
  return new EnvHttpProxyAgent({ ...options, requestTls: connect, noProxy })
}

async function connectOptions(
  { ca, certificates = [], skipVerify, connectMs }: Connection,
  timeouts: Timeouts,
): Promise<buildConnector.BuildOptions> {
  const roots = ca ? (await import('node:tls')).rootCertificates : []
  return {
    timeout: connectMs ?? timeouts.connectMs,
    ...(ca && { ca: [...roots, ...ca] }),
    ...(certificates.length > 0 && {
      cert: certificates.map(({ cert }) => cert),
      key: certificates.map(({ key }) => key),
    }),
    ...(skipVerify && { rejectUnauthorized: false }),
  }
}

const hasProxy = (env: NodeJS.ProcessEnv): boolean =>
  ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY'].some(name => env[name])

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
