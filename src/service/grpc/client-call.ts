import { type ClientHttp2Stream, constants, type IncomingHttpHeaders } from 'node:http2'
import { OrlopError } from '../../errors.ts'
import { CallError } from './call-error.ts'
import { bytesOf } from './frame.ts'
import { decodeText } from './headers.ts'
import type { Line } from './line.ts'
import { Outflow } from './outflow.ts'
import { MessageReader } from './reader.ts'

/** What a `ClientCall` is made with. */
export interface ClientCallInit {
  readonly path: string
  /** Bytes of one message, either way. */
  readonly limit: number
}

/** One call of a client: a stream of HTTP/2 on which messages go both ways. */
export class ClientCall {
  readonly #stream: ClientHttp2Stream
  readonly #line: Line
  readonly #init: ClientCallInit
  readonly #reader: MessageReader
  readonly #outflow: Outflow
  readonly #closed: Promise<void>
  #headers: IncomingHttpHeaders = {}
  #status: IncomingHttpHeaders | undefined
  #isClosed = false
  #isOver = false
  #isCanceled = false

  constructor(stream: ClientHttp2Stream, line: Line, init: ClientCallInit) {
    this.#stream = stream
    this.#line = line
    this.#init = init
    // What a server sends is bounded by the windows, and by the one message of each call that is being read.
    this.#reader = new MessageReader(stream, { limit: init.limit })
    this.#outflow = new Outflow(stream)
    if (line.calls++ === 0) line.session.ref()
    stream.once('response', headers => this.#take(headers))
    stream.once('trailers', trailers => this.#take(trailers))
    stream.on('error', () => undefined) // 'close' follows, and what there is to know is in the line and the stream.
    this.#closed = new Promise(resolve => stream.once('close', () => resolve(this.#close())))
  }

  #take(headers: IncomingHttpHeaders): void {
    if (headers[':status'] !== undefined) this.#headers = headers
    if (headers['grpc-status'] !== undefined) this.#status = headers
  }

  #close(): void {
    this.#isClosed = true
    if (--this.#line.calls === 0) this.#line.session.unref()
  }

  /**
   * Sends one message, in parts. Resolves when there is room for more: a server that does not read has some waiting, not
   * all. After the call's end nothing is sent, and `receive` tells why.
   *
   * @throws RESOURCE_EXHAUSTED  it is over the limit
   */
  async send(parts: readonly Uint8Array[]): Promise<void> {
    const room = this.#write(parts)
    if (room !== undefined) await Promise.race([room, this.#closed])
  }

  /** Sends the only message, or the last one: with it goes the end of what this side sends. Throws as `send`. */
  sendLast(parts: readonly Uint8Array[]): void {
    this.#stream.cork()
    void this.#write(parts)
    this.#stream.end()
    this.#stream.uncork()
  }

  #write(parts: readonly Uint8Array[]): Promise<void> | undefined {
    const bytes = bytesOf(parts)
    if (bytes > this.#init.limit) {
      this.cancel()
      throw new OrlopError(
        'RESOURCE_EXHAUSTED',
        `message: has ${bytes} bytes, of which ${this.#init.limit} can be sent`,
      )
    }
    const stream = this.#stream
    if (stream.destroyed || stream.closed || stream.writableEnded) return undefined
    return this.#outflow.send(parts)
  }

  /** Nothing more is sent. */
  end(): void {
    if (!this.#stream.destroyed && !this.#stream.writableEnded) this.#stream.end()
  }

  /** Ends the call on both sides; the server hears of it. Does nothing to one whose end was received. */
  cancel(): void {
    if (this.#isClosed || this.#isOver) return
    this.#isCanceled = true
    this.#stream.close(constants.NGHTTP2_CANCEL)
  }

  /**
   * The server's next message; `undefined` when the call has ended well.
   *
   * @throws CallError  it ended otherwise
   * @throws RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL  as `MessageReader.next`; the call is cancelled
   */
  async receive(): Promise<Buffer | undefined> {
    try {
      const message = await this.#reader.next()
      if (message !== undefined) return message
    } catch (error) {
      // A message that was cut off by the end of the call is told of by the call's end.
      if (!this.#stream.closed && !this.#stream.destroyed) this.cancel()
      else await this.#ended()
      throw error
    }
    await this.#ended()
    return undefined
  }

  /** Resolves at the end of a call that ended well. */
  async #ended(): Promise<void> {
    if (this.#status === undefined) {
      // The server has ended its side; without this, one that waits for the end of ours would be waited for.
      if (!this.#stream.writableFinished) this.#stream.close(constants.NGHTTP2_PROTOCOL_ERROR)
      await this.#closed
    }
    // From here on a cancel would reset a stream that ends by itself; servers count resets, and end connections of many.
    this.#isOver = true
    // A server may end a call early; what this side would still send is for nobody.
    if (!this.#isClosed && !this.#stream.writableEnded) this.#stream.close(constants.NGHTTP2_NO_ERROR)
    const status = this.#status
    if (status === undefined) throw this.#broken()
    const code = Number(status['grpc-status'])
    if (code === 0) return
    const message = decodeText(String(status['grpc-message'] ?? ''))
    throw new CallError({ code: Number.isInteger(code) ? code : codes.unknown, message, trailers: status })
  }

  /** Of a call that ended without a status: why. */
  #broken(): CallError {
    const { path } = this.#init
    const { failure: cause, isConnected, session } = this.#line
    const http = Number(this.#headers[':status'] ?? 200)
    const of = (code: number, message: string, fate?: 'unsent' | 'lost'): CallError =>
      new CallError({ code, message: `${path}: ${message}`, fate, cause })
    if (this.#isCanceled) return of(codes.canceled, 'the call was cancelled', 'lost')
    if (!isConnected && cause !== undefined) return of(codes.unavailable, cause.message, 'unsent')
    if (http !== 200) {
      return of(ofHttp[http] ?? codes.unknown, `answered with HTTP status ${http}`)
    }
    const { rstCode = 0 } = this.#stream
    if (rstCode === constants.NGHTTP2_REFUSED_STREAM) return of(codes.unavailable, 'was not taken', 'unsent')
    const why = cause?.message ?? 'the connection was closed'
    if (session.destroyed || session.closed) return of(codes.unavailable, why, 'lost')
    return of(ofReset[rstCode] ?? codes.internal, `was ended with reset ${rstCode}`, 'lost')
  }
}

const codes = {
  canceled: 1,
  unknown: 2,
  permissionDenied: 7,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const

/** What a status of HTTP means, where there is none of gRPC. @see gRPC, http-grpc-status-mapping */
const ofHttp: Readonly<Record<number, number>> = {
  400: codes.internal,
  401: codes.unauthenticated,
  403: codes.permissionDenied,
  404: codes.unimplemented,
  429: codes.unavailable,
  502: codes.unavailable,
  503: codes.unavailable,
  504: codes.unavailable,
}

/** What a reset stream means; any other is INTERNAL. @see gRPC over HTTP2, Errors */
const ofReset: Readonly<Record<number, number>> = {
  [constants.NGHTTP2_CANCEL]: codes.canceled,
  [constants.NGHTTP2_ENHANCE_YOUR_CALM]: codes.resourceExhausted,
  [constants.NGHTTP2_INADEQUATE_SECURITY]: codes.permissionDenied,
}
