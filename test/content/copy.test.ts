import test from 'ava'
import fc from 'fast-check'
import { readBlob } from '../../src/content/blob.ts'
import { type CopyEvent, copyBlob } from '../../src/content/copy.ts'
import { FsStore } from '../../src/content/fs-store.ts'
import { MemoryStore } from '../../src/content/memory-store.ts'
import type { ContentStore, Ingester, Provider } from '../../src/content/types.ts'
import { OrlopError } from '../../src/errors.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { put } from '../suites/content.ts'
import { all, providerOf, randomBytes, targetOf } from '../support/bytes.ts'
import { temporaryDirectory } from '../support/tmp.ts'

const bytes = randomBytes('copy', 10_000)
const target = targetOf(bytes)

const leave = async (store: ContentStore, ref: string, left: Uint8Array): Promise<void> => {
  await using writer = await store.writer({ ref, expected: target })
  await writer.write(left)
}

const events = () => {
  const seen: CopyEvent[] = []
  const deltas: number[] = []
  return {
    seen,
    types: () => seen.map(({ type }) => type).filter((type, at, list) => type !== list[at - 1]),
    sum: () => deltas.reduce((sum, delta) => sum + delta, 0),
    onProgress: (delta: number, event: CopyEvent) => {
      deltas.push(delta)
      seen.push(event)
    },
  }
}

test('copyBlob() copies, verified, and tells of it', async t => {
  const store = new MemoryStore()
  const log = events()
  await copyBlob(providerOf(bytes), store, target, { labels: { a: 'b' }, onProgress: log.onProgress })
  t.true(bytes.equals(await readBlob(store, target)))
  t.deepEqual({ ...(await store.info(target.digest)).labels }, { a: 'b' })
  t.deepEqual(log.types(), ['started', 'copied', 'committed'])
  t.is(log.sum(), bytes.byteLength)
  t.is(log.seen[0]?.ref, `unknown-${target.digest}`)
})

test('copyBlob() reads nothing when the blob is there', async t => {
  const store = new MemoryStore()
  await put(store, bytes)
  const source = providerOf(bytes)
  const log = events()
  await copyBlob(source, store, target, log)
  t.deepEqual(source.reads, [])
  t.deepEqual(log.types(), ['exists'])
  t.is(log.sum(), bytes.byteLength)
})

test('copyBlob() goes on where an earlier attempt stopped', async t => {
  const store = new MemoryStore()
  const source = providerOf(bytes)
  await leave(store, 'r', bytes.subarray(0, 3_333))
  const log = events()
  await copyBlob(source, store, target, { ref: 'r', ...log })
  t.deepEqual(source.reads, [3_333])
  t.deepEqual(log.types(), ['resumed', 'copied', 'committed'])
  t.is(log.sum(), bytes.byteLength)
})

test('copyBlob() fetches all once more when what it resumed was wrong', async t => {
  for (const left of [randomBytes('other', 4_000), randomBytes('other', 10_000)]) {
    const store = new MemoryStore()
    const source = providerOf(bytes)
    await leave(store, 'r', left)
    const log = events()
    await copyBlob(source, store, target, { ref: 'r', ...log })
    t.is(source.reads.at(-1), 0)
    t.true(bytes.equals(await readBlob(store, target)))
    t.deepEqual(log.types().slice(-4), ['dropped', 'started', 'copied', 'committed'])
    t.is(log.sum(), bytes.byteLength)
  }
})

test('copyBlob() begins anew when more was left than the target has', async t => {
  const store = new MemoryStore()
  await using writer = await store.writer({ ref: 'r' })
  await writer.write(randomBytes('long', 20_000))
  await writer[Symbol.asyncDispose]()
  await copyBlob(providerOf(bytes), store, target, { ref: 'r' })
  t.true(bytes.equals(await readBlob(store, target)))
})

test('copyBlob() drops wrong bytes, so that they never wait to be resumed', async t => {
  const store = new MemoryStore()
  const log = events()
  const wrong = providerOf(randomBytes('wrong', 10_000))
  const error = await t.throwsAsync(copyBlob(wrong, store, target, { ref: 'r', ...log }), {
    code: 'DATA_LOSS',
  })
  t.true(error?.message.includes(target.digest))
  t.is((await store.status('r')).offset, 0)
  t.deepEqual(wrong.reads, [0], 'what was not resumed is not fetched again')
  t.is(log.sum(), 0)
  await copyBlob(providerOf(bytes), store, target, { ref: 'r' })
  t.true(bytes.equals(await readBlob(store, target)))
})

test('copyBlob() fetches wrong bytes twice at most', async t => {
  const store = new MemoryStore()
  await leave(store, 'r', bytes.subarray(0, 100))
  const wrong = providerOf(randomBytes('wrong', 10_000))
  await t.throwsAsync(copyBlob(wrong, store, target, { ref: 'r' }), { code: 'DATA_LOSS' })
  t.deepEqual(wrong.reads, [100, 0])
  t.is((await store.status('r')).offset, 0)
})

test('copyBlob() refuses a source that is too long, before it writes too much', async t => {
  const store = new MemoryStore()
  const long = providerOf(Buffer.concat([bytes, Buffer.from('x')]), 999)
  await t.throwsAsync(copyBlob(long, store, target, { ref: 'r' }), { code: 'DATA_LOSS', message: /longer/ })
  t.is((await store.status('r')).offset, 0)
  t.deepEqual(await all(store.list()), [])
})

test('copyBlob() of a source that ends early keeps what came', async t => {
  const store = new MemoryStore()
  const short = providerOf(bytes.subarray(0, 7_000))
  await t.throwsAsync(copyBlob(short, store, target, { ref: 'r' }), {
    code: 'DATA_LOSS',
    message: /ended after 7000 of 10000 bytes/,
  })
  t.is((await store.status('r')).offset, 7_000)
  const source = providerOf(bytes)
  await copyBlob(source, store, target, { ref: 'r' })
  t.deepEqual(source.reads, [7_000])
})

test('copyBlob() of a source that fails keeps what came, and throws its error', async t => {
  const store = new MemoryStore()
  const reason = new Error('line cut')
  const broken: Provider = {
    async *read() {
      yield bytes.subarray(0, 4_000)
      throw reason
    },
  }
  t.is(await t.throwsAsync(copyBlob(broken, store, target, { ref: 'r' })), reason)
  t.is((await store.status('r')).offset, 4_000)
})

test('copyBlob() stops when its signal fires, keeps the ingest and frees the ref', async t => {
  const store = new FsStore(await temporaryDirectory(t))
  const stop = new AbortController()
  const reason = new Error('enough')
  const stopping: Provider = {
    async *read() {
      yield bytes.subarray(0, 4_000)
      stop.abort(reason)
      yield bytes.subarray(4_000)
    },
  }
  t.is(await t.throwsAsync(copyBlob(stopping, store, target, { ref: 'r', signal: stop.signal })), reason)
  t.is((await store.status('r')).offset, 4_000)
  const source = providerOf(bytes)
  await copyBlob(source, store, target, { ref: 'r' })
  t.deepEqual(source.reads, [4_000])
})

test('copyBlob() copies the empty blob without reading', async t => {
  const store = new MemoryStore()
  const source = providerOf(new Uint8Array(0))
  await copyBlob(source, store, targetOf(new Uint8Array(0)))
  t.deepEqual(source.reads, [])
  t.is((await store.info(digestOf(''))).size, 0)
})

test('copyBlob() takes bytes that the descriptor carries from there, unless they are wrong', async t => {
  const store = new MemoryStore()
  const source = providerOf(bytes)
  await copyBlob(source, store, { ...target, data: bytes.toString('base64') })
  t.deepEqual(source.reads, [])
  const other = new MemoryStore()
  await copyBlob(source, other, { ...target, data: Buffer.from('wrong').toString('base64') })
  t.deepEqual(source.reads, [0])
  t.true(bytes.equals(await readBlob(other, target)))
})

test('copyBlob() drops bytes that a store refuses which hashes in its own algorithm', async t => {
  const store = new MemoryStore()
  const own: ContentStore = Object.assign(Object.create(store), {
    writer: (init: { ref: string }) => store.writer({ ref: init.ref }),
    status: store.status.bind(store),
  })
  const sha512 = targetOf(bytes, 'sha512')
  const wrong = providerOf(randomBytes('wrong', 10_000))
  await t.throwsAsync(copyBlob(wrong, own, sha512, { ref: 'r' }), { code: 'DATA_LOSS' })
  t.is((await store.status('r')).offset, 0)
  await leave(store, 'r', randomBytes('old', 500))
  await copyBlob(providerOf(bytes), own, sha512, { ref: 'r' })
  t.true(bytes.equals(await readBlob(store, sha512)))
})

test('copyBlob() waits for a writer of the same ref, and takes what it commits', async t => {
  const store = new MemoryStore()
  const writer = await store.writer({ ref: 'r', expected: target })
  const source = providerOf(bytes)
  const copying = copyBlob(source, store, target, { ref: 'r' })
  await writer.write(bytes)
  await writer.commit(target)
  await copying
  t.deepEqual(source.reads, [])
})

test('copyBlob() stops waiting when its signal fires', async t => {
  const store = new MemoryStore()
  await using writer = await store.writer({ ref: 'r' })
  const stop = new AbortController()
  const reason = new Error('enough')
  const copying = copyBlob(providerOf(bytes), store, target, { ref: 'r', signal: stop.signal })
  stop.abort(reason)
  t.is(await t.throwsAsync(copying), reason)
  t.is(writer.offset, 0)
})

test('copyBlob() does not wait for a place that is down', async t => {
  const down = new OrlopError('UNAVAILABLE', 'the registry is down')
  const registry: Ingester = { writer: () => Promise.reject(down) }
  t.is(await t.throwsAsync(copyBlob(providerOf(bytes), registry, target)), down)
  const store: ContentStore = Object.assign(Object.create(new MemoryStore()), {
    writer: () => Promise.reject(down),
    status: () => Promise.reject(down),
  })
  t.is(await t.throwsAsync(copyBlob(providerOf(bytes), store, target)), down)
})

test('copyBlob() brings any bytes over in any chunks, from any start', async t => {
  const root = await temporaryDirectory(t)
  let run = 0
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 1_200_000 }),
      fc.integer({ min: 1, max: 700_000 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      async (size, chunkSize, part) => {
        const store = new FsStore(`${root}/${run++}`)
        const data = randomBytes(size, size)
        const chunk = Math.max(chunkSize, Math.ceil(size / 2_000))
        const half = await store.writer({ ref: 'r', expected: targetOf(data) })
        await half.write(data.subarray(0, Math.floor(size * part)))
        await half[Symbol.asyncDispose]()
        await copyBlob(providerOf(data, chunk), store, targetOf(data), { ref: 'r' })
        t.true(data.equals(await readBlob(store, targetOf(data))))
      },
    ),
    { numRuns: 25 },
  )
})
