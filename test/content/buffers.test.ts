import fs from 'node:fs/promises'
import path from 'node:path'
import test from 'ava'
import { Buffers } from '../../src/content/buffers.ts'
import { readRange } from '../../src/content/fs-read.ts'
import { randomBytes } from '../support/bytes.ts'
import { temporaryDirectory } from '../support/tmp.ts'

test('memory that was given back is taken again, and no other', t => {
  const buffers = new Buffers(100, 2)
  const one = buffers.take(100)
  buffers.give(one.subarray(10, 20))
  const two = buffers.take(7)
  t.is(two.buffer, one.buffer)
  t.is(two.byteLength, 7)
  t.not(buffers.take(100).buffer, one.buffer)
})

test('memory is given back once, and only what was taken here', t => {
  const buffers = new Buffers(100, 4)
  const one = buffers.take(100)
  buffers.give(one)
  buffers.give(one)
  buffers.give(Buffer.alloc(100))
  t.is(buffers.take(100).buffer, one.buffer)
  const [two, three] = [buffers.take(100), buffers.take(100)]
  t.is(new Set([one.buffer, two.buffer, three.buffer]).size, 3)
})

test('no more is kept than was allowed, and nothing that is longer', t => {
  const buffers = new Buffers(10, 1)
  const [one, two] = [buffers.take(10), buffers.take(10)]
  buffers.give(one)
  buffers.give(two)
  t.is(buffers.take(1).buffer, one.buffer)
  t.not(buffers.take(1).buffer, two.buffer)
  const long = buffers.take(11)
  t.is(long.byteLength, 11)
  buffers.give(long)
  t.not(buffers.take(10).buffer, long.buffer)
})

test('a file is read through few buffers that are used again, and its bytes are right', async t => {
  const file = path.join(await temporaryDirectory(t), 'file')
  const bytes = randomBytes(1, 3_000_000)
  await fs.writeFile(file, bytes)
  const handle = await fs.open(file)
  t.teardown(() => handle.close())
  const buffers = new Buffers(256 * 1024, 4)
  const seen = new Set<ArrayBufferLike>()
  let at = 0
  for await (const chunk of readRange(handle, { start: 0, end: bytes.byteLength }, { buffers })) {
    t.true(bytes.subarray(at, at + chunk.byteLength).equals(chunk))
    at += chunk.byteLength
    seen.add(chunk.buffer)
    buffers.give(chunk)
  }
  t.is(at, bytes.byteLength)
  t.true(seen.size <= 2, `${seen.size} buffers`)
})
