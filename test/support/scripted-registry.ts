import http from 'node:http'
import { digestOf, type RawDescriptor } from './layout.ts'
import type { Teardown } from './tmp.ts'

/** What the registry answers for a path. */
export interface ScriptedAnswer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string | number>>
  /** Sent in this order; the connection breaks after the last when `breaks`. */
  readonly body?: Iterable<Uint8Array> | Uint8Array
  readonly breaks?: boolean
}

/** A registry that says what a test tells it to say, true or not. */
export interface ScriptedRegistry {
  /** `127.0.0.1:<port>` */
  readonly host: string
  /** What is answered from now on to GET and HEAD of a path below `/v2/`. */
  answer(path: string, answer: ScriptedAnswer): void
  /** Serves a blob truly; gives its descriptor. */
  blob(repository: string, mediaType: string, bytes: Uint8Array): RawDescriptor
  /** Serves a document truly, by its digest and by tags; gives its descriptor. */
  manifest(repository: string, document: ScriptedDocument, ...tags: readonly string[]): RawDescriptor
}

/** A manifest or index as JSON. */
export interface ScriptedDocument {
  readonly mediaType: string
  readonly [key: string]: unknown
}

/** Starts a registry that knows nothing yet; stops it in teardown. */
export async function startScriptedRegistry(t: Teardown): Promise<ScriptedRegistry> {
  const answers = new Map<string, ScriptedAnswer>()
  const server = http.createServer((request, response) => {
    const path = (request.url ?? '').replace(/^\/v2\//, '').replace(/\?.*$/, '')
    const answer = answers.get(path) ?? (path === '' ? {} : unknown)
    send(answer, request.method === 'HEAD', response).catch(() => response.destroy())
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(async () => {
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the registry has no port')
  const answer = (path: string, what: ScriptedAnswer): void => {
    answers.set(path, what)
  }
  return {
    host: `127.0.0.1:${address.port}`,
    answer,
    blob(repository, mediaType, bytes) {
      const digest = digestOf(bytes)
      answer(`${repository}/blobs/${digest}`, { body: bytes })
      return { mediaType, digest, size: bytes.byteLength }
    },
    manifest(repository, document, ...tags) {
      const body = Buffer.from(JSON.stringify({ schemaVersion: 2, ...document }))
      const { mediaType } = document
      const digest = digestOf(body)
      const headers = { 'content-type': mediaType, 'docker-content-digest': digest }
      for (const name of [digest, ...tags]) answer(`${repository}/manifests/${name}`, { headers, body })
      return { mediaType, digest, size: body.byteLength }
    },
  }
}

const unknown: ScriptedAnswer = {
  status: 404,
  headers: { 'content-type': 'application/json' },
  body: Buffer.from('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}'),
}

const send = async (
  { status = 200, headers = {}, body = new Uint8Array(), breaks = false }: ScriptedAnswer,
  onlyHead: boolean,
  response: http.ServerResponse,
): Promise<void> => {
  const length = body instanceof Uint8Array ? { 'content-length': body.byteLength } : {}
  response.writeHead(status, { ...length, ...headers })
  if (onlyHead) {
    response.end()
    return
  }
  for (const chunk of body instanceof Uint8Array ? [body] : body) {
    if (response.destroyed) return
    if (!response.write(chunk))
      await new Promise(resolve => response.once('drain', resolve).once('close', resolve))
  }
  if (breaks) response.destroy()
  else response.end()
}
