import { OrlopError } from '../errors.ts'
import { type Algorithm, algorithmOf, type Digest, Digester, digestOf } from '../oci/digest.ts'
import type { AbortOptions } from '../options.ts'
import type { RefHolder, RefLock } from './ref-locks.ts'
import type { CommitOptions, Labels, Status, Writer } from './types.ts'

/** Bytes on their way, as `MemoryStore` keeps them between writers. */
export interface MemoryIngest {
  status: Status
  readonly chunks: Uint8Array[]
}

type Publish = (ref: string, bytes: Uint8Array, digest: Digest, labels: Labels | undefined) => void

/** What a `MemoryWriter` is made from. */
export interface MemoryWriterInit {
  readonly ingest: MemoryIngest
  readonly algorithm: Algorithm
  readonly lock: RefLock
  readonly now: () => Date
  readonly publish: Publish
}

/** The writer of `MemoryStore`. */
export class MemoryWriter implements Writer, RefHolder {
  /** Makes the bytes a blob and ends the ingest. @throws ALREADY_EXISTS  the blob is there; the ingest has ended */
  readonly publish: Publish
  readonly #ingest: MemoryIngest
  readonly #digester: Digester
  readonly #lock: RefLock
  readonly #now: () => Date
  #open = true
  #abandoned = false

  constructor({ ingest, algorithm, lock, now, publish }: MemoryWriterInit) {
    this.publish = publish
    this.#ingest = ingest
    this.#lock = lock
    this.#now = now
    this.#digester = new Digester(algorithm)
    for (const chunk of ingest.chunks) this.#digester.update(chunk)
  }

  get offset(): number {
    return this.#ingest.status.offset
  }

  get digest(): Digest {
    return this.#digester.digest()
  }

  get status(): Status {
    return this.#ingest.status
  }

  async write(chunk: Uint8Array, { signal }: AbortOptions = {}): Promise<void> {
    this.#check('write')
    signal?.throwIfAborted()
    this.#ingest.chunks.push(new Uint8Array(chunk))
    this.#digester.update(chunk)
    this.#move(this.offset + chunk.byteLength)
  }

  async reset({ signal }: AbortOptions = {}): Promise<void> {
    this.#check('reset')
    signal?.throwIfAborted()
    this.#ingest.chunks.length = 0
    this.#digester.reset()
    this.#move(0)
  }

  async commit({ size, digest, labels, signal }: CommitOptions = {}): Promise<Digest> {
    try {
      this.#check('commit')
      signal?.throwIfAborted()
      const { ref } = this.status
      if (size !== undefined && size !== this.offset) {
        throw new OrlopError(
          'FAILED_PRECONDITION',
          `ingest ${ref}: has ${this.offset} bytes, expected ${size}`,
        )
      }
      const bytes = Buffer.concat(this.#ingest.chunks)
      const actual = digest === undefined ? this.digest : digestOf(bytes, algorithmOf(digest))
      if (digest !== undefined && digest !== actual) {
        throw new OrlopError(
          'FAILED_PRECONDITION',
          `ingest ${ref}: its bytes are ${actual}, expected ${digest}`,
        )
      }
      this.publish(ref, bytes, actual, labels)
      return actual
    } finally {
      await this[Symbol.asyncDispose]()
    }
  }

  abandon(): void {
    this.#abandoned = true
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#open) return
    this.#open = false
    this.#lock.release()
  }

  #move(offset: number): void {
    this.#ingest.status = { ...this.#ingest.status, offset, updatedAt: this.#now() }
  }

  #check(name: string): void {
    const { ref } = this.status
    if (!this.#open) throw new OrlopError('FAILED_PRECONDITION', `ingest ${ref}: ${name} on a closed writer`)
    if (this.#abandoned) throw new OrlopError('ABORTED', `ingest ${ref}: was aborted`)
  }
}
