import { OrlopError } from '../errors.ts'
import { paxNumber, paxSize } from './pax.ts'
import type { RawHeader } from './tar-header.ts'
import type { TarHeader, TarType } from './types.ts'

/** What came before a header and says more of its entry. */
export interface Extension {
  readonly pax: ReadonlyMap<string, string>
  /** As GNU tar writes long names. */
  readonly longName?: string
  readonly longLink?: string
}

/** An entry before its body is read. */
export interface Described {
  readonly header: TarHeader
  /** Bytes that follow in the tar. */
  readonly bodySize: number
  readonly isSparse: boolean
}

/** Bytes of a name: as many as Linux takes for a path. */
const maxName = 4096

/**
 * An entry, out of its header and what came before it. Of two names GNU's counts before pax', as in Go's reader.
 *
 * @param sparse  bytes in full of what GNU's old header calls a sparse file
 * @param at  names the header in errors
 * @throws INVALID_ARGUMENT  a name that is empty or too long, or a size that is none
 */
export function describeEntry(
  raw: RawHeader,
  { pax, longName, longLink }: Extension,
  sparse: number | undefined,
  at: string,
): Described {
  const name = longName || pax.get('path') || raw.name
  const type = typeOf(raw.flag, name)
  const sizeText = pax.get('size')
  // As Go's reader has it: what has no body has none, whatever its header says.
  const hasBody = type === 'file' || type === 'other'
  const bodySize = hasBody ? (sizeText ? paxSize(sizeText, at) : raw.size) : 0
  const full = sparse ?? paxSparseSize(pax, at)
  // Field by field: to take objects apart and put them together took longer than all else of a large archive.
  const header = {
    name: checkName(pax.get('GNU.sparse.name') || name, at),
    linkName: checkLink(longLink || pax.get('linkpath') || raw.linkName, type, at),
    type,
    size: full ?? bodySize,
    mode: raw.mode,
    uid: numberOf(pax, 'uid') ?? raw.uid,
    gid: numberOf(pax, 'gid') ?? raw.gid,
    userName: pax.get('uname') || raw.userName,
    groupName: pax.get('gname') || raw.groupName,
    modifiedAt: numberOf(pax, 'mtime') ?? raw.modifiedAt,
    deviceMajor: raw.deviceMajor,
    deviceMinor: raw.deviceMinor,
    pax,
  }
  return { header, bodySize, isSparse: full !== undefined }
}

/**
 * Go's reader passes over records for all entries and GNU's obeys them: those that change what an entry is are refused.
 *
 * @throws INVALID_ARGUMENT  such a record
 */
export function refuseGlobal(records: ReadonlyMap<string, string>, at: string): void {
  for (const key of records.keys()) {
    if (!/^(?:path|linkpath|size|GNU\.sparse\..*)$/s.test(key)) continue
    const why = `"${key}" for all entries, which programs read differently`
    throw new OrlopError('INVALID_ARGUMENT', `${at}: ${why}`)
  }
}

const numberOf = (pax: ReadonlyMap<string, string>, key: string): number | undefined => {
  const text = pax.get(key)
  return text === undefined ? undefined : paxNumber(text)
}

const types: Readonly<Record<string, TarType>> = {
  '\0': 'file',
  '0': 'file',
  '1': 'link',
  '2': 'symlink',
  '3': 'character-device',
  '4': 'block-device',
  '5': 'directory',
  '6': 'fifo',
  '7': 'file',
  S: 'file',
}

const typeOf = (flag: string, name: string): TarType => {
  if (flag === '\0' && name.endsWith('/')) return 'directory'
  return Object.hasOwn(types, flag) ? (types[flag] ?? 'other') : 'other'
}

/** The bytes in full of a file that pax records call sparse, in any of GNU's three ways; else `undefined`. */
function paxSparseSize(pax: ReadonlyMap<string, string>, at: string): number | undefined {
  const isSparse = pax.has('GNU.sparse.major') || pax.has('GNU.sparse.size') || pax.has('GNU.sparse.map')
  if (!isSparse) return undefined
  return paxSize(pax.get('GNU.sparse.realsize') ?? pax.get('GNU.sparse.size') ?? '0', at)
}

function checkName(name: string, at: string): string {
  if (name === '') throw new OrlopError('INVALID_ARGUMENT', `${at}: an entry without name`)
  return checkLength(name, 'name', at)
}

function checkLink(link: string, type: TarType, at: string): string {
  if (type !== 'link' && type !== 'symlink') return ''
  if (link === '') throw new OrlopError('INVALID_ARGUMENT', `${at}: a link to nothing`)
  return checkLength(link, 'link', at)
}

function checkLength(text: string, kind: string, at: string): string {
  // No character takes more than three bytes.
  const length = text.length * 3 <= maxName ? 0 : Buffer.byteLength(text)
  if (length <= maxName) return text
  throw new OrlopError('INVALID_ARGUMENT', `${at}: a ${kind} of ${length} bytes, more than ${maxName}`)
}
