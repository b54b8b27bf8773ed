import type { FileHandle } from 'node:fs/promises'
import { fromErrno, OrlopError } from '../errors.ts'
import type { Digester } from '../oci/digest.ts'
import { Flusher } from './fs-flush.ts'

/** Bytes of one write to disk, at least, while more are coming. */
const blockSize = 256 * 1024

/** Bytes of the block of a file that is expected to be smaller than one. */
const smallestBlock = 4096

/**
 * Appends to a file and hashes on the way: small chunks become blocks, and a block is written while the next is hashed.
 *
 * Holds two blocks at most. `offset` and `digester` count what was taken. When a write fails they fall back to what the
 * file has, so that they never tell of bytes that are nowhere; the error comes out of the call that waits for that write.
 * Calls must not overlap.
 */
export class FsAppender {
  readonly #file: FileHandle
  readonly #what: string
  readonly #blockSize: number
  readonly #flusher: Flusher
  #digester: Digester
  /** What has been taken up to the end of the file, `#written`. */
  #settled: Digester
  #written: number
  #offset: number
  #block: Buffer | undefined
  #spare: Buffer | undefined
  #used = 0
  #writing: Promise<void> | undefined
  #failure: unknown

  /** @param digester  has taken the `offset` bytes that the file starts with */
  constructor(file: FileHandle, what: string, digester: Digester, offset: number, total?: number) {
    this.#file = file
    this.#flusher = new Flusher(file)
    this.#what = what
    this.#digester = digester
    this.#settled = digester.copy()
    this.#written = offset
    this.#offset = offset
    this.#blockSize = Math.max(smallestBlock, Math.min(blockSize, (total ?? blockSize) - offset))
  }

  get offset(): number {
    return this.#offset
  }

  get digester(): Digester {
    return this.#digester
  }

  /** Takes a chunk; the caller may reuse it when this resolves. */
  async append(chunk: Uint8Array): Promise<void> {
    for (let rest = chunk; rest.byteLength > 0; ) {
      const whole = this.#used === 0 && rest.byteLength >= this.#blockSize
      const length = whole ? await this.#direct(rest) : await this.#gather(rest)
      rest = rest.subarray(length)
    }
  }

  /** Resolves when the file has all that was taken, and nothing of this is under way. */
  async flush(): Promise<void> {
    await this.#idle()
    if (this.#used > 0 && this.#block !== undefined) {
      this.#startBlock(this.#block)
      await this.#idle()
    }
    await this.#flusher.settle().catch(error => this.#distrust(error))
  }

  /** Makes all of the file durable. */
  async sync(): Promise<void> {
    await this.#file.sync().catch(error => this.#distrust(error))
  }

  /** Drops everything, from the file too. */
  async reset(): Promise<void> {
    await this.#writing
    await this.#flusher.reset()
    this.#failure = undefined
    await this.#file.truncate(0).catch(error => {
      throw fromErrno(error, this.#what)
    })
    this.#used = this.#written = this.#offset = 0
    this.#digester.reset()
    this.#settled = this.#digester.copy()
  }

  /**
   * After a sync that failed nobody knows what the disk has; memory still has it all, so a hash would find it whole, and the
   * next sync would succeed. So nothing is kept.
   */
  async #distrust(error: unknown): Promise<never> {
    await this.reset().catch(() => undefined)
    throw fromErrno(error, this.#what)
  }

  /** Writes a chunk from where it is, and hashes it meanwhile. */
  async #direct(chunk: Uint8Array): Promise<number> {
    await this.#idle()
    this.#writing = this.#put(chunk, () => this.#digester.copy())
    this.#take(chunk)
    await this.#idle()
    return chunk.byteLength
  }

  async #gather(chunk: Uint8Array): Promise<number> {
    this.#check()
    this.#block ??= Buffer.allocUnsafeSlow(this.#blockSize)
    const part = chunk.subarray(0, this.#blockSize - this.#used)
    this.#block.set(part, this.#used)
    this.#used += part.byteLength
    this.#take(part)
    if (this.#used === this.#blockSize) {
      await this.#idle()
      this.#startBlock(this.#block)
    }
    return part.byteLength
  }

  #take(part: Uint8Array): void {
    this.#digester.update(part)
    this.#offset += part.byteLength
  }

  #startBlock(block: Buffer): void {
    const after = this.#digester.copy()
    this.#writing = this.#put(block.subarray(0, this.#used), () => after)
    this.#block = this.#spare
    this.#spare = block
    this.#used = 0
  }

  async #idle(): Promise<void> {
    await this.#writing
    this.#check()
  }

  /** Tells of a failed write once. Until it has, nothing more may be taken, or the file would have a hole. */
  #check(): void {
    const failure = this.#failure
    this.#failure = undefined
    if (failure !== undefined) throw fromErrno(failure, this.#what)
  }

  /** Never rejects: a failure waits for whoever comes next. */
  async #put(bytes: Uint8Array, after: () => Digester): Promise<void> {
    let done = 0
    try {
      while (done < bytes.byteLength) {
        const { bytesWritten } = await this.#file.write(bytes, done, bytes.byteLength - done, this.#written)
        if (bytesWritten === 0)
          throw new OrlopError('RESOURCE_EXHAUSTED', `${this.#what}: nothing was written`)
        done += bytesWritten
        this.#written += bytesWritten
        this.#flusher.wrote(bytesWritten)
      }
      this.#settled = after()
    } catch (error) {
      this.#settled.update(bytes.subarray(0, done))
      this.#digester = this.#settled.copy()
      this.#offset = this.#written
      this.#used = 0
      this.#failure = error
    }
  }
}
