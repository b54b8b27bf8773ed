import type { Readable } from 'node:stream'
import type { Buffers } from '../../content/buffers.ts'
import { OrlopError } from '../../errors.ts'
import type { Budget } from './budget.ts'
import { bytesOf } from './frame.ts'

/** What stands before each message: a flag, and four bytes of length. */
const headSize = 5

/** Bytes of a stream that nobody counts: all its windows together are bounded by the number of streams. */
const uncounted = 64 * 1024

/** Settings of a `MessageReader`. */
export interface ReaderOptions {
  /** Bytes that one message may have. */
  readonly limit: number
  /** Counts what waits here; default: nobody does. */
  readonly budget?: Budget | undefined
}

/**
 * Cuts what the other side sends into messages. The stream flows only while a message is asked for and not yet there, so
 * that it can send no more than its window beyond that.
 */
export class MessageReader implements Disposable {
  readonly #stream: Readable
  readonly #options: ReaderOptions
  #chunks: Buffer[] = []
  #bytes = 0
  #wanted = 0
  #taken = 0
  /** Memory of the message that was given last. */
  #given: Buffer | undefined
  #buffers: Buffers | undefined
  #isOver = false
  #failure: unknown
  #wake: () => void = () => undefined

  constructor(stream: Readable, options: ReaderOptions) {
    this.#stream = stream
    this.#options = options
    stream.pause()
    stream.on('data', (chunk: Buffer) => this.#add(chunk))
    stream.on('end', () => this.#end())
    stream.on('close', () => this.#end())
  }

  /**
   * From here on messages are put together in memory of `buffers`: each is good until the next one is asked for, and its
   * memory is given back then.
   */
  reuse(buffers: Buffers): void {
    this.#buffers = buffers
  }

  /**
   * The next message; `undefined` when no more are sent. The one before may be let go by then.
   *
   * @throws RESOURCE_EXHAUSTED  it is over the limit, or there is no room for it
   * @throws UNIMPLEMENTED  it is compressed
   * @throws INTERNAL  the stream ends amid it
   */
  async next(): Promise<Buffer | undefined> {
    // Not at the end of the call, when whoever has the message may still be at it.
    if (this.#given !== undefined) this.#buffers?.give(this.#given)
    this.#given = undefined
    this.#account(this.#bytes)
    const head = await this.#take(headSize)
    if (head === undefined) return undefined
    const [flag, length] = readHead(this.#join(head))
    if (flag !== 0) {
      throw new OrlopError('UNIMPLEMENTED', 'message: is compressed, which is not understood here')
    }
    const { limit } = this.#options
    if (length > limit) {
      throw new OrlopError('RESOURCE_EXHAUSTED', `message: has ${length} bytes, of which ${limit} are taken`)
    }
    const message = length === 0 ? [] : await this.#take(length)
    if (message === undefined) throw cutOff()
    return this.#join(message)
  }

  #join(parts: readonly Buffer[]): Buffer {
    const [first = nothing, ...more] = parts
    if (more.length === 0) return first
    const length = bytesOf(parts)
    if (this.#buffers === undefined || length === headSize) return Buffer.concat(parts, length)
    this.#given = this.#buffers.take(length)
    let at = 0
    for (const part of parts) at += part.copy(this.#given, at)
    return this.#given
  }

  async #take(bytes: number): Promise<readonly Buffer[] | undefined> {
    this.#wanted = bytes
    while (this.#bytes < bytes && !this.#isOver && this.#failure === undefined) {
      this.#stream.resume()
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
    if (this.#failure !== undefined) throw this.#failure
    if (this.#bytes >= bytes) return this.#cut(bytes)
    if (this.#bytes > 0) throw cutOff()
    return undefined
  }

  /** Takes so many bytes of those that wait. */
  #cut(bytes: number): readonly Buffer[] {
    this.#bytes -= bytes
    const parts: Buffer[] = []
    let left = bytes
    for (; left > 0; left -= parts.at(-1)?.byteLength ?? left) {
      const chunk = this.#chunks.shift() ?? nothing
      parts.push(chunk.subarray(0, left))
      if (chunk.byteLength > left) this.#chunks.unshift(chunk.subarray(left))
    }
    return parts
  }

  #add(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#bytes += chunk.byteLength
    try {
      if (this.#bytes > this.#taken) this.#account(this.#bytes)
    } catch (error) {
      this.#failure = error
      this.#chunks = []
      this.#bytes = 0
    }
    if (this.#bytes < this.#wanted && this.#failure === undefined) return
    this.#stream.pause()
    this.#wake()
  }

  #end(): void {
    this.#isOver = true
    this.#wake()
  }

  /** Counts what waits, and the message that was given last until the next one is asked for. */
  #account(bytes: number): void {
    const { budget } = this.#options
    if (budget === undefined) return
    const counted = bytes > uncounted ? bytes : 0
    const more = counted - this.#taken
    if (more > 0) budget.take(more)
    else budget.give(-more)
    this.#taken = counted
  }

  /** Reads no more. What is still sent is dropped. */
  [Symbol.dispose](): void {
    this.#isOver = true
    this.#chunks = []
    this.#bytes = 0
    this.#account(0)
    this.#stream.removeAllListeners('data')
    this.#stream.resume()
    this.#wake()
  }
}

const nothing = Buffer.alloc(0)

const readHead = (head: Buffer): readonly [flag: number, length: number] => [
  head.readUInt8(0),
  head.readUInt32BE(1),
]

const cutOff = (): OrlopError => new OrlopError('INTERNAL', 'message: was cut off')
