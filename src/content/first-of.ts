import { isNotFound, OrlopError } from '../errors.ts'
import { checkRange, rangeOf } from './range.ts'
import type { Provider, ReadOptions, Target } from './types.ts'

/**
 * Several providers as one: when one fails, or ends too early, the next goes on at the same byte.
 *
 * Bytes are not verified; wrap a provider that may lie in one that checks before it gives, such as `cached`. When all
 * fail, the first error that is not NOT_FOUND is thrown, for it says more.
 */
export const firstOf = (...providers: readonly Provider[]): Provider => ({
  read(target, options = {}) {
    checkRange(options)
    return readFirst(providers, target, options)
  },
})

async function* readFirst(
  providers: readonly Provider[],
  target: Target,
  options: ReadOptions,
): AsyncGenerator<Uint8Array> {
  let { start: offset, end } = rangeOf(target.size, options)
  let failure: unknown
  for (const provider of providers) {
    try {
      for await (const chunk of provider.read(target, { ...options, offset, length: end - offset })) {
        offset += chunk.byteLength
        yield chunk
      }
      if (offset >= end) return
      throw new OrlopError('DATA_LOSS', `content ${target.digest}: ended after ${offset} of ${end} bytes`)
    } catch (error) {
      if (options.signal?.aborted) throw options.signal.reason
      if (failure === undefined || (isNotFound(failure) && !isNotFound(error))) failure = error
    }
  }
  throw failure ?? new OrlopError('NOT_FOUND', `content ${target.digest}: no provider to ask`)
}
