import type { ReadOptions, Target } from '../../content/types.ts'
import { OrlopError } from '../../errors.ts'
import type { AbortOptions } from '../../options.ts'
import { RegistryError } from './error.ts'
import { contentLength, type HttpResponse, headerValue } from './http.ts'
import { backOff, patienceOf, pause, type RetryNotice, type RetryPolicy } from './retry.ts'

/** Opens a blob, at a range or whole, and tries again by itself; throws for any status but 200, 206 and 416. */
export type Open = (range: string | undefined, options: AbortOptions) => Promise<HttpResponse>

/** Options of `readRanges`. */
export interface RangeOptions extends ReadOptions {
  readonly policy: RetryPolicy
  /** Told before each wait for another try. */
  readonly onRetry?: ((notice: RetryNotice) => void) | undefined
}

/** Tries in a row that may break before `progressBytes` have come. */
const maxFruitless = 4
/** Bytes after which a broken body counts as a new start. */
const progressBytes = 64 * 1024

/**
 * The bytes of a blob, or a part of them, in one piece: where a body breaks or stalls, the next one is opened at the byte
 * that was reached. A server without ranges is read from the start, and what is known already is passed over.
 *
 * @param what  names the blob in errors
 * @throws DATA_LOSS  the server sends another range than was asked, or a blob of another size than `target` has
 * @throws UNAVAILABLE  the body breaks again and again
 */
export async function* readRanges(
  open: Open,
  { size }: Pick<Target, 'size'>,
  what: string,
  { offset = 0, length = size, policy, onRetry, signal }: RangeOptions,
): AsyncGenerator<Uint8Array> {
  const span: Span = { at: offset, end: Math.min(size, offset + length), size, ranged: true }
  let fruitless = 0
  let mark = span.at
  while (span.at < span.end) {
    const response = await open(rangeHeader(span), { signal })
    try {
      yield* readOnce(response, span, what)
    } catch (error) {
      signal?.throwIfAborted()
      if (patienceOf(error) === 'none' || !(error instanceof RegistryError)) throw error
      fruitless = span.at - mark >= progressBytes ? 1 : fruitless + 1
      mark = span.at
      if (fruitless >= maxFruitless) throw gaveUp(error, span, what)
      const delayMs = backOff(fruitless, policy)
      onRetry?.({ attempt: fruitless, delayMs, error })
      await pause(delayMs, policy, { signal })
    }
  }
}

/** What is still wanted; `at` moves on as bytes are given out. */
interface Span {
  at: number
  readonly end: number
  readonly size: number
  /** False once the server has shown that its ranges are of no use. */
  ranged: boolean
}

const rangeHeader = ({ at, end, size, ranged }: Span): string | undefined => {
  if (!ranged || (at === 0 && end === size)) return undefined
  return `bytes=${at}-${end === size ? '' : end - 1}`
}

async function* readOnce(response: HttpResponse, span: Span, what: string): AsyncGenerator<Uint8Array> {
  const start = await startOf(response, span, what)
  if (start === undefined) return
  const whole = start === 0 && span.end === span.size
  let position = start
  for await (const chunk of response.body) {
    const from = Math.max(0, span.at - position)
    position += chunk.byteLength
    if (from < chunk.byteLength && span.at < span.end) {
      const part = chunk.subarray(from, from + span.end - span.at)
      span.at += part.byteLength
      yield part
    }
    if (position > span.size) throw wrongSize(what, span.size, 'more')
    // Of a whole blob the end is waited for, so that a byte too many is seen and the connection can be used again.
    if (span.at === span.end && !whole) return
  }
  if (span.at < span.end) throw tornEnd(response, span, what)
}

/** Where in the blob a response begins; `undefined` when it must be asked for in another way. */
async function startOf(response: HttpResponse, span: Span, what: string): Promise<number | undefined> {
  const { status, encoded } = response
  try {
    if (status === 416) throw wrongSize(what, span.size, 'fewer')
    if (status === 206 && !encoded) return checkRange(response, span, what)
    if (status === 206) {
      // Offsets into encoded bytes say nothing of the blob's own.
      span.ranged = false
      await response.body.dump()
      return undefined
    }
    const length = encoded ? undefined : contentLength(response)
    if (length !== undefined && length !== span.size)
      throw wrongSize(what, span.size, length > span.size ? 'more' : 'fewer', length)
    return 0
  } catch (error) {
    await response.body.dump()
    throw error
  }
}

function checkRange({ headers }: HttpResponse, span: Span, what: string): number {
  const text = headerValue(headers, 'content-range') ?? ''
  const [, first, last, total] = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/i.exec(text.trim()) ?? []
  const right = Number(first) === span.at && Number(last) >= span.at && Number(last) < span.size
  if (!right || (total !== '*' && Number(total) !== span.size)) {
    throw new OrlopError(
      'DATA_LOSS',
      `${what}: asked for bytes ${span.at} to ${span.end - 1} of ${span.size}, got ${JSON.stringify(text.slice(0, 80))}`,
    )
  }
  return span.at
}

const wrongSize = (what: string, size: number, than: 'more' | 'fewer', actual?: number): OrlopError =>
  new OrlopError(
    'DATA_LOSS',
    `${what}: the registry has ${than} bytes than the ${size} of its descriptor${actual === undefined ? '' : ` (${actual})`}`,
  )

/** An end too early without an error, as bodies without Content-Length have it; to be retried like any torn one. */
const tornEnd = ({ method, url }: HttpResponse, { at, size }: Span, what: string): RegistryError => {
  const cause = Object.assign(new Error('the body ended early'), { code: 'ECONNRESET' })
  return new RegistryError('UNAVAILABLE', `${what}: ended after ${at} of ${size} bytes`, {
    method,
    url,
    cause,
  })
}

const gaveUp = (error: RegistryError, { at, size }: Span, what: string): OrlopError =>
  new OrlopError(
    'UNAVAILABLE',
    `${what}: stopped at byte ${at} of ${size} after ${maxFruitless} tries without progress: ${error.message}`,
    { cause: error },
  )
