import http from 'node:http'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { Teardown } from './tmp.ts'

/** A request that went through the proxy. */
export interface RecordedRequest {
  readonly method: string
  readonly path: string
  readonly range: string | undefined
  /** Status of the answer; undefined while there is none. */
  readonly status: number | undefined
}

/** A proxy in front of a registry that writes down what is asked for. */
export interface RecordingProxy {
  /** `127.0.0.1:<port>`; a registry to its clients. */
  readonly host: string
  /** Everything asked for so far, oldest first. */
  requests(): readonly RecordedRequest[]
}

/** Settings of the proxy. */
export interface RecordingProxyOptions {
  /** How fast each answer's body goes out, in bytes a second; default: as it comes. */
  readonly bytesPerSecond?: number
}

/** Starts a proxy in front of the registry at `upstream` (`127.0.0.1:<port>`); stops it in teardown. */
export async function startRecordingProxy(
  t: Teardown,
  upstream: string,
  { bytesPerSecond = Number.POSITIVE_INFINITY }: RecordingProxyOptions = {},
): Promise<RecordingProxy> {
  const requests: { -readonly [Key in keyof RecordedRequest]: RecordedRequest[Key] }[] = []
  const server = http.createServer((request, response) => {
    const { method = 'GET', url = '/', headers } = request
    const record = { method, path: url, range: headers.range, status: undefined as number | undefined }
    requests.push(record)
    const forwarded = http.request(`http://${upstream}${url}`, { method, headers }, answer => {
      record.status = answer.statusCode
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      pipeline(throttled(answer, bytesPerSecond), response).catch(() => response.destroy())
    })
    forwarded.on('error', () => response.destroy())
    response.on('close', () => forwarded.destroy())
    request.pipe(forwarded)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(async () => {
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port')
  return { host: `127.0.0.1:${address.port}`, requests: () => [...requests] }
}

async function* throttled(body: AsyncIterable<Buffer>, bytesPerSecond: number): AsyncGenerator<Buffer> {
  const started = performance.now()
  let sent = 0
  for await (const chunk of body) {
    sent += chunk.length
    const wait = started + (sent / bytesPerSecond) * 1000 - performance.now()
    if (wait > 1) await delay(wait)
    yield chunk
  }
}
