import type { FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { fromErrno, OrlopError } from '../errors.ts'
import { algorithmOf, type Digest } from '../oci/digest.ts'
import type { AbortOptions } from '../options.ts'
import { FsAppender } from './fs-append.ts'
import { writeSmallFile } from './fs-durable.ts'
import { type OpenIngest, removeIngest } from './fs-ingest.ts'
import { ingestFiles } from './fs-layout.ts'
import { digestFile } from './hash-file.ts'
import type { RefHolder, RefLock } from './ref-locks.ts'
import { Turns } from './turns.ts'
import type { CommitOptions, Status, Writer } from './types.ts'

/** Moves a data file to where its blob belongs. @throws ALREADY_EXISTS  the blob is there */
export type Publish = (data: string, digest: Digest, options: CommitOptions) => Promise<void>

/** What a writer on disk is made from. */
export interface FsWriterInit {
  readonly dir: string
  readonly ingest: OpenIngest
  readonly lock: RefLock
  readonly publish: Publish
  readonly now: () => Date
}

/** A writer whose ingest is a directory. Its calls run one after the other, awaited or not. */
export class FsWriter implements Writer, RefHolder {
  readonly #dir: string
  readonly #file: FileHandle
  readonly #lock: RefLock
  readonly #publish: Publish
  readonly #now: () => Date
  readonly #bytes: FsAppender
  readonly #turns = new Turns()
  #status: Status
  #open = true
  #closed = false
  #abandoned = false

  constructor({ dir, ingest, lock, publish, now }: FsWriterInit) {
    this.#dir = dir
    this.#file = ingest.file
    this.#status = ingest.status
    this.#lock = lock
    this.#publish = publish
    this.#now = now
    const { offset, total } = ingest.status
    this.#bytes = new FsAppender(ingest.file, this.#place, ingest.digester, offset, total)
  }

  get offset(): number {
    return this.#bytes.offset
  }

  get digest(): Digest {
    return this.#bytes.digester.digest()
  }

  get status(): Status {
    return { ...this.#status, offset: this.offset }
  }

  write(chunk: Uint8Array, { signal }: AbortOptions = {}): Promise<void> {
    return this.#turn('write', async () => {
      signal?.throwIfAborted()
      try {
        await this.#bytes.append(chunk)
      } finally {
        this.#status = { ...this.#status, updatedAt: this.#now() }
      }
    })
  }

  reset({ signal }: AbortOptions = {}): Promise<void> {
    return this.#turn('reset', async () => {
      signal?.throwIfAborted()
      await this.#bytes.reset()
      this.#status = { ...this.#status, updatedAt: this.#now() }
    })
  }

  commit(options: CommitOptions = {}): Promise<Digest> {
    return this.#turn('commit', async () => {
      try {
        await this.#bytes.flush()
        const digest = await this.#verify(options)
        await this.#seal()
        await this.#close()
        options.signal?.throwIfAborted()
        await this.#publish(ingestFiles(this.#dir).data, digest, options)
        await this.#forget()
        return digest
      } catch (error) {
        if (error instanceof OrlopError && error.code === 'ALREADY_EXISTS') await this.#forget()
        throw this.#explain(error)
      } finally {
        await this.#leave()
      }
    })
  }

  abandon(): void {
    this.#abandoned = true
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#turns.run('', () => this.#leave())
  }

  #turn<T>(name: string, work: () => Promise<T>): Promise<T> {
    return this.#turns.run('', async () => {
      const { ref } = this.#status
      if (!this.#open)
        throw new OrlopError('FAILED_PRECONDITION', `ingest ${ref}: ${name} on a closed writer`)
      if (this.#abandoned && name !== 'commit') throw this.#explain(undefined)
      return await work()
    })
  }

  async #verify({ size, digest, signal }: CommitOptions): Promise<Digest> {
    const { ref } = this.#status
    if (this.#abandoned) throw this.#explain(undefined)
    signal?.throwIfAborted()
    if (size !== undefined && size !== this.offset) {
      throw new OrlopError('FAILED_PRECONDITION', `ingest ${ref}: has ${this.offset} bytes, expected ${size}`)
    }
    const actual = await this.#digestAs(digest, { signal })
    if (digest !== undefined && digest !== actual) {
      throw new OrlopError(
        'FAILED_PRECONDITION',
        `ingest ${ref}: its bytes are ${actual}, expected ${digest}`,
      )
    }
    return actual
  }

  /** The digest in the algorithm that is asked for; another one than was hashed with means to read all again. */
  async #digestAs(expected: Digest | undefined, options: AbortOptions): Promise<Digest> {
    if (expected === undefined || algorithmOf(expected) === this.#bytes.digester.algorithm) return this.digest
    return (await digestFile(this.#file, algorithmOf(expected), options)).digest
  }

  /** Read-only and dated before the sync, so that nothing of the blob remains to be made durable but its name. */
  async #seal(): Promise<void> {
    const { mode, size } = await this.#file.stat()
    if (size !== this.offset) {
      throw new OrlopError('DATA_LOSS', `ingest: ${this.offset} bytes were written, its file has ${size}`)
    }
    const now = this.#now()
    await this.#file.utimes(now, now)
    if (process.platform !== 'win32') await this.#file.chmod(mode & 0o444)
    await this.#bytes.sync()
  }

  /**
   * Lets go of the ingest and keeps what it has.
   *
   * Never fails: nothing here was promised, for what is resumed is hashed again from the disk; and an error on the way
   * out would hide the one that led here.
   */
  async #leave(): Promise<void> {
    if (!this.#open) return
    this.#open = false
    try {
      await this.#bytes.flush().catch(() => undefined)
      if ((await this.#close({ sync: true })) && !this.#abandoned) {
        await writeSmallFile(ingestFiles(this.#dir).updatedAt, this.#status.updatedAt.toISOString())
      }
    } catch {
      // The device is full or broken, and the error before this one has said so.
    } finally {
      this.#lock.release()
    }
  }

  async #close({ sync = false } = {}): Promise<boolean> {
    if (this.#closed) return false
    this.#closed = true
    try {
      if (sync) await this.#file.sync()
    } finally {
      await this.#file.close()
    }
    return true
  }

  /** Removes the ingest. The blob is safe by now, and leftovers do no harm: the next writer of the ref begins anew. */
  async #forget(): Promise<void> {
    await removeIngest(this.#dir).catch(() => undefined)
  }

  /** For errors of the file system: of which one. */
  get #place(): string {
    return `ingest ${this.#status.ref} in ${path.dirname(path.dirname(this.#dir))}`
  }

  #explain(error: unknown): unknown {
    const { ref } = this.#status
    if (this.#abandoned) return new OrlopError('ABORTED', `ingest ${ref}: was aborted`, { cause: error })
    return fromErrno(error, this.#place)
  }
}
