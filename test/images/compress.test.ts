import zlib from 'node:zlib'
import test from 'ava'
import { checkCompression, compress } from '../../src/images/compress.ts'
import { decompress } from '../../src/images/decompress.ts'
import { collect } from '../support/resolver.ts'

const text = Buffer.from('the same bytes '.repeat(10_000))
const canZstd = 'createZstdCompress' in zlib

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size)
}

test('compress() to gzip gives what decompresses to the same, and the same however it comes', async t => {
  const whole = await collect(compress(pieces(text, text.byteLength), { type: 'gzip' }))
  const parts = await collect(compress(pieces(text, 777), { type: 'gzip' }))
  t.deepEqual(zlib.gunzipSync(whole), text)
  t.deepEqual(whole, parts)
})

test('compress() writes no time, name or system into a gzip header', async t => {
  const bytes = await collect(compress(pieces(text, 1000), { type: 'gzip' }))
  // RFC 1952: magic, deflate, no flags, no time, the compression's own byte, no system
  t.deepEqual([...bytes.subarray(0, 8)], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0])
  t.is(bytes[9], 255)
})

test('compress() takes a level', async t => {
  const sizes = []
  for (const level of [0, 1, 9])
    sizes.push((await collect(compress(pieces(text, 1000), { type: 'gzip', level }))).byteLength)
  t.true(sizes[0] !== undefined && sizes[0] > text.byteLength)
  t.true(Number(sizes[1]) > Number(sizes[2]))
})

test('compress() of nothing is a gzip of nothing, and none passes all', async t => {
  t.is(
    zlib.gunzipSync(await collect(compress(pieces(text.subarray(0, 0), 1), { type: 'gzip' }))).byteLength,
    0,
  )
  t.deepEqual(await collect(compress(pieces(text, 1000), { type: 'none' })), text)
})

test('compress() passes an error of its source, and closes it', async t => {
  let closed = false
  async function* failing(): AsyncGenerator<Uint8Array> {
    try {
      yield text
      throw new Error('broken')
    } finally {
      closed = true
    }
  }
  await t.throwsAsync(collect(compress(failing(), { type: 'gzip' })), { message: 'broken' })
  t.true(closed)
})

test('compress() to zstd works where Node can, and says which Node can where not', async t => {
  if (canZstd) {
    const bytes = await collect(compress(pieces(text, 1000), { type: 'zstd', level: 5 }))
    t.deepEqual(await collect(decompress(pieces(bytes, 1000), 'zstd', 'it')), text)
  } else {
    t.throws(() => checkCompression({ type: 'zstd' }), { code: 'UNIMPLEMENTED', message: /22\.15/ })
    await t.throwsAsync(collect(compress(pieces(text, 1000), { type: 'zstd' })), { code: 'UNIMPLEMENTED' })
  }
})

for (const target of [
  { type: 'gzip', level: 10 },
  { type: 'gzip', level: -1 },
  { type: 'gzip', level: Number.NaN },
  { type: 'zstd', level: 0 },
  { type: 'zstd', level: 23 },
  { type: 'none', level: 1 },
] as const) {
  test(`checkCompression() refuses ${target.type} of level ${target.level}`, t => {
    t.throws(() => checkCompression(target), { code: 'INVALID_ARGUMENT' })
  })
}
