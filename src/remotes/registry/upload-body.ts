/** Bytes that wait for the network at most. */
const maxWaiting = 256 * 1024
/** Bytes that are sent at one time, so that a slow line still shows that it moves. */
const pieceBytes = 128 * 1024
/** Less than this a socket may keep for itself and ask for more; what is as large it has passed on before it asks. */
const smallBytes = 64 * 1024

/**
 * Carries chunks from whoever writes to the request that sends them; memory stays bounded.
 *
 * Large pieces are not copied: whoever writes waits until they are on their way.
 */
export class UploadBody implements AsyncIterable<Uint8Array> {
  readonly #pieces: Uint8Array[] = []
  #waiting = 0
  #ended = false
  #wakeReader: (() => void) | undefined
  #wakeWriter: (() => void) | undefined

  /** Takes a chunk; resolves when the caller may use it again and there is room for another, or when nobody reads any more. */
  async push(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.byteLength && !this.#ended; at += pieceBytes) {
      const piece = chunk.subarray(at, at + pieceBytes)
      const isSmall = piece.byteLength < smallBytes
      this.#pieces.push(isSmall ? Buffer.from(piece) : piece)
      this.#waiting += piece.byteLength
      this.#wakeReader?.()
      if (isSmall && this.#waiting < maxWaiting) continue
      await new Promise<void>(resolve => {
        this.#wakeWriter = resolve
      })
    }
  }

  /** No more chunks will come; those that wait are still read. */
  end(): void {
    this.#ended = true
    this.#wakeReader?.()
  }

  /** Drops what waits, and lets both sides go. */
  close(): void {
    this.#pieces.length = 0
    this.#waiting = 0
    this.#wakeWriter?.()
    this.end()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        const piece = this.#pieces.shift()
        if (piece !== undefined) {
          yield piece
          // Who comes back for more has passed this one on.
          this.#waiting -= piece.byteLength
          if (this.#pieces.length === 0) this.#wakeWriter?.()
        } else if (this.#ended) return
        else
          await new Promise<void>(resolve => {
            this.#wakeReader = resolve
          })
      }
    } finally {
      this.close()
    }
  }
}
