import fs from 'node:fs/promises'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { copyBlob, readBlob } from '../../src/content/blob.ts'
import { smallSize } from '../../src/content/bytes-taker.ts'
import { FsStore } from '../../src/content/fs-store.ts'
import { Database } from '../../src/metadata/database.ts'
import { MemoryKeyValue } from '../../src/metadata/memory-kv.ts'
import { Metadata } from '../../src/metadata/scope.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { all, providerOf, randomBytes, targetOf } from '../support/bytes.ts'
import { CountingKeyValue } from '../support/counting-kv.ts'
import { temporaryDirectory } from '../support/tmp.ts'

const bytes = Buffer.from('the bytes')
const target = targetOf(bytes)

/** A namespace on files, what lies beneath, and its records of ingests. */
async function open(t: ExecutionContext) {
  const root = await temporaryDirectory(t)
  const database = new Database(new MemoryKeyValue())
  t.teardown(() => database.close())
  const backend = new FsStore(root)
  const metadata = new Metadata({ database, backend })
  const ingests = async () => fs.readdir(path.join(root, 'ingest')).catch(() => [])
  const records = () => database.view(view => all(view.range('v1/default/ingest/')))
  return { root, database, backend, metadata, ingests, records, ...metadata.scope({ namespace: 'default' }) }
}

const refs = async ({ content }: Pick<Awaited<ReturnType<typeof open>>, 'content'>, filter?: string) =>
  (await all(content.statuses(filter ? [filter] : []))).map(({ ref }) => ref)

test('a small blob is nowhere but in memory until it is committed, and is listed all the same', async t => {
  const store = await open(t)
  const writer = await store.content.writer({ ref: 'r', expected: target })
  await writer.write(bytes)
  t.deepEqual(await store.ingests(), [])
  t.deepEqual(await store.records(), [])
  const status = await store.content.status('r')
  t.is(status.offset, 9)
  t.is(status.expected, target.digest)
  t.deepEqual(await refs(store), ['r'])
  t.deepEqual(await refs(store, 'ref==other'), [])
  const other = store.metadata.scope({ namespace: 'other' })
  t.deepEqual(await refs(other), [])
  await t.throwsAsync(other.content.status('r'), { code: 'NOT_FOUND' })
  t.is(await writer.commit(), target.digest)
  t.deepEqual(await refs(store), [])
  t.deepEqual(await store.ingests(), [])
  t.deepEqual(Buffer.from(await readBlob(store.content, target)), bytes)
})

test('ingests in memory and on the disk are listed in order of ref', async t => {
  const store = await open(t)
  await using b = await store.content.writer({ ref: 'b', expected: { size: 10_000_000 } })
  await using c = await store.content.writer({ ref: 'c', expected: { size: 3 } })
  await using a = await store.content.writer({ ref: 'a', expected: { size: 3 } })
  t.deepEqual(await refs(store), ['a', 'b', 'c'])
  for (const { offset } of [a, b, c]) t.is(offset, 0)
})

test('a small write that is not committed becomes an ingest when it is disposed, with its dates and record', async t => {
  const store = await open(t)
  const writer = await store.content.writer({ ref: 'r', expected: target })
  await writer.write(bytes.subarray(0, 4))
  const { status } = writer
  await writer[Symbol.asyncDispose]()
  t.is((await store.records()).length, 1)
  t.is((await store.ingests()).length, 1)
  const kept = await store.content.status('r')
  t.is(kept.offset, 4)
  t.deepEqual(kept.startedAt, status.startedAt)
  await using again = await store.content.writer({ ref: 'r', expected: target })
  t.is(again.offset, 4)
  await again.write(bytes.subarray(4))
  t.is(await again.commit(target), target.digest)
  t.deepEqual([await store.records(), await store.ingests()], [[], []])
})

test('a write that grows beyond what it said goes on as an ingest', async t => {
  const store = await open(t)
  const big = randomBytes('big', smallSize + 3)
  await using writer = await store.content.writer({ ref: 'r', expected: { size: 5 } })
  for (let at = 0; at < big.byteLength; at += 30_000) await writer.write(big.subarray(at, at + 30_000))
  t.is((await store.records()).length, 1)
  t.is(writer.offset, big.byteLength)
  t.is((await store.content.status('r')).offset, big.byteLength)
  t.is(await writer.commit(), digestOf(big))
  t.true(big.equals(await readBlob(store.content, targetOf(big))))
  t.deepEqual([await store.records(), await store.ingests()], [[], []])
})

test('exactly as much as is held is held', async t => {
  const store = await open(t)
  const most = randomBytes('most', smallSize)
  await using writer = await store.content.writer({ ref: 'r', expected: { size: 1 } })
  await writer.write(most.subarray(0, 1))
  await writer.write(most.subarray(1))
  t.deepEqual(await store.records(), [])
  t.is(await writer.commit({ digest: digestOf(most, 'sha512') }), digestOf(most, 'sha512'))
})

test('a refused commit keeps the bytes as an ingest', async t => {
  const store = await open(t)
  for (const wrong of [{ size: 8 }, { digest: digestOf('other') }, { labels: { long: 'x'.repeat(5000) } }]) {
    const writer = await store.content.writer({ ref: 'r', expected: { size: 9 } })
    if (writer.offset === 0) await writer.write(bytes)
    await t.throwsAsync(writer.commit(wrong))
    t.is((await store.content.status('r')).offset, 9)
  }
})

test('a commit whose lease is gone keeps the bytes, for a day', async t => {
  const store = await open(t)
  await store.leases.create({ id: 'l' })
  const { content } = store.metadata.scope({ namespace: 'default', lease: 'l' })
  const writer = await content.writer({ ref: 'r', expected: target })
  await writer.write(bytes)
  await store.leases.delete('l')
  await t.throwsAsync(writer.commit(), { code: 'NOT_FOUND', message: /lease "l"/ })
  const [record] = await store.records()
  t.regex(JSON.stringify(record?.value), /expiresAt/)
  await t.throwsAsync(content.writer({ ref: 'other', expected: { size: 1 } }), { code: 'NOT_FOUND' })
})

test('an open write can be aborted, and nothing becomes of it', async t => {
  const store = await open(t)
  const writer = await store.content.writer({ ref: 'r', expected: target })
  await writer.write(bytes)
  await store.content.abort('r')
  await t.throwsAsync(store.content.abort('r'), { code: 'NOT_FOUND' })
  t.deepEqual(await refs(store), [])
  await t.throwsAsync(writer.write(bytes), { code: 'ABORTED' })
  await t.throwsAsync(writer.commit(), { code: 'ABORTED' })
  t.deepEqual([await store.records(), await store.ingests()], [[], []])
  await using again = await store.content.writer({ ref: 'r', expected: target })
  t.is(again.offset, 0)
})

test('an abort while the bytes become an ingest leaves neither', async t => {
  const store = await open(t)
  const writer = await store.content.writer({ ref: 'r', expected: target })
  await writer.write(bytes)
  const left = writer[Symbol.asyncDispose]()
  await store.content.abort('r')
  await left
  t.deepEqual([await store.records(), await store.ingests()], [[], []])
})

test('an abort while a write that grew is opened as an ingest leaves neither, and frees the ref', async t => {
  const store = await open(t)
  const { writer: real } = store.backend
  store.backend.writer = async (...args) => {
    const opened = await real.apply(store.backend, args)
    await store.content.abort('r')
    return opened
  }
  {
    await using writer = await store.content.writer({ ref: 'r', expected: { size: 5 } })
    await t.throwsAsync(writer.write(randomBytes('big', smallSize + 1)), { code: 'ABORTED' })
  }
  store.backend.writer = real
  t.deepEqual(await refs(store), [])
  t.deepEqual([await store.records(), await store.ingests()], [[], []])
  await using again = await store.content.writer({ ref: 'r', expected: { size: smallSize + 1 } })
  t.is(again.offset, 0)
})

test('a write that cannot be opened as an ingest is held as it was', async t => {
  const store = await open(t)
  const { writer: real } = store.backend
  await using writer = await store.content.writer({ ref: 'r', expected: { size: 5 } })
  await writer.write(bytes)
  store.backend.writer = () => Promise.reject(new Error('no more files'))
  await t.throwsAsync(writer.write(randomBytes('big', smallSize)), { message: 'no more files' })
  store.backend.writer = real
  t.deepEqual([await store.records(), await store.ingests()], [[], []])
  await store.content.abort('r')
  await t.throwsAsync(store.content.status('r'), { code: 'NOT_FOUND' })
  t.deepEqual([await store.records(), await store.ingests()], [[], []])
})

test('bytes that came by another way meanwhile are found, and no ingest is left', async t => {
  const store = await open(t)
  const writers = await Promise.all(
    ['a', 'b'].map(ref => store.content.writer({ ref, expected: { size: 9 } })),
  )
  for (const writer of writers) await writer.write(bytes)
  const results = await Promise.allSettled(writers.map(writer => writer.commit()))
  t.deepEqual(results.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected'])
  for (const writer of writers) await writer[Symbol.asyncDispose]()
  t.deepEqual([await store.records(), await store.ingests()], [[], []])
})

test('a small blob costs one commit of records, and none when it is there with its labels', async t => {
  const root = await temporaryDirectory(t)
  const kv = new CountingKeyValue()
  const database = new Database(kv)
  t.teardown(() => database.close())
  const { content } = new Metadata({ database, backend: new FsStore(root) }).scope({ namespace: 'default' })
  for (const [labels, commits] of [
    [{ a: '1', constructor: 'x' }, 1],
    [{ constructor: 'x' }, 1],
    [{ toString: 'y' }, 2],
    [{ a: '' }, 3],
    [{ a: '' }, 3],
  ] as const) {
    await copyBlob(providerOf(bytes), content, target, { labels })
    t.is(kv.commits.length, commits, JSON.stringify(labels))
  }
  t.deepEqual({ ...(await content.info(target.digest)).labels }, { constructor: 'x', toString: 'y' })
})
