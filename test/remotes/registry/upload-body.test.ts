import test from 'ava'
import { UploadBody } from '../../../src/remotes/registry/upload-body.ts'

const later = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

test('a small chunk is copied, and its place may be used again at once', async t => {
  const body = new UploadBody()
  const chunk = Buffer.from('hello')
  await body.push(chunk)
  chunk.fill('x')
  body.end()
  const seen: string[] = []
  for await (const piece of body) seen.push(Buffer.from(piece).toString())
  t.deepEqual(seen, ['hello'])
})

test('a large chunk is not copied, and is held until the reader comes back', async t => {
  const body = new UploadBody()
  const chunk = Buffer.alloc(300_000, 1)
  let free = false
  const pushed = body.push(chunk).then(() => {
    free = true
  })
  const reader = body[Symbol.asyncIterator]()
  const pieces: Uint8Array[] = []
  for (let size = 0; size < chunk.byteLength; ) {
    const { value } = await reader.next()
    if (value === undefined) break
    t.is(value.buffer === chunk.buffer, value.byteLength > 65_536, 'the same memory')
    pieces.push(value)
    size += value.byteLength
    await later()
  }
  t.deepEqual(
    pieces.map(({ byteLength }) => byteLength),
    [131_072, 131_072, 37_856],
  )
  t.true(free, 'the last piece is small, and so a copy')
  await pushed
})

test('what is pushed waits while nobody reads, small chunks beyond a limit too', async t => {
  const body = new UploadBody()
  let pushed = 0
  const writing = (async () => {
    for (; pushed < 10; pushed++) await body.push(Buffer.alloc(50_000))
  })()
  await later()
  t.is(pushed, 5)
  body.end()
  let size = 0
  for await (const piece of body) size += piece.byteLength
  await writing
  t.true(size >= 250_000)
})

test('closing lets whoever writes go, and drops the rest', async t => {
  const body = new UploadBody()
  const pushed = body.push(Buffer.alloc(1_000_000))
  const reader = body[Symbol.asyncIterator]()
  await reader.next()
  body.close()
  await pushed
  await body.push(Buffer.alloc(1_000_000))
  t.deepEqual(await reader.next(), { value: undefined, done: true })
})

test('a reader that leaves lets whoever writes go', async t => {
  const body = new UploadBody()
  const pushed = body.push(Buffer.alloc(1_000_000))
  for await (const _ of body) break
  await pushed
  t.pass()
})
