import type { ServerHttp2Stream } from 'node:http2'
import type { Buffers } from '../../content/buffers.ts'
import { orAborted } from '../or-aborted.ts'
import { encodeText, firstOf } from './headers.ts'
import { Outflow } from './outflow.ts'
import { MessageReader, type ReaderOptions } from './reader.ts'

/** How a call ends. */
export interface CallEnd {
  /** gRPC's number; 0: well. */
  readonly code: number
  readonly message?: string | undefined
  /** More for the client, in trailers; names in `-bin` have base64. */
  readonly trailers?: Readonly<Record<string, string>> | undefined
}

/** One call: a stream of HTTP/2 on which messages go both ways. */
export class CallStream implements Disposable {
  /** Fires when the client cancels or goes away before the end. */
  readonly signal: AbortSignal
  readonly #abort = new AbortController()
  readonly #stream: ServerHttp2Stream
  readonly #headers: readonly string[]
  readonly #reader: MessageReader
  readonly #outflow: Outflow
  #ended = false

  /** @param headers  names and values in turn, as they came */
  constructor(stream: ServerHttp2Stream, headers: readonly string[], options: ReaderOptions) {
    this.signal = this.#abort.signal
    this.#stream = stream
    this.#headers = headers
    this.#reader = new MessageReader(stream, options)
    this.#outflow = new Outflow(stream)
    stream.on('error', () => undefined) // 'close' follows, which tells all there is to know.
    stream.on('close', () => this.cancel('AbortError', 'the call was cancelled'))
  }

  /** The first value of a header, or `''`. */
  header(name: string): string {
    return firstOf(this.#headers, name)
  }

  /** As `MessageReader.reuse`. */
  reuse(buffers: Buffers): void {
    this.#reader.reuse(buffers)
  }

  /** The client's next message; `undefined` when it sends no more. Throws as `MessageReader.next`, and when it cancels. */
  async receive(): Promise<Buffer | undefined> {
    this.signal.throwIfAborted()
    const message = await this.#reader.next()
    this.signal.throwIfAborted()
    return message
  }

  /**
   * Sends one message, in parts. Resolves when the client has room for more: who never reads has some waiting, not all.
   *
   * @param onSent  called when all of it has left; never, when the call ends before
   */
  async send(parts: readonly Uint8Array[], onSent?: () => void): Promise<void> {
    this.signal.throwIfAborted()
    this.#begin()
    const room = this.#outflow.send(parts, onSent)
    if (room !== undefined) await orAborted(room, this.signal)
  }

  /** Ends the call, after what was sent; a second end does nothing. */
  end({ code, message, trailers }: CallEnd, last: readonly Uint8Array[] = []): void {
    if (this.#ended) return
    this.#ended = true
    this[Symbol.dispose]()
    const stream = this.#stream
    if (stream.destroyed || stream.closed) return
    const end = { 'grpc-status': String(code), ...(message && { 'grpc-message': encodeText(message) }) }
    if (!stream.headersSent && last.length === 0) {
      stream.respond({ ...responseHeaders, ...end, ...trailers }, trailersOnly)
      return
    }
    stream.on('wantTrailers', () => stream.sendTrailers({ ...end, ...trailers }))
    this.#begin()
    if (last.length === 0) stream.end()
    else {
      stream.cork()
      void this.#outflow.send(last)
      stream.end()
      stream.uncork()
    }
  }

  /** Stops the work; nobody waits for it any more. */
  cancel(name: 'AbortError' | 'TimeoutError', why: string): void {
    if (!this.#ended && !this.signal.aborted) this.#abort.abort(new DOMException(why, name))
    this[Symbol.dispose]()
  }

  #begin(): void {
    if (!this.#stream.headersSent) this.#stream.respond(responseHeaders, trailersLater)
  }

  [Symbol.dispose](): void {
    this.#reader[Symbol.dispose]()
  }
}

/** gRPC has no use for a date; that Node can leave it out, its types do not say. */
const noDate = { sendDate: false }
const trailersOnly = { ...noDate, endStream: true }
const trailersLater = { ...noDate, waitForTrailers: true }

const responseHeaders = { ':status': 200, 'content-type': 'application/grpc' } as const
