import { Readable, type Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import zlib from 'node:zlib'
import type { AbortOptions } from '../options.ts'

/**
 * Bytes through one of zlib's transforms, as they come. Leaving the loop closes the source.
 *
 * @param explain  makes an error of what zlib says; other errors pass
 */
export async function* through(
  source: AsyncIterable<Uint8Array>,
  transform: Transform,
  explain: (error: unknown) => unknown,
  { signal }: AbortOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  let failure: unknown
  const fed = pipeline(Readable.from(source, { objectMode: false }), transform, {
    ...(signal && { signal }),
  }).catch(error => {
    failure = error
  })
  try {
    yield* transform
    await fed
  } catch (error) {
    failure ??= error
  } finally {
    transform.destroy()
    // The source is closed when this ends, however it ends.
    await fed
  }
  signal?.throwIfAborted()
  if (failure !== undefined) throw isZlibError(failure) ? explain(failure) : failure
}

const isZlibError = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && /^(Z_|ZSTD_)/.test(String(error.code))

/** What makes a zstd transform, where this Node has it (22.15 and later). */
export function zstdFactory(
  name: 'createZstdCompress' | 'createZstdDecompress',
): ((options?: object) => Transform) | undefined {
  const factory: unknown = Reflect.get(zlib, name)
  return isFactory(factory) ? factory : undefined
}

const isFactory = (value: unknown): value is (options?: object) => Transform => typeof value === 'function'
