import { hasCode, OrlopError } from '../errors.ts'
import type { AbortOptions } from '../options.ts'
import { ByteReader } from './byte-reader.ts'
import { parsePax } from './pax.ts'
import { describeEntry, type Extension, refuseGlobal } from './tar-entry.ts'
import {
  blockSize,
  mapGoesOn,
  mapStillGoesOn,
  paddingOf,
  parseHeader,
  type RawHeader,
  sparseSize,
} from './tar-header.ts'
import { decodeText } from './tar-text.ts'
import type { ByteSource, TarEntry } from './types.ts'

/** Options of `readTar`. */
export interface ReadTarOptions extends AbortOptions {
  /** Names the tar in errors; default `tar`. */
  readonly what?: string | undefined
  /** Headers in one tar, those of long names and pax records too; default 10 million. */
  readonly maxEntries?: number | undefined
  /** True: what comes after the end is read and dropped, so that who writes to us through a pipe can finish. */
  readonly drain?: boolean | undefined
}

/** Bytes of one long name or of the pax records of one entry; Go's reader takes as many. */
const maxMetadata = 1024 * 1024

/**
 * The entries of a tar, front to back, without its compression; nothing of it is held but a chunk.
 *
 * It reads what Go's, GNU's and BSD's programs write: ustar, pax, GNU long names, binary numbers. It refuses what could be
 * read in two ways, and never guesses where the next header is. Two blocks of zeros end a tar, and so does the end of the
 * source between two entries; what comes after them is not looked at. Leaving the loop closes the source.
 *
 * @throws DATA_LOSS  a header whose checksum is wrong, or a tar that is cut off
 * @throws INVALID_ARGUMENT  bytes that are no tar; a field or pax record that cannot be read, a name that is empty, has a NUL, or more than 4096 bytes
 * @throws RESOURCE_EXHAUSTED  more than `maxEntries` headers, or more than 1 MiB of names and records of one entry
 */
export async function* readTar(
  source: ByteSource,
  { what = 'tar', maxEntries = 10_000_000, drain = false, signal }: ReadTarOptions = {},
): AsyncGenerator<TarEntry, void, undefined> {
  await using reader = new ByteReader(source, what, { signal })
  const tar = new TarReader(reader, what, maxEntries)
  for (let entry = await tar.next(); entry !== undefined; entry = await tar.next()) yield entry
  if (drain) await reader.drain()
}

const nothing: Extension = { pax: new Map() }

class TarReader {
  readonly #reader: ByteReader
  readonly #what: string
  readonly #maxEntries: number
  #headers = 0
  #body: Body | undefined

  constructor(reader: ByteReader, what: string, maxEntries: number) {
    this.#reader = reader
    this.#what = what
    this.#maxEntries = maxEntries
  }

  /** The next entry; `undefined` at the end. */
  async next(): Promise<TarEntry | undefined> {
    await this.#body?.pass()
    let before = nothing
    for (;;) {
      const at = `${this.#what}: header at byte ${this.#reader.offset}`
      const { block, raw } = await this.#header(at)
      if (block === undefined || raw === undefined) {
        await this.#end(block, before)
        return undefined
      }
      this.#count()
      const more = await this.#extension(raw, before, at)
      if (more === undefined) return await this.#entry(raw, block, before, at)
      before = more
    }
  }

  /** The next header and its block; without a header at the end. */
  async #header(at: string): Promise<{ readonly block?: Uint8Array; readonly raw?: RawHeader }> {
    const isFirst = this.#reader.offset === 0
    try {
      const block = await this.#reader.exactly(blockSize)
      const raw = block && parseHeader(block, at)
      return { ...(block && { block }), ...(raw && { raw }) }
    } catch (error) {
      if (!isFirst || !hasCode(error, 'DATA_LOSS')) throw error
      throw new OrlopError('INVALID_ARGUMENT', `${this.#what}: not a tar`, { cause: error })
    }
  }

  #count(): void {
    if (++this.#headers <= this.#maxEntries) return
    throw new OrlopError(
      'RESOURCE_EXHAUSTED',
      `${this.#what}: more than ${this.#maxEntries} entries, refused as hostile`,
    )
  }

  /** What a header that belongs to the next one says; `undefined` for the header of an entry. */
  async #extension(raw: RawHeader, before: Extension, at: string): Promise<Extension | undefined> {
    switch (raw.flag) {
      case 'x':
        return { ...before, pax: await this.#small(raw, at, parsePax) }
      case 'g':
        refuseGlobal(await this.#small(raw, at, parsePax), at)
        return before
      case 'L':
        return { ...before, longName: await this.#small(raw, at, decodeText) }
      case 'K':
        return { ...before, longLink: await this.#small(raw, at, decodeText) }
      default:
        return undefined
    }
  }

  async #small<T>({ size }: RawHeader, at: string, parse: (bytes: Uint8Array, at: string) => T): Promise<T> {
    if (size > maxMetadata) {
      throw new OrlopError('RESOURCE_EXHAUSTED', `${at}: ${size} bytes of names, more than ${maxMetadata}`)
    }
    const bytes = size === 0 ? new Uint8Array(0) : await this.#reader.exactly(size)
    if (bytes === undefined) throw new OrlopError('DATA_LOSS', `${at}: the tar ends in it`)
    const parsed = parse(bytes, at)
    await this.#reader.skip(paddingOf(size))
    return parsed
  }

  async #entry(raw: RawHeader, block: Uint8Array, before: Extension, at: string): Promise<TarEntry> {
    const sparse = raw.flag === 'S' ? sparseSize(block, at) : undefined
    if (sparse !== undefined) await this.#skipSparseMap(block, at)
    const { header, bodySize, isSparse } = describeEntry(raw, before, sparse, at)
    const where = (): string => `${this.#what}: entry ${JSON.stringify(header.name)}`
    const body = new Body(this.#reader, where, bodySize)
    this.#body = body
    return Object.assign(header, {
      isSparse,
      offset: this.#reader.offset,
      body: () => (isSparse ? refuseSparse(where()) : body.read()),
    })
  }

  async #skipSparseMap(header: Uint8Array, at: string): Promise<void> {
    for (let more = mapGoesOn(header); more; ) {
      this.#count()
      const block = await this.#reader.exactly(blockSize)
      if (block === undefined) throw new OrlopError('DATA_LOSS', `${at}: the tar ends in it`)
      more = mapStillGoesOn(block)
    }
  }

  /** @param zeros  the block that ended the tar; absent: the source is at its end */
  async #end(zeros: Uint8Array | undefined, before: Extension): Promise<void> {
    const at = `${this.#what}: at byte ${this.#reader.offset}`
    if (before !== nothing)
      throw new OrlopError('DATA_LOSS', `${at}: ends after a name that no entry follows`)
    const second = zeros && (await this.#reader.exactly(blockSize))
    if (second?.some(byte => byte !== 0))
      throw new OrlopError('DATA_LOSS', `${at}: goes on after a block of zeros, which is no header`)
  }
}

// biome-ignore lint/correctness/useYield: it is asked for chunks and has none.
async function* refuseSparse(where: string): AsyncGenerator<Uint8Array, void, undefined> {
  throw new OrlopError(
    'UNIMPLEMENTED',
    `${where}: a sparse file cannot be read; make the tar anew without --sparse`,
  )
}

/** The bytes of one entry, and those up to the next header. */
class Body {
  readonly #reader: ByteReader
  readonly #where: () => string
  readonly #padding: number
  #left: number
  #state: 'new' | 'read' | 'passed' = 'new'

  constructor(reader: ByteReader, where: () => string, size: number) {
    this.#reader = reader
    this.#where = where
    this.#padding = paddingOf(size)
    this.#left = size
  }

  async *read(): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#state !== 'new') throw this.#misused('its body is read a second time')
    this.#state = 'read'
    while (this.#left > 0) {
      const chunk = await this.#reader.some(this.#left)
      if (chunk === undefined) {
        throw new OrlopError('DATA_LOSS', `${this.#where()}: cut off ${this.#left} bytes before its end`)
      }
      this.#left -= chunk.byteLength
      yield chunk
      if (this.#isPassed()) throw this.#misused('its body is read after the next entry was asked for')
    }
  }

  /** Goes to the next header. */
  async pass(): Promise<void> {
    this.#state = 'passed'
    await this.#reader.skip(this.#left + this.#padding)
    this.#left = 0
  }

  #isPassed(): boolean {
    return this.#state === 'passed'
  }

  #misused(why: string): OrlopError {
    return new OrlopError('FAILED_PRECONDITION', `${this.#where()}: ${why}`)
  }
}
