import { OrlopError } from '../errors.ts'
import type { AbortOptions } from '../options.ts'
import type { ByteSource } from './types.ts'

/** Takes bytes off a source in the portions that a format asks for; holds one chunk of the source at most. */
export class ByteReader implements AsyncDisposable {
  readonly #source: ByteSource
  readonly #iterator: AsyncIterator<Uint8Array>
  readonly #what: string
  readonly #signal: AbortSignal | undefined
  #chunk: Uint8Array = new Uint8Array(0)
  #offset = 0
  #ended = false

  /** @param what  names the source in errors */
  constructor(source: ByteSource, what: string, { signal }: AbortOptions = {}) {
    this.#source = source
    this.#iterator = source[Symbol.asyncIterator]()
    this.#what = what
    this.#signal = signal
  }

  /** Bytes that were taken or passed over. */
  get offset(): number {
    return this.#offset
  }

  /** Some bytes, at least 1 and at most `most`, where they lie; `undefined` at the end. */
  async some(most: number): Promise<Uint8Array | undefined> {
    if (this.#chunk.byteLength === 0 && !(await this.#fill())) return undefined
    return this.#take(most)
  }

  /**
   * Exactly `length` bytes, which are few; `undefined` at the end.
   *
   * @throws DATA_LOSS  the end comes among them
   */
  async exactly(length: number): Promise<Uint8Array | undefined> {
    const first = await this.some(length)
    if (first === undefined || first.byteLength === length) return first
    const whole = Buffer.allocUnsafe(length)
    whole.set(first)
    for (let at = first.byteLength; at < length; ) {
      const next = await this.some(length - at)
      if (next === undefined) throw this.#cutOff(length - at)
      whole.set(next, at)
      at += next.byteLength
    }
    return whole
  }

  /** Passes over bytes. @throws DATA_LOSS  the end comes among them */
  async skip(bytes: number): Promise<void> {
    let left = bytes - this.#take(bytes).byteLength
    if (left > 0 && this.#source.skip !== undefined) {
      // All but the last byte, which is read, so that an end among them is seen.
      await this.#source.skip(left - 1)
      this.#offset += left - 1
      left = 1
    }
    while (left > 0) {
      const passed = await this.some(left)
      if (passed === undefined) throw this.#cutOff(left)
      left -= passed.byteLength
    }
  }

  /** Reads what is left and drops it; a source that can be skipped in needs no reading. */
  async drain(): Promise<void> {
    if (this.#source.skip !== undefined) return
    while ((await this.some(Number.POSITIVE_INFINITY)) !== undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true
    await this.#iterator.return?.()
  }

  #take(most: number): Uint8Array {
    const taken = this.#chunk.subarray(0, most)
    this.#chunk = this.#chunk.subarray(taken.byteLength)
    this.#offset += taken.byteLength
    return taken
  }

  async #fill(): Promise<boolean> {
    while (this.#chunk.byteLength === 0 && !this.#ended) {
      this.#signal?.throwIfAborted()
      const { done, value } = await this.#next()
      if (done) this.#ended = true
      else this.#chunk = value
    }
    this.#signal?.throwIfAborted()
    return this.#chunk.byteLength > 0
  }

  /** A source that is closed beneath a read, for the signal, fails in its own words. */
  async #next(): Promise<IteratorResult<Uint8Array>> {
    try {
      return await this.#iterator.next()
    } catch (error) {
      this.#signal?.throwIfAborted()
      throw error
    }
  }

  #cutOff(missing: number): OrlopError {
    return new OrlopError(
      'DATA_LOSS',
      `${this.#what}: cut off at byte ${this.#offset}, ${missing} bytes before the end of an entry`,
    )
  }
}
