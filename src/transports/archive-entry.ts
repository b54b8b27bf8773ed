import type { FileHandle } from 'node:fs/promises'
import { tarHeader } from '../archive/tar-writer.ts'
import type { CommitOptions, Status, Writer, WriterInit } from '../content/types.ts'
import { fromErrno, OrlopError } from '../errors.ts'
import { algorithmOf, type Digest, Digester } from '../oci/digest.ts'
import type { AbortOptions } from '../options.ts'

const blockSize = 512
const mode = 0o444

/** What an `ArchiveEntry` is made from. */
export interface ArchiveEntryInit {
  readonly init: WriterInit
  readonly file: FileHandle
  /** Names the file in errors. */
  readonly what: string
  /** Where its header begins. */
  readonly start: number
  nameOf(digest: Digest): string
  isWritten(name: string): boolean
  /** Called once: with its name and where it ends, or with no name and its start when it was given up. */
  ended(name: string | undefined, end: number): void
}

/** Writes all of some bytes at a place of a file. */
export async function writeAt(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.byteLength; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.byteLength - done, position + done)
    done += bytesWritten
  }
}

/** Zeros that fill the last block of an entry. */
export const paddingFor = (size: number): Uint8Array =>
  new Uint8Array((blockSize - (size % blockSize)) % blockSize)

/** The writer of one entry of a tar: its bytes first, and its header, which names digest and size, when they are known. */
export class ArchiveEntry implements Writer {
  readonly #init: ArchiveEntryInit
  readonly #startedAt = new Date()
  /** Bytes that are left free for the header. */
  readonly #head: number
  #digester: Digester
  #offset = 0
  #open = true

  constructor(init: ArchiveEntryInit) {
    const { digest, size } = init.init.expected ?? {}
    this.#init = init
    this.#digester = new Digester(digest === undefined ? 'sha256' : algorithmOf(digest))
    // Of a blob that is larger than the number of one block can say, the size is known, or it gets a binary number.
    this.#head =
      digest !== undefined && size !== undefined
        ? tarHeader({ name: init.nameOf(digest), size, mode }).byteLength
        : blockSize
  }

  get offset(): number {
    return this.#offset
  }

  get digest(): Digest {
    return this.#digester.digest()
  }

  get status(): Status {
    const { ref, expected: { digest, size } = {} } = this.#init.init
    const at = this.#startedAt
    return {
      ref,
      offset: this.#offset,
      ...(size !== undefined && { total: size }),
      ...(digest !== undefined && { expected: digest }),
      startedAt: at,
      updatedAt: at,
    }
  }

  async write(chunk: Uint8Array, { signal }: AbortOptions = {}): Promise<void> {
    signal?.throwIfAborted()
    this.#check('write')
    const { file, start, what } = this.#init
    try {
      await writeAt(file, chunk, start + this.#head + this.#offset)
    } catch (error) {
      throw fromErrno(error, what)
    }
    this.#digester.update(chunk)
    this.#offset += chunk.byteLength
  }

  async reset({ signal }: AbortOptions = {}): Promise<void> {
    signal?.throwIfAborted()
    this.#check('reset')
    this.#digester.reset()
    this.#offset = 0
  }

  async commit({ size, digest, signal }: CommitOptions = {}): Promise<Digest> {
    signal?.throwIfAborted()
    this.#check('commit')
    try {
      const actual = this.#verified(size, digest)
      const name = this.#init.nameOf(actual)
      if (this.#init.isWritten(name))
        throw new OrlopError('ALREADY_EXISTS', `content ${actual}: it is in the archive already`)
      await this.#seal(name)
      return actual
    } finally {
      this.#end(undefined, this.#init.start)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end(undefined, this.#init.start)
  }

  #verified(size: number | undefined, digest: Digest | undefined): Digest {
    const { ref } = this.#init.init
    const refuse = (text: string): never => {
      throw new OrlopError('FAILED_PRECONDITION', `ingest ${ref}: ${text}`)
    }
    if (size !== undefined && size !== this.#offset) refuse(`has ${this.#offset} bytes, expected ${size}`)
    const actual = this.digest
    if (digest !== undefined && digest !== actual) refuse(`its bytes are ${actual}, expected ${digest}`)
    return actual
  }

  async #seal(name: string): Promise<void> {
    const { file, start, what } = this.#init
    const end = start + this.#head + this.#offset
    const padding = paddingFor(this.#offset)
    try {
      await writeAt(file, padding, end)
      await writeAt(file, headerOf(name, this.#offset, this.#head), start)
    } catch (error) {
      throw fromErrno(error, what)
    }
    this.#end(name, end + padding.byteLength)
  }

  #end(name: string | undefined, end: number): void {
    if (!this.#open) return
    this.#open = false
    this.#init.ended(name, end)
  }

  #check(what: string): void {
    if (!this.#open)
      throw new OrlopError('FAILED_PRECONDITION', `ingest ${this.#init.init.ref}: ${what} on a closed writer`)
  }
}

/** A header of just so many bytes. */
function headerOf(name: string, size: number, length: number): Uint8Array {
  const header = tarHeader({ name, size, mode })
  return header.byteLength === length ? header : withBinarySize(tarHeader({ name, mode }), size)
}

/**
 * A header of one block with a size that eleven octal digits cannot say, as GNU tar writes it: a high bit, and a binary
 * number.
 */
function withBinarySize(header: Uint8Array, size: number): Uint8Array {
  const block = Buffer.from(header)
  block.fill(0, 124, 136)
  block[124] = 0x80
  block.writeBigUInt64BE(BigInt(size), 128)
  block.fill(' ', 148, 156)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}
