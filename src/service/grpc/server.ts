import http2, { type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'
import type { AbortOptions } from '../../options.ts'
import { Budget } from './budget.ts'
import { timeoutOf } from './headers.ts'
import { CallStream } from './stream.ts'

/** Does what a call of one path asks for, and ends it. Never rejects. */
export type Route = (call: CallStream) => Promise<void>

/** Limits of a server, in bytes but for `streams`. */
export interface ServerLimits {
  /** Of one message. */
  readonly message: number
  /** Calls of one connection at one time; more wait. */
  readonly streams: number
  /** What a client may send on one call before it is read. */
  readonly window: number
  /** Of messages that are not read yet: of one connection, and of all. */
  readonly unread: { readonly connection: number; readonly all: number }
}

/** Numbers of gRPC that a server needs by itself. */
const codes = { deadlineExceeded: 4, unimplemented: 12, internal: 13 } as const

/** Mebibytes that Node lets one connection take before it refuses more calls; its own 10 are too few for big messages. */
const sessionMemory = 1024

/**
 * gRPC's server side over HTTP/2, on connections that it is handed: messages are bytes to it.
 *
 * @see gRPC over HTTP2, the protocol's specification
 */
export class GrpcServer {
  readonly #routes: ReadonlyMap<string, Route>
  readonly #limits: ServerLimits
  readonly #unread: Budget
  readonly #http: http2.Http2Server
  readonly #sessions = new Set<ServerHttp2Session>()

  /** @param routes  by path: `/package.Service/Method` */
  constructor(routes: ReadonlyMap<string, Route>, limits: ServerLimits) {
    this.#routes = routes
    this.#limits = limits
    this.#unread = new Budget(limits.unread.all)
    this.#http = http2.createServer({
      settings: { maxConcurrentStreams: limits.streams, initialWindowSize: limits.window, enablePush: false },
      maxSessionMemory: sessionMemory,
    })
    this.#http.on('session', session => this.#welcome(session))
    this.#http.on('sessionError', () => undefined) // A client without manners; its connection is closed.
  }

  /** Serves one connection, which it owns from here on. */
  accept(connection: Duplex): void {
    this.#http.emit('connection', connection)
  }

  /** Ends: calls under way have `graceMs` or until the signal fires, then they are cut. */
  async close(graceMs: number, { signal }: AbortOptions = {}): Promise<void> {
    const open = [...this.#sessions]
    const closed = open.map(session => new Promise<void>(resolve => session.once('close', resolve)))
    const cut = (): void => {
      for (const session of open) session.destroy()
    }
    for (const session of open) session.close()
    const timer = setTimeout(cut, signal?.aborted ? 0 : graceMs)
    signal?.addEventListener('abort', cut)
    await Promise.all(closed)
    clearTimeout(timer)
    signal?.removeEventListener('abort', cut)
  }

  #welcome(session: ServerHttp2Session): void {
    this.#sessions.add(session)
    session.once('close', () => this.#sessions.delete(session))
    // Each call has its own window; that of all together must not be smaller than one.
    session.setLocalWindowSize(4 * this.#limits.window)
    const unread = new Budget(this.#limits.unread.connection, this.#unread)
    const options = { limit: this.#limits.message, budget: unread }
    const onStream = (
      stream: ServerHttp2Stream,
      headers: Headers,
      _: number,
      raw: readonly string[],
    ): void => {
      const status = httpStatusOf(headers)
      if (status === 200) this.#run(new CallStream(stream, raw, options), headers[':path'] ?? '')
      else refuse(stream, status)
    }
    session.on('stream', onStream)
  }

  #run(call: CallStream, path: string): void {
    const route = this.#routes.get(path)
    if (route === undefined) {
      const message = `${path.replace(/^\//, '')}: there is no such method here`
      call.end({ code: codes.unimplemented, message })
      return
    }
    const encoding = call.header('grpc-encoding')
    if (encoding !== '' && encoding !== 'identity') {
      const message = `grpc-encoding ${encoding}: messages are taken uncompressed only`
      const trailers = { 'grpc-accept-encoding': 'identity' }
      call.end({ code: codes.unimplemented, message, trailers })
      return
    }
    const timeout = call.header('grpc-timeout')
    if (timeout === '') void route(call)
    else void withDeadline(call, timeout, route)
  }
}

type Headers = http2.IncomingHttpHeaders

/** What a request that is none of gRPC's is answered with. */
const httpStatusOf = (headers: Headers): number => {
  if (headers[':method'] !== 'POST') return 405
  return headers['content-type']?.startsWith('application/grpc') ? 200 : 415
}

/** Timers of Node have 31 bits of milliseconds; a later deadline is none. */
const maxTimer = 2 ** 31 - 1

async function withDeadline(call: CallStream, text: string, route: Route): Promise<void> {
  const timeout = timeoutOf(text)
  if (timeout === undefined) {
    call.end({ code: codes.internal, message: `grpc-timeout ${JSON.stringify(text)}: is none` })
    return
  }
  const expire = (): void => {
    call.cancel('TimeoutError', 'the deadline of the call has passed')
    call.end({ code: codes.deadlineExceeded, message: 'context deadline exceeded' })
  }
  const timer = timeout > maxTimer ? undefined : setTimeout(expire, timeout)
  await route(call)
  clearTimeout(timer)
}

function refuse(stream: ServerHttp2Stream, status: number): void {
  stream.on('error', () => undefined)
  stream.respond({ ':status': status }, { endStream: true })
  stream.resume()
}
