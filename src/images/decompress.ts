import zlib from 'node:zlib'
import { OrlopError } from '../errors.ts'
import type { AbortOptions } from '../options.ts'
import { through, zstdFactory } from './through.ts'

/** How bytes are compressed, by what they begin with. */
export type Compression = 'none' | 'gzip' | 'zstd'

/** As many bytes as `sniffCompression` needs to tell. */
export const sniffLength = 10

/**
 * The compression of bytes, by their first few; short and empty input is not compressed.
 *
 * @see RFC 1952, 2.3.1; RFC 8878, 3.1.1 and 3.1.2 (skippable frames)
 */
export function sniffCompression(bytes: Uint8Array): Compression {
  const [a, b, c, d] = bytes
  if (a === 0x1f && b === 0x8b && c === 0x08) return 'gzip'
  if (a === 0x28 && b === 0xb5 && c === 0x2f && d === 0xfd) return 'zstd'
  const isSkippable = a !== undefined && (a & 0xf0) === 0x50 && b === 0x2a && c === 0x4d && d === 0x18
  return isSkippable && bytes.byteLength >= 8 ? 'zstd' : 'none'
}

/**
 * Decompresses bytes as they come; nothing is held but a window.
 *
 * zstd is done by Node where it can (22.15 and later), else by the package fzstd, which is loaded when needed.
 *
 * @param what  names the bytes in errors
 * @throws DATA_LOSS  the bytes are not what `compression` says, or end too early
 */
export async function* decompress(
  source: AsyncIterable<Uint8Array>,
  compression: Compression,
  what: string,
  { signal }: AbortOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  if (compression === 'none') yield* source
  else if (compression === 'gzip')
    yield* through(source, zlib.createGunzip({ chunkSize: 131_072 }), error => invalid(what, error), {
      signal,
    })
  else if (createZstd !== undefined)
    yield* through(source, createZstd(), error => invalid(what, error), { signal })
  else yield* unzstd(source, what, { signal })
}

const createZstd = zstdFactory('createZstdDecompress')

const invalid = (what: string, cause: unknown): OrlopError =>
  new OrlopError(
    'DATA_LOSS',
    `${what}: cannot be decompressed: ${cause instanceof Error ? cause.message : cause}`,
    {
      cause,
    },
  )

async function* unzstd(
  source: AsyncIterable<Uint8Array>,
  what: string,
  { signal }: AbortOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { Decompress } = await import('fzstd')
  let ready: Uint8Array[] = []
  const stream = new Decompress(chunk => ready.push(chunk))
  const push = (chunk: Uint8Array, final: boolean): Uint8Array[] => {
    try {
      stream.push(chunk, final)
    } catch (error) {
      throw invalid(what, error)
    }
    const chunks = ready
    ready = []
    return chunks
  }
  for await (const chunk of source) {
    signal?.throwIfAborted()
    // Small pieces, for every 4 bytes can stand for 128 KiB, and one push gives out all it can.
    for (let at = 0; at < chunk.byteLength; at += 1024) yield* push(chunk.subarray(at, at + 1024), false)
  }
  yield* push(new Uint8Array(0), true)
}
