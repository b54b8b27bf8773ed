import { OrlopError } from '../errors.ts'
import { formatPax } from './pax.ts'
import { blockSize, paddingOf } from './tar-header.ts'
import { encodeText } from './tar-text.ts'

/** What an entry is written from; all else is zero, so that equal entries are equal bytes. */
export interface NewTarEntry {
  readonly name: string
  readonly type?: 'file' | 'directory' | 'symlink' | 'link' | undefined
  /** Bytes of the body; default 0. */
  readonly size?: number | undefined
  readonly mode: number
  readonly linkName?: string | undefined
  /** Seconds since 1970; default 0. */
  readonly modifiedAt?: number | undefined
}

/** An entry with its body, which must have as many bytes as the entry says. */
export interface TarPart extends NewTarEntry {
  readonly body?: AsyncIterable<Uint8Array> | Iterable<Uint8Array> | undefined
}

/**
 * A tar of entries, chunk by chunk, with the two blocks of zeros that end it.
 *
 * Byte for byte what Go's archive/tar writes of the same: ustar, and pax records for what does not fit there.
 *
 * @throws INVALID_ARGUMENT  a name or link that is empty or has a NUL, or a size that is no whole number
 * @throws DATA_LOSS  a body with more or fewer bytes than its entry says
 */
export async function* writeTar(
  parts: AsyncIterable<TarPart> | Iterable<TarPart>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const { body = [], ...entry } of parts) {
    yield tarHeader(entry)
    const { size = 0 } = entry
    let left = size
    for await (const chunk of body) {
      left -= chunk.byteLength
      if (left < 0)
        throw new OrlopError('DATA_LOSS', `tar entry ${entry.name}: longer than its ${size} bytes`)
      yield chunk
    }
    if (left > 0)
      throw new OrlopError('DATA_LOSS', `tar entry ${entry.name}: got ${size - left} of ${size} bytes`)
    if (size % blockSize > 0) yield new Uint8Array(paddingOf(size))
  }
  yield new Uint8Array(2 * blockSize)
}

/** The header of an entry: a block, or three and more with pax records. Throws as `writeTar`. */
export function tarHeader(entry: NewTarEntry): Uint8Array {
  check(entry)
  const { name, linkName = '', size = 0, modifiedAt = 0 } = entry
  const split = splitName(name)
  const records = {
    ...(split === undefined && { path: name }),
    ...(!fits(linkName, 100) && { linkpath: linkName }),
    ...(size > maxOctal && { size: String(size) }),
    ...(!isOctalTime(modifiedAt) && { mtime: String(modifiedAt) }),
  }
  if (Object.keys(records).length === 0) return ustarBlock(entry, split ?? ['', name])
  const body = formatPax(records)
  const head = { name: paxName(name), size: body.byteLength, mode: 0 }
  return Buffer.concat([
    ustarBlock(head, ['', ascii(head.name).replace(/\/+$/, '')], 'x'),
    body,
    Buffer.alloc(paddingOf(body.byteLength)),
    ustarBlock(entry, ['', name]),
  ])
}

/** The largest number in eleven octal digits. */
const maxOctal = 8 ** 11 - 1

const isOctalTime = (seconds: number): boolean =>
  Number.isInteger(seconds) && seconds >= 0 && seconds <= maxOctal

const flags = { file: '0', link: '1', symlink: '2', directory: '5' } as const

function check({ name, linkName = '', size = 0 }: NewTarEntry): void {
  const refuse = (why: string): never => {
    throw new OrlopError('INVALID_ARGUMENT', `tar entry ${JSON.stringify(name)}: ${why}`)
  }
  if (name === '') refuse('no name')
  if (name.includes('\0') || linkName.includes('\0')) refuse('a NUL in its name')
  if (!Number.isSafeInteger(size) || size < 0) refuse(`a size of ${size} bytes`)
}

const isAscii = (text: string): boolean => !/[\u0080-\uffff]/.test(text)

const fits = (text: string, length: number): boolean => text.length <= length && isAscii(text)

/** Prefix and name of a ustar header; `undefined` when the name needs a pax record. */
function splitName(name: string): readonly [prefix: string, name: string] | undefined {
  if (fits(name, 100)) return ['', name]
  if (!isAscii(name)) return undefined
  // The last slash that leaves a prefix of at most 155, and none at the end.
  const at = name.slice(0, Math.min(156, name.length - 1)).lastIndexOf('/')
  const rest = name.length - at - 1
  return at <= 0 || rest > 100 || rest === 0 ? undefined : [name.slice(0, at), name.slice(at + 1)]
}

/** Where Go puts the records of an entry: beside it. */
function paxName(name: string): string {
  const slash = name.lastIndexOf('/') + 1
  return [name.slice(0, slash).replace(/\/+$/, ''), 'PaxHeaders.0', name.slice(slash)]
    .filter(Boolean)
    .join('/')
}

/** Without what is not ASCII. */
const ascii = (text: string): string => text.replace(/[\u0080-\uffff]/g, '')

function ustarBlock(
  { type = 'file', size = 0, mode, linkName = '', modifiedAt = 0 }: NewTarEntry,
  [prefix, name]: readonly [string, string],
  flag: string = flags[type],
): Buffer {
  const block = Buffer.alloc(blockSize)
  const text = (at: number, length: number, value: string): void => {
    encodeText(ascii(value)).copy(block, at, 0, length)
  }
  const number = (at: number, length: number, value: number): void => {
    const fitting = value >= 0 && value < 8 ** (length - 1) ? Math.floor(value) : 0
    block.write(fitting.toString(8).padStart(length - 1, '0'), at, 'latin1')
  }
  // A reader could take a name that was cut behind a slash for a directory's.
  text(0, 100, name.length > 100 && name[99] === '/' ? name.slice(0, 100).replace(/\/+$/, '') : name)
  number(100, 8, mode)
  number(108, 8, 0)
  number(116, 8, 0)
  number(124, 12, size)
  number(136, 12, modifiedAt)
  block.write(flag, 156, 'latin1')
  text(157, 100, linkName)
  block.write('ustar\x0000', 257, 'latin1')
  if (flag !== 'x') for (const at of [329, 337]) number(at, 8, 0)
  text(345, 155, prefix)
  block.fill(' ', 148, 156)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0`, 148, 'latin1')
  return block
}
