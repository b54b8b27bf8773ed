import { OrlopError } from '../errors.ts'
import { decodeAll, encodeText } from './tar-text.ts'

/**
 * The records of a pax header, `<length> <key>=<value>\n` each; of two with one key the last counts.
 *
 * @param what  names the header in errors
 * @throws INVALID_ARGUMENT  a record that does not end where it says, has no key, or has a NUL where none may be
 * @see POSIX.1-2017, pax, pax Extended Header
 */
export function parsePax(bytes: Uint8Array, what: string): ReadonlyMap<string, string> {
  const records = new Map<string, string>()
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = 0; at < buffer.byteLength; ) {
    const { key, value, end } = parseRecord(buffer, at, what)
    records.set(key, value)
    at = end
  }
  return records
}

/** Keys whose values are names, which end at a NUL for some programs and not for others. */
const names: ReadonlySet<string> = new Set(['path', 'linkpath', 'uname', 'gname', 'GNU.sparse.name'])

function parseRecord(
  buffer: Buffer,
  start: number,
  what: string,
): { readonly key: string; readonly value: string; readonly end: number } {
  const refuse = (why: string): never => {
    throw new OrlopError('INVALID_ARGUMENT', `${what}: pax record at byte ${start}: ${why}`)
  }
  const space = buffer.indexOf(0x20, start)
  const digits = space === -1 ? '' : buffer.toString('latin1', start, Math.min(space, start + 20))
  if (!/^[0-9]{1,9}$/.test(digits)) return refuse('no length')
  const end = start + Number(digits)
  const equals = buffer.indexOf(0x3d, space)
  if (end > buffer.byteLength || end <= space + 1 || buffer[end - 1] !== 0x0a) {
    return refuse(`its ${digits} bytes do not end with a line`)
  }
  if (equals <= space + 1 || equals >= end) return refuse('no key')
  const key = decodeAll(buffer.subarray(space + 1, equals))
  const value = decodeAll(buffer.subarray(equals + 1, end - 1))
  if (key.includes('\0')) refuse('a NUL in its key')
  if (names.has(key) && value.includes('\0')) refuse(`a NUL in "${key}"`)
  return { key, value, end }
}

/**
 * A size as a pax record writes it: decimal digits.
 *
 * @throws INVALID_ARGUMENT  anything else, or more than 2^53
 */
export function paxSize(text: string, what: string): number {
  const size = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (Number.isSafeInteger(size)) return size
  throw new OrlopError('INVALID_ARGUMENT', `${what}: a pax size of ${JSON.stringify(text.slice(0, 80))}`)
}

/** A number as pax records write ids and times, `12` or `12.5`; what is none is `undefined`. */
export const paxNumber = (text: string): number | undefined =>
  /^-?[0-9]{1,15}(?:\.[0-9]{1,30})?$/.test(text) ? Number(text) : undefined

/** Records as the bytes of a pax header, in order of key. */
export function formatPax(records: Readonly<Record<string, string>>): Buffer {
  return Buffer.concat(
    Object.keys(records)
      .sort()
      .map(key => formatRecord(key, records[key] ?? '')),
  )
}

/** The length counts its own digits. */
function formatRecord(key: string, value: string): Buffer {
  const rest = encodeText(` ${key}=${value}\n`)
  let length = rest.byteLength + String(rest.byteLength).length
  length = rest.byteLength + String(length).length
  return Buffer.concat([Buffer.from(String(length)), rest])
}
