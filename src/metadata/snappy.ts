/** More than this no block of records has. */
const most = 1 << 30

/** Unpacks a block of Snappy, as LevelDB's tables have them. @see Snappy, format_description.txt. @throws RangeError  it is none */
export function unsnappy(packed: Buffer): Buffer {
  const { length, start } = lengthOf(packed)
  const out = Buffer.alloc(length)
  let at = start
  let end = 0
  const next = (bytes: number): number => {
    if (at + bytes > packed.byteLength) throw new RangeError('a compressed block that is cut off')
    const value = bytes === 0 ? 0 : packed.readUIntLE(at, bytes)
    at += bytes
    return value
  }
  const room = (size: number): void => {
    if (end + size > length) throw new RangeError('a compressed block that is too long')
  }
  while (at < packed.byteLength) {
    const tag = next(1)
    if ((tag & 3) === 0) {
      // Up to 60 the length is in the tag; 61 to 64 say in how many bytes it follows.
      const size = (tag >>> 2 < 60 ? tag >>> 2 : next((tag >>> 2) - 59)) + 1
      room(size)
      if (at + size > packed.byteLength) throw new RangeError('a compressed block that is cut off')
      packed.copy(out, end, at, at + size)
      at += size
      end += size
      continue
    }
    const { size, offset } = copyOf(tag, next)
    room(size)
    if (offset === 0 || offset > end) throw new RangeError('a compressed block that refers outside of itself')
    // Byte by byte: what is copied may be what was just written.
    for (const stop = end + size; end < stop; end++) out[end] = out[end - offset] ?? 0
  }
  if (end !== length) throw new RangeError('a compressed block that is too short')
  return out
}

function copyOf(
  tag: number,
  next: (bytes: number) => number,
): { readonly size: number; readonly offset: number } {
  if ((tag & 3) === 1) return { size: ((tag >>> 2) & 7) + 4, offset: ((tag >>> 5) << 8) + next(1) }
  return { size: (tag >>> 2) + 1, offset: next((tag & 3) === 2 ? 2 : 4) }
}

function lengthOf(packed: Buffer): { readonly length: number; readonly start: number } {
  let length = 0
  for (let at = 0; at < Math.min(5, packed.byteLength); at++) {
    const byte = packed[at] ?? 0
    length += (byte & 127) * 128 ** at
    if (byte < 128 && length <= most) return { length, start: at + 1 }
  }
  throw new RangeError('a compressed block without a length')
}
