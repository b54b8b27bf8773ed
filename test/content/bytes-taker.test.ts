import fs from 'node:fs/promises'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { readBlob } from '../../src/content/blob.ts'
import { isBytesTaker } from '../../src/content/bytes-taker.ts'
import { FsStore } from '../../src/content/fs-store.ts'
import { MemoryStore } from '../../src/content/memory-store.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { all, randomBytes, targetOf } from '../support/bytes.ts'
import { temporaryDirectory } from '../support/tmp.ts'

const bytes = Buffer.from('small')
const digest = digestOf(bytes)

const open = async (t: ExecutionContext) => {
  const root = await temporaryDirectory(t)
  const ingests = async () => fs.readdir(path.join(root, 'ingest')).catch(() => [])
  return { root, ingests, store: new FsStore(root) }
}

test('takeBytes() makes a blob that lies as any other, and leaves nothing beside it', async t => {
  const { root, store, ingests } = await open(t)
  await store.takeBytes(bytes, digest)
  const { mode } = await fs.stat(path.join(root, 'blobs', digest.replace(':', '/')))
  t.is(mode & 0o777, 0o444 & ~process.umask())
  t.is(String(await readBlob(store, targetOf(bytes))), 'small')
  t.deepEqual(await ingests(), [])
})

test('takeBytes() of a blob that is there is ALREADY_EXISTS, and of many at once each is made', async t => {
  const { store, ingests } = await open(t)
  await store.takeBytes(bytes, digest)
  await t.throwsAsync(store.takeBytes(bytes, digest), { code: 'ALREADY_EXISTS' })
  const many = Array.from({ length: 40 }, (_, at) => randomBytes(at, at))
  const results = await Promise.allSettled(
    [...many, ...many].map(blob => store.takeBytes(blob, digestOf(blob, 'sha512'))),
  )
  t.is(results.filter(({ status }) => status === 'fulfilled').length, 40)
  for (const blob of many)
    t.true(blob.equals(await readBlob(store, { ...targetOf(blob), digest: digestOf(blob, 'sha512') })))
  t.deepEqual(await ingests(), [])
})

test('takeBytes() refuses bytes of another digest, text that is none, and a signal that has fired', async t => {
  const { store, ingests } = await open(t)
  await t.throwsAsync(store.takeBytes(bytes, digestOf('other')), { code: 'FAILED_PRECONDITION' })
  await t.throwsAsync(store.takeBytes(bytes, JSON.parse('"sha256:../../x"')), { code: 'INVALID_ARGUMENT' })
  const reason = new Error('enough')
  t.is(await t.throwsAsync(store.takeBytes(bytes, digest, { signal: AbortSignal.abort(reason) })), reason)
  t.deepEqual(await all(store.list()), [])
  t.deepEqual(await ingests(), [])
})

test('takeIngest() makes an ingest with its dates, and takes the place of one that is there', async t => {
  const { store } = await open(t)
  await using before = await store.writer({ ref: 'r', expected: { size: 9 } })
  const status = { ref: 'r', offset: 5, total: 8, startedAt: new Date(0), updatedAt: new Date(1000) }
  await t.throwsAsync(store.takeIngest(bytes, status), { code: 'UNAVAILABLE' })
  await before.write(Buffer.from('else'))
  await before[Symbol.asyncDispose]()
  await store.takeIngest(bytes, status)
  const stored = await store.status('r')
  t.is(stored.offset, 5)
  t.is(stored.total, 8)
  t.deepEqual(stored.startedAt, status.startedAt)
  await using writer = await store.writer({ ref: 'r', expected: { size: 8 } })
  await writer.write(Buffer.from('est'))
  t.is(await writer.commit({ size: 8 }), digestOf('smallest'))
})

test('removeLeftovers() leaves a stage in use alone, and removes one that a crash has left', async t => {
  const { root, store, ingests } = await open(t)
  const stage = path.join(root, 'ingest', 'stage-0123456789abcdef')
  await fs.mkdir(stage, { recursive: true })
  await fs.writeFile(path.join(stage, '0'), 'half')
  let stop = false
  const sweeping = (async () => {
    let count = 0
    while (!stop) count += await store.removeLeftovers()
    return count
  })()
  for (let round = 0; round < 10; round++) {
    const blobs = Array.from({ length: 8 }, (_, at) => randomBytes(`${round} ${at}`, 100))
    await Promise.all(blobs.map(blob => store.takeBytes(blob, digestOf(blob))))
  }
  stop = true
  t.is(await sweeping, 1)
  t.is((await all(store.list())).length, 80)
  t.deepEqual(await ingests(), [])
})

test('isBytesTaker() is true for stores that take bytes at once', async t => {
  t.true(isBytesTaker((await open(t)).store))
  t.false(isBytesTaker(new MemoryStore()))
})
