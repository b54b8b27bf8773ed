import http from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { TLSSocket } from 'node:tls'
import { type Descriptor, descriptorOf } from '../../src/oci/descriptor.ts'
import { type Digest, digestOf } from '../../src/oci/digest.ts'
import { isIndex, isManifest, mediaTypes } from '../../src/oci/media-type.ts'
import { type Answer, json } from './registry-answer.ts'
import { type RegistryAuth, TokenDesk } from './registry-auth.ts'
import { type ListRules, listAnswer } from './registry-lists.ts'
import type { Teardown } from './tmp.ts'

/** One request as it came in. */
export interface SeenRequest {
  readonly method: string
  /** With the query. */
  readonly path: string
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
  /** The name in the client certificate that was shown; absent: none was, or no TLS. */
  readonly peer?: string
}

/** One exchange that a fault may take over. */
export interface Exchange {
  readonly request: http.IncomingMessage
  readonly response: http.ServerResponse
  /** What a sound registry would say. */
  answer(): Answer
}

/** Does something wrong in place of the registry's answer. */
export type Fault = (exchange: Exchange) => void

/** How to set up a registry. */
export interface RegistryOptions extends ListRules {
  readonly auth?: RegistryAuth
  /** Key and certificate, perhaps what it asks of clients: the registry speaks TLS. */
  readonly tls?: Pick<https.ServerOptions, 'key' | 'cert' | 'ca' | 'requestCert' | 'rejectUnauthorized'>
}

interface Content {
  readonly bytes: Buffer
  readonly digest: Digest
  readonly mediaType: string
}

interface Rule {
  readonly pattern: RegExp
  readonly faults: Fault[]
  readonly lasting: boolean
}

/** A registry over real HTTP on loopback, to pull from, that does wrong when told to. */
export class TestRegistry {
  /** `127.0.0.1:<port>` */
  readonly host: string
  /** Every request, in order of arrival. */
  readonly requests: SeenRequest[] = []
  readonly tokens: TokenDesk
  readonly #contents = new Map<string, Content>()
  readonly #lists: ListRules
  #rules: Rule[] = []

  constructor(host: string, { auth, ...lists }: RegistryOptions) {
    this.host = host
    this.#lists = lists
    this.tokens = new TokenDesk(`http://${host}`, auth)
  }

  /** Stores a blob in a repository. */
  blob(
    repository: string,
    bytes: Uint8Array | string,
    mediaType: string = mediaTypes.ociLayerGzip,
  ): Descriptor {
    const desc = descriptorOf(mediaType, Buffer.from(bytes))
    this.add(repository, undefined, desc, bytes)
    return desc
  }

  /** Stores bytes under the digest of a descriptor, whatever its algorithm; a manifest or index perhaps under a tag too. */
  add(repository: string, tag: string | undefined, desc: Descriptor, content: Uint8Array | string): void {
    const { digest, mediaType } = desc
    const bytes = Buffer.from(content)
    const isDocument = isIndex(desc) || isManifest(desc)
    const entry = { bytes, digest, mediaType: isDocument ? mediaType : mediaTypes.octetStream }
    for (const name of [digest, tag ?? digest])
      this.#contents.set(`/v2/${repository}/${isDocument ? 'manifests' : 'blobs'}/${name}`, entry)
  }

  /** Stores a manifest or index in a repository, under its digest and perhaps a tag. */
  put(
    repository: string,
    tag: string | undefined,
    document: object | string,
    mediaType: string = mediaTypes.ociManifest,
  ): Descriptor {
    const bytes = Buffer.from(typeof document === 'string' ? document : JSON.stringify(document))
    const desc = descriptorOf(mediaType, bytes)
    for (const name of [desc.digest, tag ?? desc.digest])
      this.#contents.set(`/v2/${repository}/manifests/${name}`, { bytes, mediaType, digest: desc.digest })
    return desc
  }

  /** An image of one config and some layers under a tag. */
  image(repository: string, tag: string, ...layers: readonly (Uint8Array | string)[]) {
    const config = this.blob(
      repository,
      `{"architecture":"amd64","os":"linux","of":"${repository}"}`,
      mediaTypes.ociConfig,
    )
    const descs = layers.map(bytes => this.blob(repository, bytes))
    const manifest = this.put(repository, tag, {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config,
      layers: descs,
    })
    return { manifest, config, layers: descs }
  }

  /** The next requests whose `METHOD /path` matches get one of `faults` each, in order. */
  next(pattern: RegExp, ...faults: readonly Fault[]): void {
    this.#rules.push({ pattern, faults: [...faults], lasting: false })
  }

  /** Every request whose `METHOD /path` matches gets this fault. */
  always(pattern: RegExp, fault: Fault): void {
    this.#rules.push({ pattern, faults: [fault], lasting: true })
  }

  /** No more faults. */
  heal(): void {
    this.#rules = []
  }

  /** The requests whose `METHOD /path` matches. */
  seen(pattern: RegExp): readonly SeenRequest[] {
    return this.requests.filter(({ method, path }) => pattern.test(`${method} ${path}`))
  }

  /** Takes one exchange; for the server. */
  take(request: http.IncomingMessage, response: http.ServerResponse, body: string): void {
    const { method = '', url: path = '', headers } = request
    const peer = peerOf(request)
    this.requests.push({ method, path, headers: { ...headers }, body, ...(peer !== undefined && { peer }) })
    const fault = this.#fault(`${method} ${path}`)
    const exchange = { request, response, answer: () => this.#answer(request, body) }
    if (fault) fault(exchange)
    else send(exchange, exchange.answer())
  }

  #fault(line: string): Fault | undefined {
    const rule = this.#rules.find(({ pattern, faults }) => faults.length > 0 && pattern.test(line))
    return rule?.lasting ? rule.faults[0] : rule?.faults.shift()
  }

  #answer(request: http.IncomingMessage, body: string): Answer {
    const path = (request.url ?? '').split('?', 1)[0] ?? ''
    if (path === '/token') return this.tokens.issue(request, body)
    const refusal = this.tokens.refuse(request)
    if (refusal) return refusal
    if (path === '/v2/') return json(200, {})
    const stored = [...this.#contents].map(([at, content]) => ({ path: at, ...content }))
    const list = listAnswer(request, stored, this.#lists)
    if (list) return list
    const content = this.#contents.get(path)
    if (!content)
      return json(404, {
        errors: [
          { code: path.includes('/blobs/') ? 'BLOB_UNKNOWN' : 'MANIFEST_UNKNOWN', message: 'not here' },
        ],
      })
    return ranged(request, {
      status: 200,
      headers: { 'content-type': content.mediaType, 'docker-content-digest': content.digest },
      body: content.bytes,
    })
  }
}

/** Starts a registry; it is stopped, with all its connections, when the test ends. */
export async function startRegistry(t: Teardown, options: RegistryOptions = {}): Promise<TestRegistry> {
  const held: { registry?: TestRegistry } = {}
  const take = (...exchange: Parameters<TestRegistry['take']>) => held.registry?.take(...exchange)
  const host = await listen(t, take, options.tls)
  held.registry = new TestRegistry(host, options)
  return held.registry
}

/** Starts a bare server on another origin that remembers all it was sent; `handle` answers. */
export async function startRecorder(
  t: Teardown,
  handle: (exchange: Omit<Exchange, 'answer'>) => void,
): Promise<{ readonly host: string; readonly requests: SeenRequest[] }> {
  const requests: SeenRequest[] = []
  const host = await listen(t, (request, response, body) => {
    const { method = '', url: path = '', headers } = request
    requests.push({ method, path, headers, body })
    handle({ request, response })
  })
  return { host, requests }
}

async function listen(
  t: Teardown,
  take: (request: http.IncomingMessage, response: http.ServerResponse, body: string) => void,
  tls?: RegistryOptions['tls'],
): Promise<string> {
  const answer: http.RequestListener = (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', chunk => chunks.push(chunk))
    request.on('end', () => take(request, response, Buffer.concat(chunks).toString()))
    response.on('error', () => {})
  }
  const server = tls ? https.createServer(tls, answer) : http.createServer(answer)
  // On a busy machine a pause between two requests may be long; it is no fault that was asked for.
  server.keepAliveTimeout = 120_000
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

const peerOf = ({ socket }: http.IncomingMessage): string | undefined => {
  const name = socket instanceof TLSSocket ? socket.getPeerCertificate().subject?.CN : undefined
  return typeof name === 'string' ? name : undefined
}

/** Sends an answer as it is, with its length unless it says otherwise; to HEAD only its headers. */
export function send({ request, response }: Pick<Exchange, 'request' | 'response'>, answer: Answer): void {
  response.writeHead(answer.status, {
    'content-length': String(answer.body.byteLength),
    ...answer.headers,
  } as http.OutgoingHttpHeaders)
  response.end(request.method === 'HEAD' ? undefined : answer.body)
}

function ranged({ headers: { range }, method }: http.IncomingMessage, answer: Answer): Answer {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(range ?? '') ?? []
  if (first === undefined || method === 'HEAD') return answer
  const total = answer.body.byteLength
  const end = Math.min(last ? Number(last) + 1 : total, total)
  if (Number(first) >= total)
    return { ...answer, status: 416, headers: { 'content-range': `bytes */${total}` }, body: Buffer.alloc(0) }
  return {
    status: 206,
    headers: { ...answer.headers, 'content-range': `bytes ${first}-${end - 1}/${total}` },
    body: answer.body.subarray(Number(first), end),
  }
}

/** A digest of bytes that are nowhere. */
export const absentDigest: Digest = digestOf('nowhere')
