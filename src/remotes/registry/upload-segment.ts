import type { StreamedBody } from './http.ts'
import { UploadBody } from './upload-body.ts'

/** Which bytes of a blob one request carries. */
export interface SegmentInit {
  /** The first of them. */
  readonly start: number
  /** How many; Infinity when that is not known. */
  readonly size: number
}

/** Bytes of a blob under way in one request. */
export class UploadSegment implements SegmentInit {
  readonly start: number
  readonly size: number
  readonly #body = new UploadBody()
  readonly #answer: Promise<void>
  #taken = 0
  #settled = false

  /** @param send  sends the body; resolves when the registry has taken it */
  constructor({ start, size }: SegmentInit, send: (body: StreamedBody) => Promise<void>) {
    this.start = start
    this.size = size
    const known = Number.isFinite(size)
    this.#answer = send({ chunks: this.#body, ...(known && { size }) }).finally(() => {
      this.#settled = true
      this.#body.close()
    })
    // Whoever ends the segment sees the failure.
    this.#answer.catch(() => {})
  }

  /** Bytes that were given to it. */
  get taken(): number {
    return this.#taken
  }

  /** True when it wants no more: it has all of its bytes, or its request has ended. */
  get isOver(): boolean {
    return this.#taken === this.size || this.#settled
  }

  /** True when its request has ended before it was given all of its bytes. */
  get isEarly(): boolean {
    return this.#settled && this.#taken < this.size
  }

  /** Takes what it can of a chunk, and gives the rest back. */
  async push(chunk: Uint8Array): Promise<Uint8Array> {
    const part = chunk.subarray(0, Math.min(chunk.byteLength, this.size - this.#taken))
    this.#taken += part.byteLength
    await this.#body.push(part)
    return chunk.subarray(part.byteLength)
  }

  /** No more bytes come. Resolves when the registry has taken them; rejects as the request does. */
  async end(): Promise<void> {
    this.#body.end()
    await this.#answer
  }
}
