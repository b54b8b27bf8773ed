/** Bytes that wait for the network at most, so that the source is read while it is busy. */
const maxWaiting = 1024 * 1024

/** Carries chunks from whoever writes to the request that sends them; memory stays bounded. */
export class UploadBody implements AsyncIterable<Uint8Array> {
  readonly #chunks: Uint8Array[] = []
  #waiting = 0
  #ended = false
  #wakeReader: (() => void) | undefined
  #wakeWriter: (() => void) | undefined

  /** Takes a copy of a chunk; resolves when there is room for another, or when nobody reads any more. */
  async push(chunk: Uint8Array): Promise<void> {
    if (this.#ended || chunk.byteLength === 0) return
    this.#chunks.push(Buffer.from(chunk))
    this.#waiting += chunk.byteLength
    this.#wakeReader?.()
    if (this.#waiting < maxWaiting) return
    await new Promise<void>(resolve => {
      this.#wakeWriter = resolve
    })
  }

  /** No more chunks will come; those that wait are still read. */
  end(): void {
    this.#ended = true
    this.#wakeReader?.()
  }

  /** Drops what waits, and lets both sides go. */
  close(): void {
    this.#chunks.length = 0
    this.#waiting = 0
    this.#wakeWriter?.()
    this.end()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        const chunk = this.#chunks.shift()
        if (chunk !== undefined) {
          this.#waiting -= chunk.byteLength
          if (this.#waiting < maxWaiting) this.#wakeWriter?.()
          yield chunk
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
