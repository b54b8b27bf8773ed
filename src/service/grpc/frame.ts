/** Messages up to so many bytes are copied behind their heads, which costs less than a write of their own. */
const small = 16 * 1024

/** A message, given in parts, with gRPC's head before it: a flag, and four bytes of length. */
export function framed(parts: readonly Uint8Array[]): readonly Uint8Array[] {
  const length = bytesOf(parts)
  const head = Buffer.allocUnsafe(5)
  head.writeUInt8(0)
  head.writeUInt32BE(length, 1)
  return length > small ? [head, ...parts] : [Buffer.concat([head, ...parts], 5 + length)]
}

/** Bytes of a message in parts. */
export const bytesOf = (parts: readonly Uint8Array[]): number =>
  parts.reduce((sum, { byteLength }) => sum + byteLength, 0)
