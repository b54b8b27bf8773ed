import type { Http2Stream } from 'node:http2'
import { framed } from './frame.ts'

/** Bytes that may wait to leave before anybody has to wait for it. */
const maxWaiting = 64 * 1024

/**
 * Sends messages on a stream, each in parts, and says when there is room for more.
 *
 * Two large messages may wait: one that is on its way, and the next. Waiting for 'drain' would be waiting for nothing to be
 * on its way, and then the other side has nothing to do while a message is made.
 */
export class Outflow {
  readonly #stream: Http2Stream
  /** Resolves when the large message that was sent last has left. */
  #last: Promise<void> = Promise.resolve()

  constructor(stream: Http2Stream) {
    this.#stream = stream
  }

  /**
   * Sends a message. The promise resolves when there is room for more, or the stream is destroyed; `undefined`: there is.
   *
   * @param onSent  called when all of it has left; never, when the stream is destroyed before
   */
  send(parts: readonly Uint8Array[], onSent?: () => void): Promise<void> | undefined {
    const stream = this.#stream
    let left: () => void = () => undefined
    const pieces = framed(parts)
    const end = pieces.length - 1
    stream.cork()
    const onLeft = (error: Error | null | undefined): void => {
      // Of a stream that has ended before, Node forgets what it still has on its way, and tells of no error.
      if (!error && !stream.destroyed && !stream.closed) onSent?.()
      left()
    }
    for (const [at, piece] of pieces.entries()) stream.write(piece, at === end ? onLeft : undefined)
    stream.uncork()
    if (stream.writableLength <= maxWaiting) return undefined
    const before = this.#last
    this.#last = new Promise(resolve => {
      left = resolve
    })
    return before
  }
}
