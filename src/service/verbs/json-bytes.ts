import { OrlopError } from '../../errors.ts'

/** A value as JSON in UTF-8. @throws RESOURCE_EXHAUSTED  it is longer than a string can be */
export function jsonBytes(value: unknown): Buffer {
  try {
    return Buffer.from(JSON.stringify(value))
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw new OrlopError('RESOURCE_EXHAUSTED', 'verbs: the result is too large to be told by a socket', {
      cause,
    })
  }
}
