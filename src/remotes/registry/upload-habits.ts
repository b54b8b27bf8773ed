import { RegistryError } from './error.ts'

/** The smallest part that is tried before a registry that refuses its size is given up. */
const smallestPart = 64 * 1024
/** The first part that is tried when a whole blob is too large; most proxies let it pass. */
const firstPart = 64 * 1024 * 1024

/** What an endpoint has shown of how it takes uploads. Learned from its refusals, so that each is met once. */
export class UploadHabits {
  /** Bytes that one request may carry. */
  #maxPart = Number.POSITIVE_INFINITY
  /** It takes bytes by PATCH. */
  appends = true
  /** It takes bytes with the PUT that ends an upload. */
  finishesWithBytes = true

  /** Bytes for the next request. @param minChunk  what the registry wants at least of all but the last */
  part(left: number, minChunk: number): number {
    return Math.min(left, Math.max(this.#maxPart, minChunk))
  }

  /** Notes that a request of `size` bytes was too large; false when a smaller one makes no sense. */
  shrink(size: number, minChunk: number): boolean {
    const smaller = Math.min(firstPart, Math.floor(size / 2))
    if (smaller < Math.max(smallestPart, minChunk)) return false
    this.#maxPart = Math.min(this.#maxPart, smaller)
    return true
  }
}

/** True for a refusal of the way that bytes were sent in, not of the bytes. */
export const isUnsupported = (error: RegistryError): boolean =>
  error.status === 405 || error.status === 501 || hasErrorCode(error, 'UNSUPPORTED')

/** True when the registry does not know the upload any more, or finds it spoiled. */
export const isLost = (error: RegistryError): boolean =>
  error.status === 404 ||
  error.status === 410 ||
  hasErrorCode(error, 'BLOB_UPLOAD_UNKNOWN', 'BLOB_UPLOAD_INVALID', 'RANGE_INVALID')

/** True when an error document has one of `codes`. */
export const hasErrorCode = (error: unknown, ...codes: readonly string[]): boolean =>
  error instanceof RegistryError && error.errors.some(({ code }) => codes.includes(code))
