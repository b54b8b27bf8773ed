import { encodeText } from '../../src/archive/tar-text.ts'

/** A header as a test wants it, wrong ones too. */
export interface RawEntry {
  readonly name?: string | Uint8Array
  readonly flag?: string
  /** Bytes that the header claims; default: those of the body. */
  readonly size?: number | string | Uint8Array
  readonly linkName?: string
  readonly body?: string | Uint8Array
  readonly magic?: string
  readonly prefix?: string
  readonly mode?: string
  /** Written over the finished header, before the checksum. */
  readonly patch?: (block: Buffer) => void
  /** Default: the right one. */
  readonly checksum?: string
}

/** One entry: header, body, and zeros to the next block. */
export function rawEntry(entry: RawEntry): Buffer {
  const body = Buffer.from(entry.body ?? '')
  const block = rawHeader({ size: body.byteLength, ...entry })
  return Buffer.concat([block, body, Buffer.alloc((512 - (body.byteLength % 512)) % 512)])
}

/** A header block. */
export function rawHeader({
  name = 'file',
  flag = '0',
  size = 0,
  linkName = '',
  magic = 'ustar\x0000',
  prefix = '',
  mode = '0000644\0',
  patch,
  checksum,
}: RawEntry): Buffer {
  const block = Buffer.alloc(512)
  const put = (at: number, value: string | Uint8Array) =>
    (typeof value === 'string' ? encodeText(value) : Buffer.from(value)).copy(block, at)
  put(0, name)
  put(100, mode)
  put(108, '0000000\x000000000\0')
  put(124, typeof size === 'number' ? `${size.toString(8).padStart(11, '0')}\0` : size)
  put(136, '00000000000\0')
  put(156, flag)
  put(157, linkName)
  put(257, magic)
  put(345, prefix)
  patch?.(block)
  block.fill(' ', 148, 156)
  const sum = block.reduce((total, byte) => total + byte, 0)
  put(148, checksum ?? `${sum.toString(8).padStart(6, '0')}\0 `)
  return block
}

/** A pax header with records as they are given: `path=x` gets its length and line end. */
export const paxEntry = (records: readonly string[], flag = 'x'): Buffer =>
  rawEntry({ name: 'PaxHeaders.0/x', flag, body: records.map(paxRecord).join('') })

/** One record with its length in front. */
export const paxRecord = (text: string): string => {
  const rest = Buffer.byteLength(text) + 2
  let length = rest + 1
  while (`${length}`.length + rest !== length) length = `${length}`.length + rest
  return `${length} ${text}\n`
}

/** A long name as GNU tar writes it. */
export const gnuLong = (flag: 'L' | 'K', text: string): Buffer =>
  rawEntry({ name: '././@LongLink', flag, magic: 'ustar  \0', body: `${text}\0` })

/** The end of a tar. */
export const tarEnd = Buffer.alloc(1024)

/** A whole tar. */
export const rawTar = (...entries: ReadonlyArray<RawEntry | Buffer>): Buffer =>
  Buffer.concat([...entries.map(entry => (Buffer.isBuffer(entry) ? entry : rawEntry(entry))), tarEnd])

/** Bytes in chunks of `length`. */
export async function* inChunks(bytes: Uint8Array, length = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += length) yield bytes.subarray(at, at + length)
}
