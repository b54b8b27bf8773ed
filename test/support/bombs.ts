import zlib from 'node:zlib'

/** Plain bytes, then zeros: what a bomb becomes. */
export interface BombInit {
  readonly head: Uint8Array
  readonly zeros: number
}

const gzipMember = 16 * 1024 * 1024

/** A gzip of some bytes and very many zeros, which are a thousandth of that; made as it is read. */
export function* gzipBomb({ head, zeros }: BombInit): Generator<Uint8Array> {
  yield zlib.gzipSync(head)
  const packed = zlib.gzipSync(Buffer.alloc(gzipMember), { level: 9 })
  for (let left = zeros; left >= gzipMember; left -= gzipMember) yield packed
  yield zlib.gzipSync(Buffer.alloc(zeros % gzipMember))
}

/** A block of a zstd frame holds no more. */
const zstdBlock = 128 * 1024

/**
 * A zstd frame of some bytes and very many zeros: four bytes for each 128 KiB. Made by hand, so that it needs no program.
 *
 * @see RFC 8878, 3.1.1.2
 */
export function zstdBomb({ head, zeros }: BombInit): Buffer {
  const blocks = Math.ceil(zeros / zstdBlock)
  // A window of 128 KiB, no size, no checksum.
  const frame = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38])
  const repeat = Buffer.concat([blockHeader(1, zstdBlock, false), Buffer.alloc(1)])
  const last = Buffer.concat([blockHeader(1, zstdBlock, true), Buffer.alloc(1)])
  const raw = Buffer.concat([blockHeader(0, head.byteLength, false), head])
  return Buffer.concat([frame, raw, ...Array.from({ length: blocks - 1 }, () => repeat), last])
}

const blockHeader = (type: number, size: number, isLast: boolean): Buffer => {
  const header = Buffer.alloc(3)
  header.writeUIntLE((size << 3) | (type << 1) | (isLast ? 1 : 0), 0, 3)
  return header
}
