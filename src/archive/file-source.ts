import fs, { type FileHandle } from 'node:fs/promises'
import { fromErrno, OrlopError } from '../errors.ts'
import type { AbortOptions } from '../options.ts'
import type { ByteSource } from './types.ts'

/** Bytes of one read. */
const chunkSize = 512 * 1024

/**
 * The bytes of a regular file from its start, one read ahead of who takes them. Opened by the first `next()`; leaving the
 * loop closes it. Read once.
 *
 * @throws NOT_FOUND, PERMISSION_DENIED  as the file system says
 * @throws INVALID_ARGUMENT  a directory, a pipe or another thing that is no file
 */
export class FileSource implements ByteSource, AsyncIterator<Uint8Array, undefined, undefined> {
  readonly #file: string
  readonly #signal: AbortSignal | undefined
  #handle: FileHandle | undefined
  #offset = 0
  #next: Promise<Uint8Array> | undefined
  #ended = false

  constructor(file: string, { signal }: AbortOptions = {}) {
    this.#file = file
    this.#signal = signal
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#ended) return { done: true, value: undefined }
    this.#signal?.throwIfAborted()
    try {
      const value = await (this.#next ?? this.#read(await this.#open()))
      this.#offset += value.byteLength
      this.#next = undefined
      if (value.byteLength === 0) return await this.return()
      this.#next = this.#read(await this.#open())
      return { done: false, value }
    } catch (error) {
      await this.return()
      throw fromErrno(error, `file ${this.#file}`)
    }
  }

  async skip(bytes: number): Promise<void> {
    await this.#settle()
    this.#offset += bytes
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#ended = true
    await this.#settle()
    const handle = this.#handle
    this.#handle = undefined
    await handle?.close()
    return { done: true, value: undefined }
  }

  async #open(): Promise<FileHandle> {
    if (this.#handle !== undefined) return this.#handle
    this.#handle = await fs.open(this.#file)
    const stats = await this.#handle.stat()
    if (stats.isFile()) return this.#handle
    const kind = stats.isDirectory() ? 'is a directory' : 'is no regular file'
    throw new OrlopError('INVALID_ARGUMENT', `file ${this.#file}: ${kind}`)
  }

  /** Each chunk is a buffer of its own: who was given one may keep it. */
  #read(handle: FileHandle): Promise<Uint8Array> {
    const reading = handle.read(Buffer.allocUnsafeSlow(chunkSize), 0, chunkSize, this.#offset)
    const chunk = reading.then(({ buffer, bytesRead }) => buffer.subarray(0, bytesRead))
    // Whoever awaits it gets the error; until then it is not unhandled.
    chunk.catch(() => undefined)
    return chunk
  }

  /** Waits for the read ahead and drops it: the file must not be closed beneath it. */
  async #settle(): Promise<void> {
    await this.#next?.catch(() => undefined)
    this.#next = undefined
  }
}
