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
  /** How much of the chunk was taken: archives have a hundred thousand small entries, so nothing is made to say so. */
  #at = 0
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
    if (this.#left === 0 && !(await this.#fill())) return undefined
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
    let left = bytes - this.#pass(bytes)
    if (left > 0 && this.#source.skip !== undefined) {
      // All but the last byte, which is read, so that an end among them is seen.
      await this.#source.skip(left - 1)
      this.#offset += left - 1
      left = 1
    }
    while (left > 0) {
      if (this.#left === 0 && !(await this.#fill())) throw this.#cutOff(left)
      left -= this.#pass(left)
    }
  }

  /** Reads what is left and drops it; a source that can be skipped in needs no reading. */
  async drain(): Promise<void> {
    if (this.#source.skip !== undefined) return
    do this.#pass(this.#left)
    while (await this.#fill())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true
    await this.#iterator.return?.()
  }

  /** Bytes of the chunk that were not taken. */
  get #left(): number {
    return this.#chunk.byteLength - this.#at
  }

  #take(most: number): Uint8Array {
    const start = this.#at
    return this.#chunk.subarray(start, start + this.#pass(most))
  }

  /** @returns how many of the bytes were in the chunk */
  #pass(bytes: number): number {
    const passed = Math.min(bytes, this.#left)
    this.#at += passed
    this.#offset += passed
    return passed
  }

  async #fill(): Promise<boolean> {
    while (this.#left === 0 && !this.#ended) {
      this.#signal?.throwIfAborted()
      const { done, value } = await this.#next()
      if (done) this.#ended = true
      else {
        this.#chunk = value
        this.#at = 0
      }
    }
    this.#signal?.throwIfAborted()
    return this.#left > 0
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
