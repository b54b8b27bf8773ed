import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

/** Bytes with their media type. */
export interface ServedBlob {
  readonly mediaType: string
  readonly bytes: Uint8Array
}

/** What a repository holds: its blobs and manifests by digest, and the digest of each tag. */
export interface ServedRepository {
  readonly blobs: ReadonlyMap<string, ServedBlob>
  readonly tags: ReadonlyMap<string, string>
}

/** A registry that answers. */
export interface DemoRegistry extends AsyncDisposable {
  /** `127.0.0.1:<port>` */
  readonly host: string
}

/**
 * Serves repositories on a port of loopback: the reading half of a registry, with HEAD and Range.
 *
 * @param repositories  by name, as in `demo/level`
 * @see distribution-spec v1.1, pull
 */
export async function serveRepositories(
  repositories: ReadonlyMap<string, ServedRepository>,
): Promise<DemoRegistry> {
  const server = createServer((request, response) => answer(repositories, request, response))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port to listen on')
  return {
    host: `127.0.0.1:${address.port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | number>>
  readonly body: Uint8Array
}

const answer = (
  repositories: ReadonlyMap<string, ServedRepository>,
  request: IncomingMessage,
  response: ServerResponse,
): void => {
  const { status, headers, body } = route(repositories, request)
  response.writeHead(status, { 'content-length': body.byteLength, ...headers })
  response.end(request.method === 'HEAD' ? undefined : body)
}

const route = (
  repositories: ReadonlyMap<string, ServedRepository>,
  { method, url = '/', headers: { range } }: IncomingMessage,
): Answer => {
  const { pathname } = new URL(url, 'http://localhost')
  if (method !== 'GET' && method !== 'HEAD') return refusal(405, 'UNSUPPORTED')
  if (pathname === '/v2/') return json(200, {})
  const [, name = '', kind, reference = ''] =
    /^\/v2\/(.+)\/(manifests|blobs|tags)\/([^/]+)$/.exec(pathname) ?? []
  const repository = repositories.get(name)
  if (repository === undefined) return refusal(404, 'NAME_UNKNOWN')
  const { tags, blobs } = repository
  if (kind === 'tags') return json(200, { name, tags: [...tags.keys()].toSorted() })
  const digest = kind === 'manifests' ? (tags.get(reference) ?? reference) : reference
  const blob = blobs.get(digest)
  if (blob === undefined) return refusal(404, kind === 'blobs' ? 'BLOB_UNKNOWN' : 'MANIFEST_UNKNOWN')
  const mediaType = kind === 'blobs' ? 'application/octet-stream' : blob.mediaType
  const headers = { 'content-type': mediaType, 'docker-content-digest': digest, 'accept-ranges': 'bytes' }
  return part({ status: 200, headers, body: blob.bytes }, range)
}

// Of ranges only `bytes=<first>-[<last>]` is served; RFC 9110 allows to answer any other with the whole.
const part = (whole: Answer, range = ''): Answer => {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(range) ?? []
  if (first === undefined) return whole
  const size = whole.body.byteLength
  const start = Number(first)
  const end = last === undefined || last === '' ? size : Math.min(Number(last) + 1, size)
  if (start >= end) return refusal(416, 'RANGE_INVALID', { 'content-range': `bytes */${size}` })
  const headers = { ...whole.headers, 'content-range': `bytes ${start}-${end - 1}/${size}` }
  return { status: 206, headers, body: whole.body.subarray(start, end) }
}

const json = (status: number, value: unknown, headers: Answer['headers'] = {}): Answer => ({
  status,
  headers: { 'content-type': 'application/json', ...headers },
  body: Buffer.from(JSON.stringify(value)),
})

const refusal = (status: number, code: string, headers?: Answer['headers']): Answer =>
  json(status, { errors: [{ code, message: code.toLowerCase().replaceAll('_', ' ') }] }, headers)
