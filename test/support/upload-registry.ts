import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Digest, digestOf, isDigest } from '../../src/oci/digest.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'
import { type Answer, json } from './registry-answer.ts'
import type { Teardown } from './tmp.ts'

/** One request as it came in; the body as far as it came. */
export interface Upload {
  readonly method: string
  /** With the query. */
  readonly path: string
  readonly headers: http.IncomingHttpHeaders
  readonly body: Buffer
  /** What it was answered with; 0 when it was not. */
  readonly status: number
}

/** One exchange that a fault may take over. */
export interface UploadExchange {
  readonly registry: UploadRegistry
  readonly request: http.IncomingMessage
  readonly response: http.ServerResponse
  /** Reads the body, or `bytes` of it. */
  body(bytes?: number): Promise<Buffer>
  /** What a sound registry does and says, with the body, or with part of it. */
  sound(body?: Buffer): Promise<Answer>
  send(answer: Answer): void
}

/** Does something wrong in place of what the registry does. */
export type UploadFault = (exchange: UploadExchange) => Promise<void> | void

/** What a registry is like. */
export interface UploadRegistryOptions {
  /** How Location headers are written; default: an absolute URL. */
  readonly location?: (path: string) => string
  /** It lists referrers by itself, and says so. */
  readonly listsReferrers?: boolean
  /** As distribution 2.8 it forgets an upload that has other bytes than it said last, because it broke. */
  readonly forgetful?: boolean
  /** What every request must carry. */
  readonly authorization?: string
  /** Headers of the answer that begins an upload. */
  readonly begin?: Readonly<Record<string, string>>
}

interface Rule {
  readonly pattern: RegExp
  readonly faults: UploadFault[]
  readonly lasting: boolean
}

type SeenUpload = { -readonly [Key in keyof Upload]: Upload[Key] }

/**
 * A registry over real HTTP on loopback, to push to, strict as the specification is, that does wrong when told to.
 *
 * It takes bytes in one PATCH or several, or with the PUT that ends an upload. A part must begin where the last ended.
 */
export class UploadRegistry {
  /** `127.0.0.1:<port>` */
  readonly host: string
  /** Every request, in order of arrival. */
  readonly requests: Upload[] = []
  /** Bytes of blobs and manifests, by path: `/v2/app/blobs/sha256:…`, `/v2/app/manifests/latest`. */
  readonly contents = new Map<string, Buffer>()
  /** Uploads that were begun and not ended, by id. */
  readonly sessions = new Map<string, Buffer>()
  readonly #options: UploadRegistryOptions
  readonly #types = new Map<string, string>()
  #rules: Rule[] = []
  #count = 0

  constructor(host: string, options: UploadRegistryOptions) {
    this.host = host
    this.#options = options
  }

  /** The next requests whose `METHOD /path` matches get one of `faults` each, in order. */
  next(pattern: RegExp, ...faults: readonly UploadFault[]): void {
    this.#rules.push({ pattern, faults: [...faults], lasting: false })
  }

  /** Every request whose `METHOD /path` matches gets this fault. */
  always(pattern: RegExp, fault: UploadFault): void {
    this.#rules.push({ pattern, faults: [fault], lasting: true })
  }

  /** The requests whose `METHOD /path` matches. */
  seen(pattern: RegExp): readonly Upload[] {
    return this.requests.filter(({ method, path }) => pattern.test(`${method} ${path}`))
  }

  /** `METHOD` and what follows `/v2/<repository>/`, without queries and with short names for what is random. */
  log(): readonly string[] {
    return this.requests.map(
      ({ method, path }) =>
        `${method} ${path
          .replace(/^\/v2\/[^?]*?\/(?=blobs|manifests|referrers)/, '')
          .replace(/\?.*/, '')
          .replace(/uploads\/.+/, 'uploads/#')
          .replace(/(sha256:.{6}).*/, '$1')}`,
    )
  }

  /** Takes one exchange; for the server. */
  async take(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const { method = '', url: path = '', headers } = request
    const seen: SeenUpload = { method, path, headers: { ...headers }, body: Buffer.alloc(0), status: 0 }
    this.requests.push(seen)
    const body = async (bytes = Number.POSITIVE_INFINITY): Promise<Buffer> => {
      seen.body = await readBody(request, bytes)
      return seen.body
    }
    const send = (answer: Answer): void => {
      seen.status = answer.status
      response.writeHead(answer.status, {
        'content-length': answer.body.byteLength,
        ...answer.headers,
      } as http.OutgoingHttpHeaders)
      response.end(method === 'HEAD' ? undefined : answer.body)
      // What nobody reads must not stand before the next request of the connection.
      request.resume()
    }
    const sound = async (bytes?: Buffer): Promise<Answer> => this.#answer(request, bytes ?? (await body()))
    const fault = this.#fault(`${method} ${path}`)
    if (fault) await fault({ registry: this, request, response, body, sound, send })
    else send(await sound())
  }

  #fault(line: string): UploadFault | undefined {
    const rule = this.#rules.find(({ pattern, faults }) => faults.length > 0 && pattern.test(line))
    return rule?.lasting ? rule.faults[0] : rule?.faults.shift()
  }

  #answer(request: http.IncomingMessage, body: Buffer): Answer {
    const { authorization } = this.#options
    if (authorization !== undefined && request.headers.authorization !== authorization)
      return refusal(401, 'UNAUTHORIZED', { 'www-authenticate': 'Basic realm="x"' })
    const url = new URL(request.url ?? '', `http://${this.host}`)
    const [, repository = '', session] = /^\/v2\/(.+)\/blobs\/uploads\/(.*)$/.exec(url.pathname) ?? []
    if (session !== undefined) return this.#upload(request, { url, repository, session, body })
    const [, asked, subject] = /^(.+)\/referrers\/(.+)$/.exec(url.pathname) ?? []
    if (asked !== undefined && subject !== undefined) return this.#referrers(asked, subject)
    if (request.method === 'PUT') return this.#putManifest(url.pathname, request, body)
    if (request.method === 'DELETE') return this.#delete(url.pathname)
    const bytes = this.contents.get(url.pathname)
    if (!bytes) return refusal(404, url.pathname.includes('/blobs/') ? 'BLOB_UNKNOWN' : 'MANIFEST_UNKNOWN')
    const type = this.#types.get(url.pathname) ?? 'application/octet-stream'
    return {
      status: 200,
      headers: { 'content-type': type, 'docker-content-digest': digestOf(bytes) },
      body: bytes,
    }
  }

  #upload(
    { method, headers }: http.IncomingMessage,
    { url, repository, session, body }: { url: URL; repository: string; session: string; body: Buffer },
  ): Answer {
    if (method === 'POST') return this.#begin(url, repository)
    const have = this.sessions.get(session)
    if (!have) return refusal(404, 'BLOB_UPLOAD_UNKNOWN')
    const [, at, of] = /^(\d+) of (.+)$/.exec(url.searchParams.get('state') ?? '') ?? []
    if (of !== session) return refusal(400, 'BLOB_UPLOAD_INVALID')
    if (this.#options.forgetful && Number(at) !== have.byteLength) {
      this.sessions.delete(session)
      return refusal(404, 'BLOB_UPLOAD_INVALID')
    }
    if (method === 'DELETE') this.sessions.delete(session)
    if (method === 'GET') return this.#standing(204, repository, session)
    if (method === 'DELETE') return empty(204)
    const [, first = String(have.byteLength)] = /^(\d+)-\d+$/.exec(headers['content-range'] ?? '') ?? []
    if (Number(first) !== have.byteLength) return this.#standing(416, repository, session)
    const bytes = Buffer.concat([have, body])
    this.sessions.set(session, bytes)
    return method === 'PATCH'
      ? this.#standing(202, repository, session)
      : this.#finish(url, repository, session)
  }

  #begin({ searchParams }: URL, repository: string): Answer {
    const mounted = this.contents.get(`/v2/${searchParams.get('from')}/blobs/${searchParams.get('mount')}`)
    if (mounted) return this.#stored(`/v2/${repository}/blobs/${searchParams.get('mount')}`, mounted)
    const session = `session-${++this.#count}`
    this.sessions.set(session, Buffer.alloc(0))
    const { headers, ...rest } = this.#standing(202, repository, session)
    return { ...rest, headers: { ...headers, ...this.#options.begin } }
  }

  #standing(status: number, repository: string, session: string): Answer {
    const { location = path => `http://${this.host}${path}` } = this.#options
    const size = this.sessions.get(session)?.byteLength ?? 0
    const path = `/v2/${repository}/blobs/uploads/${session}?state=${size}%20of%20${session}`
    return {
      status,
      headers: { location: location(path), range: `0-${Math.max(0, size - 1)}` },
      body: Buffer.alloc(0),
    }
  }

  #finish({ searchParams }: URL, repository: string, session: string): Answer {
    const bytes = this.sessions.get(session) ?? Buffer.alloc(0)
    const digest = searchParams.get('digest') ?? ''
    this.sessions.delete(session)
    if (!isDigest(digest) || digestOf(bytes) !== digest) return refusal(400, 'DIGEST_INVALID')
    return this.#stored(`/v2/${repository}/blobs/${digest}`, bytes)
  }

  #putManifest(path: string, { headers }: http.IncomingMessage, body: Buffer): Answer {
    const repository = path.replace(/\/manifests\/.*/, '')
    const document = JSON.parse(body.toString())
    const missing = namedIn(document).find(
      ({ digest, urls }) =>
        !urls &&
        !this.contents.has(`${repository}/blobs/${digest}`) &&
        !this.contents.has(`${repository}/manifests/${digest}`),
    )
    if (missing) return refusal(400, 'MANIFEST_BLOB_UNKNOWN')
    for (const at of [path, `${repository}/manifests/${digestOf(body)}`]) {
      this.#types.set(at, headers['content-type'] ?? '')
      this.contents.set(at, body)
    }
    const answer = this.#stored(path, body)
    const { subject } = document
    if (!subject || !this.#options.listsReferrers) return answer
    return { ...answer, headers: { ...answer.headers, 'oci-subject': subject.digest } }
  }

  #referrers(repository: string, subject: string): Answer {
    if (!this.#options.listsReferrers) return refusal(404, 'NOT_FOUND')
    const manifests = new Map<string, object>()
    for (const [path, bytes] of this.contents) {
      if (!path.startsWith(`${repository}/manifests/`)) continue
      const document = JSON.parse(bytes.toString())
      if (document.subject?.digest !== subject) continue
      const { mediaType, artifactType } = document
      manifests.set(digestOf(bytes), {
        mediaType,
        digest: digestOf(bytes),
        size: bytes.byteLength,
        artifactType,
      })
    }
    const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [...manifests.values()] }
    return json(200, index, { 'content-type': mediaTypes.ociIndex })
  }

  #delete(path: string): Answer {
    const bytes = this.contents.get(path)
    if (!bytes) return refusal(404, 'MANIFEST_UNKNOWN')
    const isDigestPath = path.includes('/manifests/sha256:')
    for (const [at, content] of this.contents)
      if (at === path || (isDigestPath && content.equals(bytes))) this.contents.delete(at)
    return empty(202)
  }

  #stored(path: string, bytes: Buffer): Answer {
    this.contents.set(path, bytes)
    return { ...empty(201), headers: { location: path, 'docker-content-digest': digestOf(bytes) } }
  }
}

const namedIn = (document: {
  readonly manifests?: readonly Named[]
  readonly config?: Named
  readonly layers?: readonly Named[]
}): readonly Named[] => [
  ...(document.manifests ?? []),
  ...(document.config ? [document.config] : []),
  ...(document.layers ?? []),
]

interface Named {
  readonly digest: Digest
  readonly urls?: readonly string[]
}

/** An answer without a body. */
export const empty = (status: number, headers: Answer['headers'] = {}): Answer => ({
  status,
  headers,
  body: Buffer.alloc(0),
})

/** A registry's error document. */
export const refusal = (status: number, code: string, headers: Answer['headers'] = {}): Answer =>
  json(status, { errors: [{ code, message: code.toLowerCase().replaceAll('_', ' ') }] }, headers)

async function readBody(request: http.IncomingMessage, bytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  if (bytes === 0) return Buffer.alloc(0)
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    chunks.push(chunk)
    size += chunk.byteLength
    if (size >= bytes) break
  }
  return Buffer.concat(chunks).subarray(0, bytes)
}

/** Starts a registry to push to; it is stopped, with all its connections, when the test ends. */
export async function startUploadRegistry(
  t: Teardown,
  options: UploadRegistryOptions = {},
): Promise<UploadRegistry> {
  const held: { registry?: UploadRegistry } = {}
  const server = http.createServer((request, response) => {
    response.on('error', () => {})
    // What was not read would keep the connection from its next request, for ever now that none is closed.
    response.once('finish', () => request.resume())
    // A client that hangs up is no failure of ours.
    held.registry?.take(request, response).catch(() => response.destroy())
  })
  // A slow machine must not look like a connection that breaks.
  server.keepAliveTimeout = 0
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  held.registry = new UploadRegistry(`127.0.0.1:${(server.address() as AddressInfo).port}`, options)
  return held.registry
}

/** Answers at once, without reading the body. */
export const answers =
  (answer: Answer): UploadFault =>
  ({ send }) =>
    send(answer)

/** Answers after reading the body, and does nothing with it. */
export const reads =
  (answer: Answer): UploadFault =>
  async ({ body, send }) => {
    await body()
    send(answer)
  }

/** Takes the first bytes of the body as if they were all, and then closes the connection. */
export const dropsAfter =
  (bytes: number): UploadFault =>
  async ({ body, sound, request }) => {
    await sound(await body(bytes))
    request.socket.destroy()
  }

/** Does what it is told, and closes the connection before it says so. */
export const dropsAnswer: UploadFault = async ({ sound, request }) => {
  await sound()
  request.socket.destroy()
}

/** The sound answer with something else in it. */
export const changes =
  (edit: (answer: Answer) => Partial<Answer>): UploadFault =>
  async ({ sound, send }) => {
    const answer = await sound()
    send({ ...answer, ...edit(answer) })
  }

/** Refuses every body that is larger, before reading it. */
export const limits =
  (bytes: number, answer: Answer): UploadFault =>
  async exchange => {
    const { request, send, sound } = exchange
    if (Number(request.headers['content-length'] ?? 0) > bytes) send(answer)
    else send(await sound())
  }
