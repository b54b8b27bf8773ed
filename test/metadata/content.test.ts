import fs from 'node:fs/promises'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { copyBlob, readBlob } from '../../src/content/blob.ts'
import { FsStore } from '../../src/content/fs-store.ts'
import { MemoryStore } from '../../src/content/memory-store.ts'
import type { ContentStore } from '../../src/content/types.ts'
import { decode, readIngestRecord } from '../../src/metadata/codec.ts'
import { NamespacedContent } from '../../src/metadata/content.ts'
import type { SharingPolicy } from '../../src/metadata/content-parts.ts'
import { Database } from '../../src/metadata/database.ts'
import { MemoryKeyValue } from '../../src/metadata/memory-kv.ts'
import { ingestKey } from '../../src/metadata/schema.ts'
import { Metadata } from '../../src/metadata/scope.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { put } from '../suites/content.ts'
import { all, providerOf, randomBytes, targetOf } from '../support/bytes.ts'
import { temporaryDirectory } from '../support/tmp.ts'

const day = 24 * 60 * 60 * 1000
const bytes = Buffer.from('the bytes')
const target = targetOf(bytes)

/** A store with a clock that tests turn. */
function open(t: ExecutionContext, policy: SharingPolicy = 'shared') {
  const clock = { now: new Date('2026-01-02T03:04:05.678Z') }
  const now = () => clock.now
  const database = new Database(new MemoryKeyValue())
  t.teardown(() => database.close())
  const backend = new MemoryStore({ now })
  const metadata = new Metadata({ database, backend, policy, now })
  const record = (ref: string, namespace = 'default') =>
    database.view(async view => {
      const key = ingestKey(namespace, ref)
      const value = await view.get(key)
      return value === undefined ? undefined : decode(key, value, readIngestRecord)
    })
  return { clock, database, backend, metadata, record, ...metadata.scope({ namespace: 'default' }) }
}

const held = async (store: ReturnType<typeof open>, lease: string) =>
  (await all(store.leases.resources(lease))).map(({ type, id }) => `${type} ${id}`)

test('NamespacedContent refuses a missing or malformed namespace', t => {
  const { database, backend } = open(t)
  t.throws(() => new NamespacedContent({ database, backend, namespace: '' }), { code: 'FAILED_PRECONDITION' })
  for (const namespace of ['a/b', '..', '-a', 'x'.repeat(77)]) {
    t.throws(() => new NamespacedContent({ database, backend, namespace }), { code: 'INVALID_ARGUMENT' })
  }
})

test('writer() keeps an ingest without lease for a day from its last opening', async t => {
  const { content, clock, record } = open(t)
  await (await content.writer({ ref: 'r' }))[Symbol.asyncDispose]()
  const first = await record('r')
  t.deepEqual(first?.expiresAt, new Date(clock.now.getTime() + day))
  clock.now = new Date(clock.now.getTime() + 1000)
  await (await content.writer({ ref: 'r' }))[Symbol.asyncDispose]()
  const second = await record('r')
  t.deepEqual(second?.expiresAt, new Date(clock.now.getTime() + day))
  t.deepEqual(second?.startedAt, first?.startedAt)
  t.is(second?.backendRef, first?.backendRef)
})

test('writer() under a lease has it hold the ingest, then the blob', async t => {
  const store = open(t)
  await store.leases.create({ id: 'l' })
  const { content } = store.metadata.scope({ namespace: 'default', lease: 'l' })
  const writer = await content.writer({ ref: 'r', expected: target })
  t.is((await store.record('r'))?.expiresAt, undefined)
  t.deepEqual(await held(store, 'l'), ['ingests r'])
  await writer.write(bytes)
  await writer.commit(target)
  t.deepEqual(await held(store, 'l'), [`content ${target.digest}`])
  t.is(await store.record('r'), undefined)
})

test('writer() for a blob that is there has the lease hold it', async t => {
  const store = open(t)
  await put(store.content, bytes)
  await store.leases.create({ id: 'l' })
  const { content } = store.metadata.scope({ namespace: 'default', lease: 'l' })
  await t.throwsAsync(content.writer({ ref: 'r', expected: target }), { code: 'ALREADY_EXISTS' })
  t.deepEqual(await held(store, 'l'), [`content ${target.digest}`])
  t.is(await store.record('r'), undefined)
})

test('commit() that finds the blob there still removes the ingest and has the lease hold the blob', async t => {
  const store = open(t)
  await put(store.content, bytes, { labels: { a: '1' } })
  await store.leases.create({ id: 'l' })
  const { content } = store.metadata.scope({ namespace: 'default', lease: 'l' })
  const writer = await content.writer({ ref: 'r' })
  await writer.write(bytes)
  await t.throwsAsync(writer.commit({ labels: { a: '2' } }), { code: 'ALREADY_EXISTS' })
  t.deepEqual(await held(store, 'l'), [`content ${target.digest}`])
  t.is(await store.record('r'), undefined)
  t.deepEqual(await all(store.backend.statuses()), [])
  t.deepEqual({ ...(await content.info(target.digest)).labels }, { a: '1' })
})

test('a lease that does not exist makes writer() fail and leaves nothing', async t => {
  const store = open(t)
  const { content } = store.metadata.scope({ namespace: 'default', lease: 'none' })
  await t.throwsAsync(content.writer({ ref: 'r' }), { code: 'NOT_FOUND', message: /lease "none"/ })
  t.is(await store.record('r'), undefined)
  t.deepEqual(await all(store.backend.statuses()), [])
  await using writer = await store.content.writer({ ref: 'r' })
  t.is(writer.offset, 0)
})

test('a lease that is gone at commit() makes it fail, and the bytes stay', async t => {
  const store = open(t)
  await store.leases.create({ id: 'l' })
  const { content } = store.metadata.scope({ namespace: 'default', lease: 'l' })
  const writer = await content.writer({ ref: 'r' })
  await writer.write(bytes)
  await store.leases.delete('l')
  await t.throwsAsync(writer.commit(), { code: 'NOT_FOUND', message: /lease "l"/ })
  await using again = await store.content.writer({ ref: 'r' })
  t.is(again.offset, bytes.byteLength)
  t.is(await again.commit(), target.digest)
})

test('a label over the limit closes the writer and keeps the ingest', async t => {
  const { content } = open(t)
  const writer = await content.writer({ ref: 'r' })
  await writer.write(bytes)
  const labels = { long: 'x'.repeat(4096) }
  await t.throwsAsync(writer.commit({ labels }), { code: 'INVALID_ARGUMENT' })
  await t.throwsAsync(writer.write(bytes), { code: 'FAILED_PRECONDITION' })
  t.is((await content.status('r')).offset, bytes.byteLength)
  await using again = await content.writer({ ref: 'r' })
  t.is(await again.commit({ labels: { long: 'x'.repeat(4092) } }), target.digest)
  await t.throwsAsync(content.update(target.digest, { labels }), { code: 'INVALID_ARGUMENT' })
})

test('abort() and delete() let go of the current lease only', async t => {
  const store = open(t)
  await store.leases.create({ id: 'l' })
  await store.leases.create({ id: 'other' })
  const { content } = store.metadata.scope({ namespace: 'default', lease: 'l' })
  await put(content, bytes)
  await store.leases.addResource('other', { type: 'content', id: target.digest })
  await (await content.writer({ ref: 'r' }))[Symbol.asyncDispose]()
  t.deepEqual(await held(store, 'l'), [`content ${target.digest}`, 'ingests r'])
  await content.abort('r')
  await content.delete(target.digest)
  t.deepEqual(await held(store, 'l'), [])
  t.deepEqual(await held(store, 'other'), [`content ${target.digest}`])
})

test('events tell of blobs that came and went, after the fact, and not of those that were there', async t => {
  const { content, metadata } = open(t)
  const heard = metadata.events.subscribe()
  const expected = { ...target, mediaType: 'application/x' }
  const writer = await content.writer({ ref: 'r', expected })
  await writer.write(bytes)
  await writer.commit(target)
  await t.throwsAsync(put(content, bytes), { code: 'ALREADY_EXISTS' })
  await content.delete(target.digest)
  await t.throwsAsync(content.delete(target.digest), { code: 'NOT_FOUND' })
  metadata.events.publish({ namespace: 'default', topic: '/end', event: {} })
  const topics: string[] = []
  for await (const { topic, namespace, event } of heard) {
    if (topic === '/end') break
    topics.push(topic)
    t.is(namespace, 'default')
    if (topic === '/content/create') {
      t.deepEqual(event, { digest: target.digest, size: 9, mediaType: 'application/x' })
    } else t.deepEqual(event, { digest: target.digest })
  }
  t.deepEqual(topics, ['/content/create', '/content/delete'])
})

test('delete() leaves the bytes to the collection', async t => {
  const { content, backend } = open(t)
  await put(content, bytes)
  await content.delete(target.digest)
  t.is((await backend.info(target.digest)).size, 9)
  await t.throwsAsync(readBlob(content, target), { code: 'NOT_FOUND', message: /namespace default/ })
})

test('refs of namespaces do not meet, nor do they after one is deleted', async t => {
  const { metadata, record } = open(t)
  const [one, two] = ['one', 'two'].map(namespace => metadata.scope({ namespace }).content)
  if (one === undefined || two === undefined) return t.fail()
  const writers = [await one.writer({ ref: 'r' }), await two.writer({ ref: 'r' })]
  for (const [at, writer] of writers.entries()) {
    await writer.write(Buffer.from(`bytes ${at}`))
    await writer[Symbol.asyncDispose]()
  }
  t.is((await record('r', 'one'))?.backendRef, 'one/1/r')
  t.is((await record('r', 'two'))?.backendRef, 'two/1/r')
  await metadata.namespaces.delete('one')
  await using writer = await one.writer({ ref: 'r' })
  t.is(writer.offset, 0)
  t.is((await record('r', 'one'))?.backendRef, 'one/2/r')
})

for (const policy of ['shared', 'isolated'] as const) {
  test(`${policy}: bytes whose record a crash has prevented are adopted`, async t => {
    const { content, backend } = open(t, policy)
    await put(backend, bytes)
    await copyBlob(providerOf(bytes), content, target, { labels: { a: 'b' } })
    t.deepEqual({ ...(await content.info(target.digest)).labels }, { a: 'b' })
    t.true(bytes.equals(await readBlob(content, target)))
    t.deepEqual(await all(backend.statuses()), [])
  })

  test(`${policy}: a record whose bytes are gone does not keep them from being written anew`, async t => {
    const { content, backend } = open(t, policy)
    await put(content, bytes, { labels: { a: 'b' } })
    await backend.delete(target.digest)
    await t.throwsAsync(readBlob(content, target), { code: 'NOT_FOUND' })
    await copyBlob(providerOf(bytes), content, target)
    t.true(bytes.equals(await readBlob(content, target)))
    t.deepEqual({ ...(await content.info(target.digest)).labels }, { a: 'b' })
  })
}

test('a record whose file was cut short is repaired by a copy, in each namespace', async t => {
  const root = await temporaryDirectory(t)
  const { database } = open(t)
  const metadata = new Metadata({ database, backend: new FsStore(root) })
  const [one, two] = ['one', 'two'].map(namespace => metadata.scope({ namespace }).content)
  if (one === undefined || two === undefined) return t.fail()
  await put(one, bytes, { labels: { a: 'b' } })
  const file = path.join(root, 'blobs', target.digest.replace(':', '/'))
  const cut = async () => {
    await fs.chmod(file, 0o644)
    await fs.truncate(file, 3)
  }
  for (const content of [one, two]) {
    await cut()
    await copyBlob(providerOf(bytes), content, target)
    t.true(bytes.equals(await readBlob(content, target)))
  }
  t.deepEqual({ ...(await one.info(target.digest)).labels }, { a: 'b' })
})

test('isolated: only the label value "true" offers blobs', async t => {
  const { metadata } = open(t, 'isolated')
  const label = (value: string) => ({ labels: { 'containerd.io/namespace.shareable': value } })
  await put(metadata.scope({ namespace: 'one' }).content, bytes)
  const { content } = metadata.scope({ namespace: 'two' })
  for (const [value, offset] of [
    ['1', 0],
    ['false', 0],
    ['true', 9],
  ] as const) {
    await metadata.namespaces.update('one', label(value))
    await using writer = await content.writer({ ref: value, expected: target })
    t.is(writer.offset, offset, value)
  }
})

test('a virtual writer is refused when its bytes were collected meanwhile, and copyBlob() then writes them', async t => {
  const { content, backend } = open(t)
  await put(backend, bytes)
  const writer = await content.writer({ ref: 'r', expected: target })
  await backend.delete(target.digest)
  await t.throwsAsync(writer.commit(target), { code: 'FAILED_PRECONDITION', message: /collected/ })
  await copyBlob(providerOf(bytes), content, target, { ref: 'r' })
  t.true(bytes.equals(await readBlob(content, target)))
})

test('a virtual commit throws away what an earlier writer of the ref has left', async t => {
  const { content, backend } = open(t)
  const first = await content.writer({ ref: 'r', expected: target })
  await first.write(bytes.subarray(0, 4))
  await first[Symbol.asyncDispose]()
  await put(backend, bytes)
  await using writer = await content.writer({ ref: 'r', expected: target })
  t.is(writer.offset, 9)
  await writer.commit(target)
  t.deepEqual(await all(backend.statuses()), [])
})

test('no collection comes between the bytes of a commit and its record', async t => {
  const { database, metadata, content, backend } = open(t)
  const counts: string[] = []
  const collect = () =>
    metadata.gate.exclusive(async () => {
      const there = (await all(backend.list())).length
      const known = (await database.view(view => all(view.range('v1/default/content/')))).length
      counts.push(`${there} there, ${known} known`)
    })
  const works: Array<Promise<unknown>> = []
  for (let at = 0; at < 10; at++) {
    const writer = await content.writer({ ref: `r${at}` })
    await writer.write(Buffer.from(`bytes ${at}`))
    works.push(writer.commit(), Promise.resolve().then(collect), collect())
  }
  await Promise.all(works)
  await collect()
  t.is(counts.at(-1), '10 there, 10 known')
  for (const count of counts) t.regex(count, /^(\d+) there, \1 known$/)
})

test('a writer that cannot be opened beneath leaves no record', async t => {
  const { database, backend } = open(t)
  const refusing: ContentStore = Object.assign(Object.create(backend), {
    writer: () => Promise.reject(new Error('disk')),
    info: backend.info.bind(backend),
  })
  const content = new NamespacedContent({ database, backend: refusing, namespace: 'default' })
  await t.throwsAsync(content.writer({ ref: 'r' }), { message: 'disk' })
  t.deepEqual(await database.view(view => all(view.range('v1/default/ingest/'))), [])
  await t.throwsAsync(content.writer({ ref: 'r' }), { message: 'disk' }, 'the ref is free again')
})

test('many writers of one blob in many namespaces: each has it, the bytes are there once', async t => {
  for (const policy of ['shared', 'isolated'] as const) {
    const { metadata, backend } = open(t, policy)
    const big = randomBytes('many', 50_000)
    const stores = Array.from({ length: 8 }, (_, at) => metadata.scope({ namespace: `n${at}` }).content)
    await Promise.all(stores.map(content => copyBlob(providerOf(big), content, targetOf(big))))
    for (const content of stores) t.true(big.equals(await readBlob(content, targetOf(big))))
    t.is((await all(backend.list())).length, 1)
    t.deepEqual(await all(backend.statuses()), [])
  }
})

test('the same blob copied twice at once in one namespace: the second waits for the first', async t => {
  const { content } = open(t)
  const big = randomBytes('wait', 50_000)
  const source = providerOf(big)
  await Promise.all([1, 2, 3].map(() => copyBlob(source, content, targetOf(big))))
  t.deepEqual(source.reads, [0])
})

test('scope() makes stores of one namespace and lease', async t => {
  const { metadata } = open(t)
  const scope = metadata.scope({ namespace: 'a', lease: 'l' })
  t.is(scope.namespace, 'a')
  t.is(scope.lease, 'l')
  await scope.leases.create({ id: 'l' })
  await put(scope.content, bytes)
  t.deepEqual(
    (await all(metadata.namespaces.list())).map(({ name }) => name),
    ['a'],
  )
  t.throws(() => metadata.scope({ namespace: '' }), { code: 'FAILED_PRECONDITION' })
  const other = metadata.scope({ namespace: 'b' })
  await t.throwsAsync(other.content.info(digestOf(bytes)), { code: 'NOT_FOUND' })
})

test('abort() of an ingest that is not there leaves what the lease holds as it was', async t => {
  const store = open(t)
  await store.leases.create({ id: 'l' })
  await store.leases.addResource('l', { type: 'ingests', id: 'r' })
  const { content } = store.metadata.scope({ namespace: 'default', lease: 'l' })
  await t.throwsAsync(content.abort('r'), { code: 'NOT_FOUND' })
  t.deepEqual(await held(store, 'l'), ['ingests r'])
})
