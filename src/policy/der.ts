import { OrlopError } from '../errors.ts'

/** One value of DER. */
export interface Element {
  /** Class, form and number, as the first byte has them. */
  readonly tag: number
  readonly content: Uint8Array
  /** With tag and length. */
  readonly whole: Uint8Array
}

/** Tags of the types used here. */
export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
} as const

const malformed = (what: string): OrlopError => new OrlopError('INVALID_ARGUMENT', `${what}: not valid DER`)

/**
 * The values that stand one after the other in some bytes: tags of one byte, lengths that are definite and as short as can be.
 *
 * @throws INVALID_ARGUMENT  anything else
 */
export function readAll(bytes: Uint8Array, what: string): readonly Element[] {
  const elements: Element[] = []
  for (let at = 0; at < bytes.byteLength; ) {
    const element = readAt(bytes, at, what)
    elements.push(element)
    at += element.whole.byteLength
  }
  return elements
}

/** The one value that bytes are, of one type. */
export function readOne(bytes: Uint8Array, tag: number, what: string): Uint8Array {
  const [only, ...more] = readAll(bytes, what)
  if (only?.tag !== tag || more.length > 0) throw malformed(what)
  return only.content
}

/** The values of a sequence. */
export const readSequence = (bytes: Uint8Array, what: string): readonly Element[] =>
  readAll(readOne(bytes, tags.sequence, what), what)

function readAt(bytes: Uint8Array, start: number, what: string): Element {
  const [tag, first] = bytes.subarray(start, start + 2)
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) throw malformed(what)
  const count = first < 0x80 ? 0 : first & 0x7f
  if (first === 0x80 || count > 4) throw malformed(what)
  const digits = bytes.subarray(start + 2, start + 2 + count)
  const length = count === 0 ? first : digits.reduce((sum, digit) => sum * 256 + digit, 0)
  const shortest = count === 0 || (digits[0] !== 0 && (count > 1 || length >= 0x80))
  const head = start + 2 + count
  if (digits.byteLength !== count || !shortest || head + length > bytes.byteLength) throw malformed(what)
  return { tag, content: bytes.subarray(head, head + length), whole: bytes.subarray(start, head + length) }
}

/** An object identifier as numbers with dots. */
export function oidOf({ tag, content }: Element, what: string): string {
  const numbers: number[] = []
  let number = 0
  for (const byte of content) {
    if ((number === 0 && byte === 0x80) || number > 2 ** 40) throw malformed(what)
    number = number * 128 + (byte & 0x7f)
    if (byte >= 0x80) continue
    numbers.push(number)
    number = 0
  }
  const [first] = numbers
  if (tag !== tags.oid || first === undefined || (content.at(-1) ?? 0x80) >= 0x80) throw malformed(what)
  const top = Math.min(2, Math.floor(first / 40))
  return [top, first - top * 40, ...numbers.slice(1)].join('.')
}

/** A time, as certificates have it: UTCTime or GeneralizedTime, in UTC, with seconds. */
export function timeOf({ tag, content }: Element, what: string): Date {
  const text = Buffer.from(content).toString('latin1')
  const shape =
    tag === tags.utcTime
      ? /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/
      : /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/
  const [, year, month, day, hour, minute, second] = (shape.exec(text) ?? []).map(Number)
  if ((tag !== tags.utcTime && tag !== tags.generalizedTime) || year === undefined) throw malformed(what)
  const full = tag === tags.generalizedTime ? year : year + (year >= 50 ? 1900 : 2000)
  const date = new Date(0)
  date.setUTCFullYear(full, (month ?? 0) - 1, day)
  date.setUTCHours(hour ?? 0, minute, second)
  const same = date.getUTCMonth() + 1 === month && date.getUTCDate() === day && date.getUTCHours() === hour
  if (!same || (minute ?? 60) > 59 || (second ?? 60) > 59) throw malformed(what)
  return date
}
