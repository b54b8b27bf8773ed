import type { Status, WriterInit } from '../../content/types.ts'
import { OrlopError } from '../../errors.ts'
import { algorithmOf, type Digest, Digester } from '../../oci/digest.ts'
import type { AbortOptions } from '../../options.ts'
import { DigestMarks } from './digest-marks.ts'

/** Where the bytes of an upload go. */
export interface Sink {
  /** Bytes that are kept in memory for `commit`, and not written; 0: all are written as they come. */
  readonly holds: number
  /** Appends bytes; resolves when they were taken over, and the caller may reuse them. */
  write(chunk: Uint8Array, options: AbortOptions): Promise<void>
  /** Makes all bytes content. @param held  those that were kept */
  commit(digest: Digest, held: Uint8Array, options: AbortOptions): Promise<void>
  /** After a break: finds out how many of the written bytes are there, to go on behind them. */
  resume(options: AbortOptions): Promise<number>
  /** Lets go of connections; what is there stays. */
  release(): void
  /** Throws away what is there. */
  cancel(options: AbortOptions): Promise<void>
}

/** Bytes on their way into a registry, between the writers of their ref. */
export class PushIngest {
  readonly ref: string
  readonly expected: NonNullable<WriterInit['expected']>
  readonly #sink: Sink
  readonly #startedAt = new Date()
  readonly #held: Uint8Array[] = []
  readonly #marks: DigestMarks
  #updatedAt = this.#startedAt
  #offset = 0
  /** Bytes that the sink has; more than `offset` where those in between must be hashed again, and not sent. */
  #there = 0
  #isBroken = false

  constructor({ ref, expected = {} }: WriterInit, sink: Sink) {
    const { digest } = expected
    this.ref = ref
    this.expected = expected
    this.#sink = sink
    this.#marks = new DigestMarks(new Digester(digest === undefined ? 'sha256' : algorithmOf(digest)))
  }

  get offset(): number {
    return this.#offset
  }

  get digest(): Digest {
    return this.#marks.digest()
  }

  get status(): Status {
    const { digest, size } = this.expected
    return {
      ref: this.ref,
      offset: this.#offset,
      ...(size !== undefined && { total: size }),
      ...(digest !== undefined && { expected: digest }),
      startedAt: this.#startedAt,
      updatedAt: this.#updatedAt,
    }
  }

  /** True for the same bytes, as far as both say. */
  isFor({ expected: { digest, size } = {} }: WriterInit): boolean {
    return this.expected.digest === digest && this.expected.size === size
  }

  async append(chunk: Uint8Array, options: AbortOptions): Promise<void> {
    if (this.#isBroken) throw this.#refuse('its upload broke; open a writer on its ref again to go on')
    const { size = Number.POSITIVE_INFINITY } = this.expected
    const end = this.#offset + chunk.byteLength
    if (end > size) throw this.#refuse(`has ${end} bytes, expected ${size}`)
    const { holds } = this.#sink
    if (holds > 0 && end > holds)
      throw new OrlopError('RESOURCE_EXHAUSTED', `ingest ${this.ref}: more than the ${holds} bytes allowed`)
    const fresh = chunk.subarray(Math.max(0, this.#there - this.#offset))
    // Until it is resumed nobody knows how much of a chunk arrived that failed.
    this.#isBroken = true
    if (holds > 0) this.#held.push(new Uint8Array(fresh))
    else await this.#sink.write(fresh, options)
    this.#isBroken = false
    this.#marks.update(chunk)
    this.#there = Math.max(this.#there, end)
    this.#move(end)
  }

  /**
   * Makes the bytes content.
   *
   * @throws FAILED_PRECONDITION  size or digest differ; the bytes stay
   */
  async commit(digest: Digest | undefined, size: number | undefined, options: AbortOptions): Promise<Digest> {
    if (this.#isBroken) throw this.#refuse('its upload broke; open a writer on its ref again to go on')
    const { expected } = this
    const wanted = digest ?? expected.digest
    const bytes = size ?? expected.size
    if (bytes !== undefined && bytes !== this.#offset)
      throw this.#refuse(`has ${this.#offset} bytes, expected ${bytes}`)
    const actual = this.digest
    const comparable = wanted !== undefined && algorithmOf(wanted) === algorithmOf(actual)
    if (comparable && wanted !== actual) throw this.#refuse(`its bytes are ${actual}, expected ${wanted}`)
    await this.#sink.commit(wanted ?? actual, Buffer.concat(this.#held), options)
    return wanted ?? actual
  }

  /** Goes back to what the registry has. */
  async resume(options: AbortOptions): Promise<void> {
    if (this.#sink.holds > 0) return
    this.#there = await this.#sink.resume(options)
    this.#move(this.#marks.goBack(this.#there))
    this.#isBroken = false
  }

  /** Throws away all bytes. */
  async reset(options: AbortOptions): Promise<void> {
    await this.#sink.cancel(options)
    this.#held.length = 0
    this.#there = 0
    this.#move(this.#marks.goBack(0))
    this.#isBroken = false
  }

  release(): void {
    this.#sink.release()
  }

  #move(offset: number): void {
    this.#offset = offset
    this.#updatedAt = new Date()
  }

  #refuse(why: string): OrlopError {
    return new OrlopError('FAILED_PRECONDITION', `ingest ${this.ref}: ${why}`)
  }
}
