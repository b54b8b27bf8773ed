/** The Castagnoli polynomial, its bits reversed. */
const polynomial = 0x82f63b78

/** Eight tables, so that eight bytes are looked up at once; the first is the plain one. Made when they are first used. */
let tables: readonly Int32Array[] | undefined

/** CRC-32C of bytes, ≥ 0. @see RFC 3720 B.4 */
export function crc32c(bytes: Uint8Array): number {
  tables ??= makeTables()
  const [t0, t1, t2, t3, t4, t5, t6, t7] = tables
  if (!(t0 && t1 && t2 && t3 && t4 && t5 && t6 && t7)) return 0
  const words = bytes.byteLength - (bytes.byteLength % 8)
  let crc = ~0
  let at = 0
  for (; at < words; at += 8) {
    const low =
      crc ^
      (byte(bytes, at) |
        (byte(bytes, at + 1) << 8) |
        (byte(bytes, at + 2) << 16) |
        (byte(bytes, at + 3) << 24))
    crc =
      entry(t7, low) ^
      entry(t6, low >>> 8) ^
      entry(t5, low >>> 16) ^
      entry(t4, low >>> 24) ^
      entry(t3, byte(bytes, at + 4)) ^
      entry(t2, byte(bytes, at + 5)) ^
      entry(t1, byte(bytes, at + 6)) ^
      entry(t0, byte(bytes, at + 7))
  }
  for (; at < bytes.byteLength; at++) crc = entry(t0, crc ^ byte(bytes, at)) ^ (crc >>> 8)
  return ~crc >>> 0
}

function byte(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0
}

function entry(table: Int32Array, at: number): number {
  return table[at & 255] ?? 0
}

function makeTables(): readonly Int32Array[] {
  let last = Int32Array.from({ length: 256 }, (_, at) => {
    let crc = at
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1
    return crc
  })
  const plain = last
  return Array.from({ length: 8 }, (_, turn) => {
    if (turn > 0) last = last.map(crc => entry(plain, crc) ^ (crc >>> 8))
    return last
  })
}
