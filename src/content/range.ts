import { OrlopError } from '../errors.ts'
import type { ReadOptions } from './types.ts'

/** A part of a blob: bytes from `start` up to, not including, `end`; `start <= end <= size`. */
export interface Range {
  readonly start: number
  readonly end: number
}

/**
 * Checks the part that was asked for, before anything is opened.
 *
 * @throws INVALID_ARGUMENT  an offset or length that is negative or not whole
 */
export function checkRange({ offset, length }: ReadOptions): void {
  for (const [name, value] of Object.entries({ offset, length })) {
    if (value === undefined || value === Number.POSITIVE_INFINITY) continue
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new OrlopError('INVALID_ARGUMENT', `read: ${name} ${value} is not a whole number from 0`)
    }
  }
}

/** The part that was asked for of a blob of `size` bytes. */
export function rangeOf(size: number, { offset = 0, length = Number.POSITIVE_INFINITY }: ReadOptions): Range {
  const start = Math.min(offset, size)
  return { start, end: Math.min(size, start + length) }
}
