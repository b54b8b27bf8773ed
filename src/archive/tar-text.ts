/**
 * Text out of a tar, up to the first NUL: UTF-8, and a lone surrogate from U+DC80 for each byte that is none.
 *
 * Names of files are bytes; so none is lost, and `encodeText` gives the same back.
 */
export function decodeText(bytes: Uint8Array): string {
  const end = bytes.indexOf(0)
  return decodeAll(end === -1 ? bytes : bytes.subarray(0, end))
}

/** As `decodeText`, of the bytes of a buffer from one place to before another. */
export function decodeField(bytes: Buffer, start: number, end: number): string {
  // Most fields are empty.
  if (bytes[start] === 0) return ''
  const zero = bytes.indexOf(0, start)
  const last = zero === -1 ? end : Math.min(zero, end)
  const text = bytes.toString('utf8', start, last)
  return text.includes('\ufffd') ? decodeAll(bytes.subarray(start, last)) : text
}

/** As `decodeText`, and a NUL is a character like others. */
export function decodeAll(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const text = buffer.toString('utf8')
  return text.includes('\ufffd') ? escaped(buffer) : text
}

/** The bytes that `decodeText` made a text of. */
export function encodeText(text: string): Buffer {
  if (!/[\udc80-\udcff]/.test(text)) return Buffer.from(text)
  // With the flag, the halves of a pair are one character and no lone ones.
  return Buffer.concat(
    (text.match(/[\udc80-\udcff]|[^\udc80-\udcff]+/gu) ?? []).map(part =>
      isEscape(part) ? Buffer.from([part.charCodeAt(0) - 0xdc00]) : Buffer.from(part),
    ),
  )
}

const isEscape = (part: string): boolean => part.length === 1 && part >= '\udc80' && part <= '\udcff'

/** A sequence of UTF-8 that is valid, in text of one character a byte; else a byte that is none. */
const sequence = new RegExp(
  [
    '[\\xc2-\\xdf][\\x80-\\xbf]',
    '\\xe0[\\xa0-\\xbf][\\x80-\\xbf]',
    '[\\xe1-\\xec\\xee\\xef][\\x80-\\xbf]{2}',
    '\\xed[\\x80-\\x9f][\\x80-\\xbf]',
    '\\xf0[\\x90-\\xbf][\\x80-\\xbf]{2}',
    '[\\xf1-\\xf3][\\x80-\\xbf]{3}',
    '\\xf4[\\x80-\\x8f][\\x80-\\xbf]{2}',
    '[\\x80-\\xff]',
  ].join('|'),
  'g',
)

const escaped = (bytes: Buffer): string =>
  bytes
    .toString('latin1')
    .replace(sequence, found =>
      found.length > 1
        ? Buffer.from(found, 'latin1').toString('utf8')
        : String.fromCharCode(0xdc00 + found.charCodeAt(0)),
    )
