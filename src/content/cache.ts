import type { Digest } from '../oci/digest.ts'
import { readBlob } from './blob.ts'
import { checkRange, rangeOf } from './range.ts'
import type { Provider, ReadOptions, Target } from './types.ts'

/** Options of `cached`. */
export interface CacheOptions {
  /** Bytes of all that is kept; default 32 MiB. What was not read for longest goes first. */
  readonly maxBytes?: number | undefined
  /** Bytes of a blob that is kept; default 4 MiB. Larger ones pass through. */
  readonly maxBlobSize?: number | undefined
  /** Which small blobs are kept; default: all. Others pass through, so that what is copied on can be resumed. */
  readonly keeps?: ((target: Target) => boolean) | undefined
}

const mebibyte = 1024 * 1024

/**
 * Keeps the small blobs of a provider, so that a manifest is fetched once for all who read it.
 *
 * A small blob is fetched whole and verified before any of it is given out; large ones pass through unverified.
 *
 * @throws DATA_LOSS  while reading: the bytes of a small blob are not what its target says; nothing is kept
 */
export function cached(
  provider: Provider,
  { maxBytes = 32 * mebibyte, maxBlobSize = 4 * mebibyte, keeps = () => true }: CacheOptions = {},
): Provider {
  const cache = new BlobCache(provider, maxBytes)
  return {
    read(target, options = {}) {
      if (target.size > Math.min(maxBlobSize, maxBytes) || !keeps(target))
        return provider.read(target, options)
      checkRange(options)
      return cache.read(target, options)
    },
  }
}

class BlobCache {
  readonly #provider: Provider
  readonly #maxBytes: number
  /** In order of the last use. */
  readonly #blobs = new Map<Digest, Uint8Array>()
  #bytes = 0

  constructor(provider: Provider, maxBytes: number) {
    this.#provider = provider
    this.#maxBytes = maxBytes
  }

  async *read(target: Target, options: ReadOptions): AsyncGenerator<Uint8Array> {
    options.signal?.throwIfAborted()
    const kept = this.#blobs.get(target.digest)
    // A target of another size is another question.
    const hit = kept?.byteLength === target.size ? kept : undefined
    const bytes =
      hit ?? (await readBlob(this.#provider, target, { maxSize: target.size, signal: options.signal }))
    this.#keep(target.digest, bytes)
    const { start, end } = rangeOf(bytes.byteLength, options)
    // A copy: what is given out is the reader's to change.
    if (end > start) yield new Uint8Array(bytes.subarray(start, end))
  }

  #keep(digest: Digest, bytes: Uint8Array): void {
    this.#bytes += bytes.byteLength - (this.#blobs.get(digest)?.byteLength ?? 0)
    this.#blobs.delete(digest)
    this.#blobs.set(digest, bytes)
    for (const [oldest, { byteLength }] of this.#blobs) {
      if (this.#bytes <= this.#maxBytes) return
      this.#blobs.delete(oldest)
      this.#bytes -= byteLength
    }
  }
}
