import { pipeline, Readable, type Transform } from 'node:stream'
import * as zlib from 'node:zlib'
import { OrlopError } from '../../errors.ts'

/** The encodings named by a Content-Encoding header that must be undone, in the order they were applied. */
export const encodingsOf = (header: string | undefined): readonly string[] =>
  (header ?? '')
    .split(',')
    .map(name => name.trim().toLowerCase())
    .filter(name => name !== '' && name !== 'identity')

/**
 * A body with its Content-Encodings undone, last one first. Nobody asked for them, but some servers do it anyway.
 *
 * @throws UNIMPLEMENTED  an encoding that this Node cannot undo, or more than three of them
 */
export function decoded(body: Readable, encodings: readonly string[]): Readable {
  if (encodings.length > 3) throw new OrlopError('UNIMPLEMENTED', 'more than three content encodings')
  return encodings.toReversed().reduce(undo, body)
}

function undo(body: Readable, encoding: string): Readable {
  if (encoding === 'deflate') return Readable.from(inflated(body), { objectMode: false })
  // The error reaches whoever reads the last stream; the callback only keeps it from being thrown twice.
  return pipeline(body, transform(encoding), () => {})
}

function transform(encoding: string): Transform {
  switch (encoding) {
    case 'gzip':
    case 'x-gzip':
      return zlib.createGunzip()
    case 'br':
      return zlib.createBrotliDecompress()
    case 'zstd':
      if ('createZstdDecompress' in zlib && typeof zlib.createZstdDecompress === 'function')
        return zlib.createZstdDecompress()
  }
  throw new OrlopError('UNIMPLEMENTED', `content encoding ${JSON.stringify(encoding.slice(0, 40))}`)
}

/** "deflate" is zlib's format by the standard and raw deflate by custom; the first byte tells. */
async function* inflated(body: Readable): AsyncGenerator<Uint8Array> {
  const chunks = body[Symbol.asyncIterator]()
  const first = await chunks.next()
  if (first.done === true) return
  const head: Uint8Array = first.value
  const rest = async function* () {
    yield head
    yield* { [Symbol.asyncIterator]: () => chunks }
  }
  const inflate = ((head[0] ?? 0) & 0x0f) === 8 ? zlib.createInflate() : zlib.createInflateRaw()
  yield* pipeline(Readable.from(rest(), { objectMode: false }), inflate, () => {})
}
