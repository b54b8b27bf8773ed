import { OrlopError } from '../errors.ts'
import { decodeField } from './tar-text.ts'
import type { TarHeader } from './types.ts'

/** A tar is made of blocks of this many bytes. */
export const blockSize = 512

/** Bytes from the end of a body of `size` bytes to the next block. */
export const paddingOf = (size: number): number => (blockSize - (size % blockSize)) % blockSize

/** One header block, as it stands: what long names and pax records say comes on top. */
export interface RawHeader extends Omit<TarHeader, 'type' | 'pax'> {
  readonly flag: string
}

/**
 * A header block, its checksum checked; `undefined` for a block of zeros, which stands for the end.
 *
 * Reads what POSIX, GNU, star and the tars before them write. Numbers are octal, or binary where GNU writes them so.
 *
 * @param what  names the block in errors
 * @throws DATA_LOSS  a checksum that is wrong: no header
 * @throws INVALID_ARGUMENT  a field that is no number, or a size that is negative or past 2^53
 * @see POSIX.1-2017, pax, ustar Interchange Format; GNU tar manual, Basic Tar Format
 */
export function parseHeader(bytes: Uint8Array, what: string): RawHeader | undefined {
  const block = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const stored = checksumOf(block)
  if (stored === undefined) return undefined
  if (!stored) throw new OrlopError('DATA_LOSS', `${what}: not a header of a tar, for its checksum is wrong`)
  const number = (start: number, end: number): number => numberIn(block, start, end, what)
  const text = (start: number, end: number): string => decodeField(block, start, end)
  const dialect = dialectOf(block)
  const size = number(124, 136)
  if (size < 0) throw new OrlopError('INVALID_ARGUMENT', `${what}: a size of ${size} bytes`)
  const isOld = dialect === 'old'
  return {
    name: nameOf(block, dialect),
    flag: String.fromCharCode(block[156] ?? 0),
    size,
    linkName: text(157, 257),
    mode: number(100, 108),
    uid: number(108, 116),
    gid: number(116, 124),
    modifiedAt: number(136, 148),
    userName: isOld ? '' : text(265, 297),
    groupName: isOld ? '' : text(297, 329),
    deviceMajor: isOld ? 0 : number(329, 337),
    deviceMinor: isOld ? 0 : number(337, 345),
  }
}

/** The bytes of a sparse file in full, out of the header that GNU tar writes for one. */
export const sparseSize = (block: Uint8Array, what: string): number =>
  parseNumber(block.subarray(483, 495), what)

/** True when another block of the map of a sparse file follows its header. */
export const mapGoesOn = (header: Uint8Array): boolean => header[482] !== 0

/** As `mapGoesOn`, for those further blocks. */
export const mapStillGoesOn = (block: Uint8Array): boolean => block[504] !== 0

/** `undefined` for nothing but zeros; else whether the sum that the block names is its own, in either reading of bytes. */
function checksumOf(block: Buffer): boolean | undefined {
  let unsigned = 0
  let high = 0
  for (let at = 0; at < blockSize; at++) {
    const byte = at >= 148 && at < 156 ? 0x20 : (block[at] ?? 0)
    unsigned += byte
    if (byte > 127) high++
  }
  const isZero = (at: number): boolean => block[at] === 0
  if (unsigned === 8 * 0x20 && [148, 149, 150, 151, 152, 153, 154, 155].every(isZero)) return undefined
  const text = block.toString('latin1', 148, 156).replace(/\0.*$/s, '').trim()
  if (!/^[0-7]+$/.test(text)) return false
  const stored = Number.parseInt(text, 8)
  return stored === unsigned || stored === unsigned - 256 * high
}

type Dialect = 'posix' | 'gnu' | 'old'

function dialectOf(block: Buffer): Dialect {
  const magic = block.toString('latin1', 257, 265)
  if (magic === 'ustar  \0') return 'gnu'
  return magic.startsWith('ustar\0') ? 'posix' : 'old'
}

function nameOf(block: Buffer, dialect: Dialect): string {
  const name = decodeField(block, 0, 100)
  if (dialect !== 'posix') return name
  // star keeps times in the last part of the prefix.
  const isStar = block.toString('latin1', 508, 512) === 'tar\0'
  const prefix = decodeField(block, 345, isStar ? 476 : 500)
  return prefix === '' ? name : `${prefix}/${name}`
}

/** A number as nearly all headers have them, out of its bytes; what is written otherwise is looked at more closely. */
function numberIn(block: Uint8Array, start: number, end: number, what: string): number {
  let at = start
  while (at < end && (block[at] === 0x20 || block[at] === 0)) at++
  if (at === end) return 0
  let value = 0
  const first = at
  for (let digit = (block[at] ?? 0) - 0x30; at < end && digit >= 0 && digit < 8; ) {
    value = value * 8 + digit
    digit = (block[++at] ?? 0) - 0x30
  }
  const isPlain = at > first && (at === end || block[at] === 0 || (block[at] === 0x20 && at + 1 === end))
  return isPlain ? value : parseNumber(block.subarray(start, end), what)
}

function parseNumber(field: Uint8Array, what: string): number {
  const [first = 0] = field
  return first & 0x80 ? parseBinary(field, what) : parseOctal(field, what)
}

/** Base 256, big end first; two's complement, its sign in the second bit. */
function parseBinary(field: Uint8Array, what: string): number {
  const isNegative = ((field[0] ?? 0) & 0x40) !== 0
  let value = 0n
  for (const [at, byte] of field.entries()) value = value * 256n + BigInt(at === 0 ? byte & 0x7f : byte)
  if (isNegative) value -= 1n << BigInt(8 * field.byteLength - 1)
  const number = Number(value)
  if (Number.isSafeInteger(number)) return number
  throw new OrlopError('INVALID_ARGUMENT', `${what}: a number of ${value}, more than can be held`)
}

function parseOctal(field: Uint8Array, what: string): number {
  const text = Buffer.from(field.buffer, field.byteOffset, field.byteLength).toString('latin1')
  const [, digits] = /^[ \0]*([0-7]*)[ \0]*(?:\0.*)?$/s.exec(text) ?? []
  if (digits === undefined) {
    throw new OrlopError('INVALID_ARGUMENT', `${what}: ${JSON.stringify(text)} is no octal number`)
  }
  return digits === '' ? 0 : Number.parseInt(digits, 8)
}
