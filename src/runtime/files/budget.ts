import { OrlopError } from '../../errors.ts'
import type { FileLimits } from './types.ts'

/** Counts what one look into an image holds and reads, and ends it when that is more than was allowed. */
export class Budget {
  readonly #maxEntries: number
  readonly #maxNameBytes: number
  readonly #maxBytes: number
  #entries = 0
  #nameBytes = 0
  #bytes = 0

  constructor({ maxEntries = 1_000_000, maxNameBytes = 256 * 1024 * 1024, maxBytes }: FileLimits = {}) {
    this.#maxEntries = maxEntries
    this.#maxNameBytes = maxNameBytes
    this.#maxBytes = maxBytes ?? Number.POSITIVE_INFINITY
  }

  /** One more entry is held. @throws RESOURCE_EXHAUSTED */
  hold(nameBytes: number, what: string): void {
    this.#entries++
    this.#nameBytes += nameBytes
    if (this.#entries > this.#maxEntries)
      throw exhausted(`${what}: the layers have more than ${this.#maxEntries} entries`, 'maxEntries')
    if (this.#nameBytes > this.#maxNameBytes)
      throw exhausted(`${what}: the names have more than ${this.#maxNameBytes} bytes`, 'maxNameBytes')
  }

  /** So many more bytes came out of a layer. @throws RESOURCE_EXHAUSTED */
  read(bytes: number, what: string): void {
    this.#bytes += bytes
    if (this.#bytes > this.#maxBytes)
      throw exhausted(`${what}: the layers have more than ${this.#maxBytes} bytes uncompressed`, 'maxBytes')
  }
}

const exhausted = (why: string, limit: keyof FileLimits): OrlopError =>
  new OrlopError('RESOURCE_EXHAUSTED', `${why}; raise the limit ${limit} if the image is to be trusted`)
