/** Where a reader takes the buffers that it gives out. */
export interface BufferSource {
  /** A buffer of `length` bytes, whatever they are. */
  take(length: number): Buffer
}

/**
 * Buffers that are used again.
 *
 * V8 counts what buffers hold and looks through the whole heap each 64 MiB or so, which costs more than reading a blob does;
 * and the kernel has to find and clear the memory of each new one.
 */
export class Buffers implements BufferSource {
  readonly #size: number
  readonly #most: number
  readonly #free: ArrayBufferLike[] = []
  readonly #taken = new WeakSet<ArrayBufferLike>()

  /**
   * @param size  bytes of each; longer ones are made, and not kept
   * @param most  buffers that are kept while nobody uses them
   */
  constructor(size: number, most: number) {
    this.#size = size
    this.#most = most
  }

  take(length: number): Buffer {
    if (length > this.#size) return Buffer.allocUnsafeSlow(length)
    const memory = this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#size).buffer
    this.#taken.add(memory)
    return Buffer.from(memory, 0, length)
  }

  /** Takes back the memory of bytes that nobody looks at any more; what does not come from here is left alone. */
  give({ buffer }: Uint8Array): void {
    if (this.#taken.delete(buffer) && this.#free.length < this.#most) this.#free.push(buffer)
  }
}
