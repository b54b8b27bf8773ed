import type { CommitOptions, Status, Writer } from '../../content/types.ts'
import { OrlopError } from '../../errors.ts'
import type { Digest } from '../../oci/digest.ts'
import type { AbortOptions } from '../../options.ts'
import type { PushIngest } from './push-ingest.ts'

/** Told when a writer has made its bytes content, and when it is closed. */
export interface WriterEnds {
  committed(): void
  closed(): void
}

/** The writer of an upload into a registry. Labels are not for registries, and are dropped. */
export class PushWriter implements Writer {
  readonly #ingest: PushIngest
  readonly #ends: WriterEnds
  #open = true

  constructor(ingest: PushIngest, ends: WriterEnds) {
    this.#ingest = ingest
    this.#ends = ends
  }

  get offset(): number {
    return this.#ingest.offset
  }

  get digest(): Digest {
    return this.#ingest.digest
  }

  get status(): Status {
    return this.#ingest.status
  }

  async write(chunk: Uint8Array, options: AbortOptions = {}): Promise<void> {
    this.#check('write', options)
    await this.#ingest.append(chunk, options)
  }

  async reset(options: AbortOptions = {}): Promise<void> {
    this.#check('reset', options)
    await this.#ingest.reset(options)
  }

  async commit({ size, digest, signal }: CommitOptions = {}): Promise<Digest> {
    try {
      this.#check('commit', { signal })
      const stored = await this.#ingest.commit(digest, size, { signal })
      this.#ends.committed()
      return stored
    } finally {
      await this[Symbol.asyncDispose]()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#open) return
    this.#open = false
    this.#ingest.release()
    this.#ends.closed()
  }

  #check(name: string, { signal }: AbortOptions): void {
    signal?.throwIfAborted()
    if (this.#open) return
    throw new OrlopError('FAILED_PRECONDITION', `ingest ${this.#ingest.ref}: ${name} on a closed writer`)
  }
}
