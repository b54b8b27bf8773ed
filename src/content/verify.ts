import { OrlopError } from '../errors.ts'
import { algorithmOf, Digester } from '../oci/digest.ts'
import type { Target } from './types.ts'

/**
 * Passes `source` through and checks it on the way: all bytes of `target`, and no others.
 *
 * The last chunk is given out before the digest is known, so nothing counts until the iteration has ended without error.
 *
 * @throws DATA_LOSS  at the first byte too many, or at an end that does not match
 */
export async function* verified(
  source: AsyncIterable<Uint8Array>,
  target: Pick<Target, 'digest' | 'size'>,
): AsyncGenerator<Uint8Array> {
  const digester = new Digester(algorithmOf(target.digest))
  let size = 0
  for await (const chunk of source) {
    size += chunk.byteLength
    if (size > target.size) {
      throw new OrlopError('DATA_LOSS', `content ${target.digest}: longer than its ${target.size} bytes`)
    }
    digester.update(chunk)
    yield chunk
  }
  const actual = digester.digest()
  if (size !== target.size) {
    throw new OrlopError('DATA_LOSS', `content ${target.digest}: got ${size} of ${target.size} bytes`)
  }
  if (actual !== target.digest) {
    throw new OrlopError('DATA_LOSS', `content ${target.digest}: its bytes are those of ${actual}`)
  }
}
