import { smallSize } from '../content/bytes-taker.ts'
import type { CommitOptions, Status, Writer } from '../content/types.ts'
import { isAlreadyExists, OrlopError } from '../errors.ts'
import { type Algorithm, algorithmOf, type Digest, Digester, digestOf } from '../oci/digest.ts'
import type { AbortOptions } from '../options.ts'

/** What a `HeldWriter` is made from. */
export interface HeldWriterInit {
  readonly ref: string
  readonly algorithm: Algorithm
  /** Bytes there will be, at most `smallSize`. */
  readonly total: number
  readonly now: () => Date
  /** Makes the bytes a blob of the store beneath. */
  readonly take: (bytes: Uint8Array, digest: Digest, options: AbortOptions) => Promise<void>
  /** Makes what is here an ingest of the store beneath, with its record. */
  readonly keep: (bytes: Uint8Array, status: Status) => Promise<void>
  /** The same, and opens that ingest; when it fails there is none. */
  readonly store: (bytes: Uint8Array, status: Status, options: AbortOptions) => Promise<Writer>
  /** Throws that ingest away. */
  readonly forget: () => Promise<void>
}

/**
 * A writer of a small blob, which holds it in memory until it is known what becomes of it.
 *
 * A commit hands it to the store beneath at once: a file that is synced and renamed, and nothing else, where an ingest is a
 * directory of five. Otherwise, when it is disposed, when it was refused or grows beyond `smallSize`, it becomes an ingest as
 * any other. What this may lose is what was written and neither committed nor disposed when its process is killed; of an
 * ingest on the disk, a power cut may take as much. Its calls must not overlap.
 */
export class HeldWriter implements Writer {
  readonly #init: HeldWriterInit
  #digester: Digester
  #digest: Digest | undefined
  #bytes = Buffer.alloc(0)
  #used = 0
  #status: Status
  /** Once it is an ingest. */
  #stored: Writer | undefined
  #open = true

  constructor(init: HeldWriterInit) {
    const { ref, algorithm, total, now } = init
    const at = now()
    this.#init = init
    this.#digester = new Digester(algorithm)
    this.#status = { ref, offset: 0, total, startedAt: at, updatedAt: at }
  }

  /** True while there is no ingest beneath, and no blob. */
  get pending(): boolean {
    return this.#open && this.#stored === undefined
  }

  get offset(): number {
    return this.#stored?.offset ?? this.#used
  }

  get digest(): Digest {
    if (this.#stored !== undefined) return this.#stored.digest
    this.#digest ??= this.#digester.digest()
    return this.#digest
  }

  get status(): Status {
    return this.#stored?.status ?? { ...this.#status, offset: this.#used }
  }

  async write(chunk: Uint8Array, options: AbortOptions = {}): Promise<void> {
    options.signal?.throwIfAborted()
    if (this.#stored === undefined && this.#used + chunk.byteLength > smallSize) await this.#store(options)
    if (this.#stored !== undefined) return this.#stored.write(chunk, options)
    this.#append(chunk)
    this.#changed()
  }

  async reset(options: AbortOptions = {}): Promise<void> {
    options.signal?.throwIfAborted()
    if (this.#stored !== undefined) return this.#stored.reset(options)
    this.#used = 0
    this.#digester = new Digester(this.#init.algorithm)
    this.#changed()
  }

  async commit({ size, digest, signal }: CommitOptions = {}): Promise<Digest> {
    if (this.#stored !== undefined) return this.#stored.commit({ size, digest, signal })
    const { ref } = this.#init
    signal?.throwIfAborted()
    if (size !== undefined && size !== this.#used)
      throw new OrlopError('FAILED_PRECONDITION', `ingest ${ref}: has ${this.#used} bytes, expected ${size}`)
    const actual = this.#digestAs(digest)
    if (digest !== undefined && digest !== actual)
      throw new OrlopError(
        'FAILED_PRECONDITION',
        `ingest ${ref}: its bytes are ${actual}, expected ${digest}`,
      )
    try {
      await this.#init.take(this.#held, actual, { signal })
      this.#open = false
    } catch (error) {
      if (isAlreadyExists(error)) this.#open = false
      throw error
    }
    return actual
  }

  /** Throws away what is held: nothing becomes of it. */
  drop(): void {
    this.#open = false
  }

  /** Never fails, as the writer of an ingest: an error on the way out would hide the one that led here. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#open) return
    try {
      if (this.#stored !== undefined) await this.#stored[Symbol.asyncDispose]()
      else await this.#leave()
    } catch {
      // The device is full or broken: what was not committed was not promised.
    } finally {
      this.#open = false
    }
  }

  get #held(): Uint8Array {
    return this.#bytes.subarray(0, this.#used)
  }

  #digestAs(expected: Digest | undefined): Digest {
    if (expected === undefined || algorithmOf(expected) === this.#init.algorithm) return this.digest
    return digestOf(this.#held, algorithmOf(expected))
  }

  #append(chunk: Uint8Array): void {
    const needed = this.#used + chunk.byteLength
    if (needed > this.#bytes.byteLength) {
      const { total } = this.#init
      const larger = Buffer.allocUnsafeSlow(needed <= total ? total : Math.min(smallSize, 2 * needed))
      larger.set(this.#held)
      this.#bytes = larger
    }
    this.#bytes.set(chunk, this.#used)
    this.#used = needed
    this.#digester.update(chunk)
  }

  #changed(): void {
    this.#digest = undefined
    this.#status = { ...this.#status, updatedAt: this.#init.now() }
  }

  async #store(options: AbortOptions): Promise<void> {
    const { ref, store, forget } = this.#init
    const stored = await store(this.#held, this.status, options)
    if (this.#open) {
      this.#stored = stored
      return
    }
    // It was aborted meanwhile, when there was nothing to be thrown away yet.
    await stored[Symbol.asyncDispose]()
    await forget()
    throw new OrlopError('ABORTED', `ingest ${ref}: was aborted`)
  }

  async #leave(): Promise<void> {
    await this.#init.keep(this.#held, this.status)
    if (!this.#open) return this.#init.forget()
    // At once: whoever aborts from here on finds a record.
    this.#open = false
  }
}
