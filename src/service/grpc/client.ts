import http2, { type OutgoingHttpHeaders } from 'node:http2'
import type { Duplex } from 'node:stream'
import { OrlopError } from '../../errors.ts'
import { ClientCall } from './client-call.ts'
import type { Line } from './line.ts'

/** Limits of a client, in bytes. */
export interface ClientLimits {
  /** Of one message, either way. */
  readonly message: number
  /** What the server may send on one call before it is read. */
  readonly window: number
}

/** Mebibytes that Node lets one connection take before it refuses more calls; its own 10 are too few for big messages. */
const sessionMemory = 1024

/**
 * gRPC's client side over HTTP/2: messages are bytes to it.
 *
 * Connects with the first call, and again with the next one after a connection has ended. A process that only has a
 * connection open, and no calls on it, may end.
 *
 * @see gRPC over HTTP2, the protocol's specification
 */
export class GrpcClient implements Disposable {
  readonly #connect: () => Duplex
  readonly #limits: ClientLimits
  #line: Line | undefined
  #isClosed = false

  constructor(connect: () => Duplex, limits: ClientLimits) {
    this.#connect = connect
    this.#limits = limits
  }

  /**
   * Begins a call.
   *
   * @param path  `/package.Service/Method`
   * @throws FAILED_PRECONDITION  the client is disposed
   */
  call(path: string, headers: OutgoingHttpHeaders): ClientCall {
    if (this.#isClosed) throw new OrlopError('FAILED_PRECONDITION', `${path}: the client has been closed`)
    const line = this.#current()
    const stream = line.session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      'grpc-accept-encoding': 'identity',
      ...headers,
    })
    return new ClientCall(stream, line, { path, limit: this.#limits.message })
  }

  #current(): Line {
    const { session } = this.#line ?? {}
    if (this.#line === undefined || session === undefined || session.closed || session.destroyed) {
      this.#line = this.#open()
    }
    return this.#line
  }

  #open(): Line {
    const { window } = this.#limits
    const session = http2.connect('http://localhost', {
      createConnection: this.#connect,
      settings: { enablePush: false, initialWindowSize: window },
      maxSessionMemory: sessionMemory,
    })
    const line: Line = { session, failure: undefined, isConnected: false, calls: 0 }
    session.on('error', error => {
      line.failure = error
    })
    session.once('connect', () => {
      line.isConnected = true
      // Each call has its own window; that of all together must not be smaller than one.
      if (!session.destroyed) session.setLocalWindowSize(4 * window)
    })
    session.unref()
    return line
  }

  /** Calls that are open are cut, and there are no more. */
  [Symbol.dispose](): void {
    this.#isClosed = true
    this.#line?.session.destroy()
  }
}
