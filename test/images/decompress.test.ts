import { randomBytes } from 'node:crypto'
import zlib from 'node:zlib'
import test from 'ava'
import { OrlopError } from '../../src/errors.ts'
import { type Compression, decompress, sniffCompression, sniffLength } from '../../src/images/decompress.ts'
import { collect } from '../support/image.ts'

const text = 'hello zstd hello zstd hello zstd\n'
/** `zstd` of `text`, with its checksum. */
const zstd = Buffer.from('KLUv/SQhlQAAYGhlbGxvIHpzdGQgCgEA/ooXqeve/w==', 'base64')
const skippable = Buffer.from([0x5f, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3])
const gzip = zlib.gzipSync(text)

const sniffs = test.macro({
  exec(t, bytes: ArrayLike<number>, expected: Compression) {
    t.is(sniffCompression(Uint8Array.from(bytes)), expected)
  },
  title: (title = '') => `sniffCompression() ${title}`,
})

test('takes no bytes for plain', sniffs, [], 'none')
test('takes few bytes for plain', sniffs, [0x1f, 0x8b], 'none')
test('knows gzip', sniffs, gzip, 'gzip')
test('knows gzip by three bytes', sniffs, [0x1f, 0x8b, 8], 'gzip')
test('takes gzip of another method for plain', sniffs, [0x1f, 0x8b, 7, 0, 0, 0, 0, 0, 0, 0], 'none')
test('knows zstd', sniffs, zstd, 'zstd')
test('knows the first skippable frame of zstd', sniffs, [0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0], 'zstd')
test('knows the last skippable frame of zstd', sniffs, skippable, 'zstd')
test('takes a skippable frame that is cut for plain', sniffs, skippable.subarray(0, 7), 'none')
test(
  'takes what is next to a skippable frame for plain',
  sniffs,
  [0x60, 0x2a, 0x4d, 0x18, 1, 0, 0, 0],
  'none',
)
test('takes tar for plain', sniffs, Buffer.from('etc/passwd'), 'none')

test('sniffCompression() needs no more than sniffLength bytes', t => {
  for (const bytes of [gzip, zstd, skippable])
    t.is(sniffCompression(bytes.subarray(0, sniffLength)), sniffCompression(bytes))
})

/** The bytes in pieces of one size. */
async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size)
}

const plain = async (bytes: Uint8Array, compression: Compression, size = 7): Promise<string> =>
  Buffer.concat(await collect(decompress(pieces(bytes, size), compression, 'layer x'))).toString()

const gives = test.macro({
  async exec(t, bytes: Uint8Array, compression: Compression, expected: string) {
    for (const size of [1, 7, 1_000_000]) t.is(await plain(bytes, compression, size), expected)
  },
  title: (title = '') => `decompress() ${title}`,
})

test('passes plain bytes', gives, Buffer.from(text), 'none', text)
test('passes no bytes', gives, Buffer.from(''), 'none', '')
test('undoes gzip', gives, gzip, 'gzip', text)
test('undoes gzip of nothing', gives, zlib.gzipSync(''), 'gzip', '')
test('undoes gzip in several members', gives, Buffer.concat([gzip, gzip]), 'gzip', text + text)
test('undoes zstd', gives, zstd, 'zstd', text)
test('undoes zstd in several frames', gives, Buffer.concat([zstd, zstd]), 'zstd', text + text)
test(
  'skips frames of zstd that are to be skipped',
  gives,
  Buffer.concat([skippable, zstd, skippable]),
  'zstd',
  text,
)

const refuses = test.macro({
  async exec(t, bytes: Uint8Array, compression: Compression) {
    await t.throwsAsync(plain(bytes, compression), {
      code: 'DATA_LOSS',
      message: /^layer x: cannot be decompressed/,
    })
  },
  title: (title = '') => `decompress() refuses ${title}`,
})

const flipped = (bytes: Uint8Array, at: number): Uint8Array =>
  bytes.map((byte, index) => (index === at ? byte ^ 0xff : byte))

test('plain bytes as gzip', refuses, Buffer.from(text), 'gzip')
test('gzip that is cut', refuses, gzip.subarray(0, -4), 'gzip')
test('gzip with a wrong checksum', refuses, flipped(gzip, gzip.byteLength - 6), 'gzip')
test('plain bytes as zstd', refuses, Buffer.from(text), 'zstd')
test('zstd that is cut', refuses, zstd.subarray(0, -10), 'zstd')
test('gzip as zstd', refuses, gzip, 'zstd')

test('decompress() undoes many megabytes as they come', async t => {
  const block = randomBytes(65_536)
  const bytes = zlib.gzipSync(Buffer.concat(Array.from({ length: 64 }, () => block)))
  let size = 0
  for await (const chunk of decompress(pieces(bytes, 65_536), 'gzip', 'x')) size += chunk.byteLength
  t.is(size, 64 * 65_536)
})

test('decompress() stops a bomb when the loop is left', async t => {
  const bomb = zlib.gzipSync(Buffer.alloc(50_000_000))
  let closed = false
  async function* source() {
    try {
      yield* pieces(bomb, 4096)
    } finally {
      closed = true
    }
  }
  let size = 0
  for await (const chunk of decompress(source(), 'gzip', 'x')) {
    size += chunk.byteLength
    if (size > 1_000_000) break
  }
  t.true(size < 5_000_000)
  t.true(closed)
})

for (const [compression, bytes] of [
  ['gzip', zlib.gzipSync(Buffer.alloc(10_000_000))],
  ['zstd', Buffer.concat(Array.from({ length: 1000 }, () => zstd))],
  ['none', Buffer.alloc(100_000)],
] as const) {
  test(`decompress() of ${compression} rejects with the reason when the signal fires`, async t => {
    const stop = new AbortController()
    const reason = new Error('enough')
    async function* source() {
      for await (const piece of pieces(bytes, 1000)) {
        stop.signal.throwIfAborted()
        yield piece
      }
    }
    const reading = async () => {
      for await (const _ of decompress(source(), compression, 'x', { signal: stop.signal }))
        stop.abort(reason)
    }
    t.is(await t.throwsAsync(reading()), reason)
  })

  test(`decompress() of ${compression} passes errors of the source`, async t => {
    const cause = new OrlopError('DATA_LOSS', 'content x: got 1 of 2 bytes')
    async function* source() {
      yield bytes.subarray(0, 20)
      throw cause
    }
    t.is(await t.throwsAsync(collect(decompress(source(), compression, 'x'))), cause)
  })
}
