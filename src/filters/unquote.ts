const simple: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
  '\\': 92,
}

/**
 * The text inside a quoted token, as Go's string literals have it; `undefined` when it is none.
 *
 * `\x` and octal escapes are bytes, so that `"\xc3\xa4"` is `ä`; bytes that are no UTF-8 become U+FFFD.
 *
 * @param quoted  with its quotes, a pair of `"`, `/` or `|`
 */
export function unquote(quoted: string): string | undefined {
  const quote = quoted.charAt(0)
  const inner = quoted.slice(1, -1)
  if (quoted.length < 2 || !quoted.endsWith(quote)) return undefined
  const pieces: Uint8Array[] = []
  const token = /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))|[^\\]+/suy
  for (let at = 0; at < inner.length; at = token.lastIndex) {
    const [text, hex, short, long, octal, char] = token.exec(inner) ?? []
    if (text === undefined) return undefined
    const piece =
      hex !== undefined || octal !== undefined
        ? byte(hex === undefined ? Number.parseInt(octal ?? '', 8) : Number.parseInt(hex, 16))
        : short !== undefined || long !== undefined
          ? rune(Number.parseInt(short ?? long ?? '', 16))
          : char !== undefined
            ? character(char, quote)
            : Buffer.from(text)
    if (piece === undefined) return undefined
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString('utf8')
}

const byte = (value: number): Uint8Array | undefined => (value > 255 ? undefined : Uint8Array.of(value))

const rune = (value: number): Uint8Array | undefined =>
  value > 0x10ffff ? undefined : Buffer.from(String.fromCodePoint(value))

const character = (char: string, quote: string): Uint8Array | undefined => {
  if (char === quote) return Buffer.from(char)
  const value = Object.hasOwn(simple, char) ? simple[char] : undefined
  return value === undefined ? undefined : Uint8Array.of(value)
}
