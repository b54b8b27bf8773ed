import process from 'node:process'
import zlib from 'node:zlib'
import { OrlopError } from '../errors.ts'
import type { AbortOptions } from '../options.ts'
import type { Compression } from './decompress.ts'
import { through, zstdFactory } from './through.ts'

/** How bytes are to be compressed. */
export interface CompressionTarget {
  readonly type: Compression
  /** gzip: 0 to 9, default 6. zstd: 1 to 22, default 3. */
  readonly level?: number | undefined
}

const levels = { gzip: { least: 0, most: 9, usual: 6 }, zstd: { least: 1, most: 22, usual: 3 } } as const

const createZstd = zstdFactory('createZstdCompress')

/**
 * Makes sure that bytes can be compressed so, before any are read.
 *
 * @throws INVALID_ARGUMENT  a level that the compression does not have
 * @throws UNIMPLEMENTED  zstd, on a Node without it (before 22.15)
 */
export function checkCompression({ type, level }: CompressionTarget): void {
  if (type === 'none') {
    if (level !== undefined)
      throw new OrlopError('INVALID_ARGUMENT', 'compression level: there is none without compression')
    return
  }
  const { least, most } = levels[type]
  if (level !== undefined && (!Number.isSafeInteger(level) || level < least || level > most))
    throw new OrlopError('INVALID_ARGUMENT', `${type}: level ${level} is not one of ${least} to ${most}`)
  if (type === 'zstd' && createZstd === undefined)
    throw new OrlopError(
      'UNIMPLEMENTED',
      `zstd: Node ${process.versions.node} cannot compress with it; use Node 22.15 or later, or gzip`,
    )
}

/**
 * Compresses bytes as they come; nothing is held but a window. The same bytes give the same bytes on the same Node: there
 * is no time, name or system in a gzip header.
 *
 * @throws as `checkCompression`
 */
export async function* compress(
  source: AsyncIterable<Uint8Array>,
  target: CompressionTarget,
  { signal }: AbortOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  checkCompression(target)
  const pass = (error: unknown): unknown => error
  const { type } = target
  if (type === 'none') yield* source
  else if (type === 'gzip') {
    const level = target.level ?? levels.gzip.usual
    yield* anonymous(through(source, zlib.createGzip({ level, chunkSize: 131_072 }), pass, { signal }))
  } else if (createZstd !== undefined) {
    const params = { [compressionLevel]: target.level ?? levels.zstd.usual }
    yield* through(source, createZstd({ params, chunkSize: 131_072 }), pass, { signal })
  }
}

/** zstd's ZSTD_c_compressionLevel. */
const compressionLevel = 100

/** Where a gzip header says which system wrote it, and what stands for none. @see RFC 1952, 2.3.1 */
const systemAt = 9
const noSystem = 255

async function* anonymous(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  let at = 0
  for await (const chunk of source) {
    if (at <= systemAt && at + chunk.byteLength > systemAt) chunk[systemAt - at] = noSystem
    at += chunk.byteLength
    yield chunk
  }
}
