import { OrlopError } from '../errors.ts'
import { type Compression, decompress, sniffCompression, sniffLength } from '../images/decompress.ts'
import type { AbortOptions } from '../options.ts'
import type { ByteSource } from './types.ts'

/** How much may come out of compressed bytes. */
export interface BombLimits {
  /** Bytes that may come out whatever goes in; default 256 MiB. */
  readonly free?: number | undefined
  /** Beyond those: bytes that may come out for each that went in; default 100; the files of an image give 2 to 10. */
  readonly ratio?: number | undefined
}

/** Options of `decompressed`. */
export interface DecompressedOptions extends AbortOptions {
  /** Names the bytes in errors; default `archive`. */
  readonly what?: string | undefined
  readonly limits?: BombLimits | undefined
}

/** Bytes whose compression was told by their first ones, and is undone. */
export interface Decompressed {
  readonly compression: Compression
  /** To be read once. A file that is not compressed can still be skipped in. */
  readonly bytes: ByteSource
}

/**
 * Tells plain, gzip and zstd bytes apart, and undoes the compression as they come.
 *
 * @throws DATA_LOSS  while reading: compressed bytes that are damaged or cut off
 * @throws RESOURCE_EXHAUSTED  while reading: more came out than `limits` allow, as of a decompression bomb
 */
export async function decompressed(
  source: ByteSource,
  { what = 'archive', limits, signal }: DecompressedOptions = {},
): Promise<Decompressed> {
  const iterator = source[Symbol.asyncIterator]()
  const first = await firstOf(iterator)
  const compression = sniffCompression(first)
  const whole = new Rejoined(first, iterator, source)
  if (compression === 'none') return { compression, bytes: whole }
  const meter = { read: 0 }
  const plain = decompress(counted(whole, meter), compression, what, { signal })
  return { compression, bytes: bounded(plain, meter, what, limits) }
}

/** At least as many bytes as tell the compression, where there are so many. */
async function firstOf(iterator: AsyncIterator<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for (let length = 0; length < sniffLength; ) {
    const { done, value } = await iterator.next()
    if (done) break
    length += value.byteLength
    chunks.push(value)
  }
  const [only] = chunks
  return chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks)
}

/** A source with the bytes that were taken off it in front again. */
class Rejoined implements ByteSource, AsyncIterator<Uint8Array, undefined, undefined> {
  readonly #rest: AsyncIterator<Uint8Array>
  readonly skip?: (bytes: number) => Promise<void>
  #first: Uint8Array | undefined

  constructor(first: Uint8Array, rest: AsyncIterator<Uint8Array>, source: ByteSource) {
    this.#first = first.byteLength > 0 ? first : undefined
    this.#rest = rest
    const skip = source.skip?.bind(source)
    if (skip !== undefined) this.skip = bytes => this.#skip(bytes, skip)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    const value = this.#first
    this.#first = undefined
    return value === undefined ? await this.#rest.next() : { done: false, value }
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    await this.#rest.return?.()
    return { done: true, value: undefined }
  }

  async #skip(bytes: number, skip: (bytes: number) => Promise<void>): Promise<void> {
    const left = this.#first?.subarray(bytes)
    const passed = (this.#first?.byteLength ?? 0) - (left?.byteLength ?? 0)
    this.#first = left?.byteLength ? left : undefined
    if (bytes > passed) await skip(bytes - passed)
  }
}

async function* counted(
  source: AsyncIterable<Uint8Array>,
  meter: { read: number },
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of source) {
    meter.read += chunk.byteLength
    yield chunk
  }
}

async function* bounded(
  source: AsyncIterable<Uint8Array>,
  meter: { readonly read: number },
  what: string,
  { free = 256 * 1024 * 1024, ratio = 100 }: BombLimits = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  let given = 0
  for await (const chunk of source) {
    given += chunk.byteLength
    if (given > free + ratio * meter.read) {
      throw new OrlopError(
        'RESOURCE_EXHAUSTED',
        `${what}: ${meter.read} compressed bytes became more than ${given - chunk.byteLength}, refused as a decompression bomb; to import it all the same, decompress it first`,
      )
    }
    yield chunk
  }
}
