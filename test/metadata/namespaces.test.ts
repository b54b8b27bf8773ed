import test from 'ava'
import { Database } from '../../src/metadata/database.ts'
import type { Envelope } from '../../src/metadata/exchange.ts'
import { LeaseStore } from '../../src/metadata/leases.ts'
import { MemoryKeyValue } from '../../src/metadata/memory-kv.ts'
import { type Namespace, NamespaceStore } from '../../src/metadata/namespaces.ts'
import { contentKey, imageKey, ingestKey, nextSequence, touchNamespace } from '../../src/metadata/schema.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { keysOf } from '../suites/key-value.ts'

const open = () => {
  const published: Array<Omit<Envelope, 'timestamp'>> = []
  const db = new Database(new MemoryKeyValue())
  const namespaces = new NamespaceStore({ database: db, events: { publish: event => published.push(event) } })
  return { db, namespaces, published }
}

const all = async (namespaces: NamespaceStore): Promise<Namespace[]> => {
  const list: Namespace[] = []
  for await (const namespace of namespaces.list()) list.push(namespace)
  return list
}

test('create() makes a namespace with its labels, and says so there', async t => {
  const { namespaces, published } = open()
  const namespace = await namespaces.create('a', { b: 'c', empty: '' })
  t.deepEqual(namespace, { name: 'a', labels: { b: 'c' } })
  t.deepEqual(await namespaces.labels('a'), { b: 'c' })
  t.deepEqual(published, [
    { namespace: 'a', topic: '/namespaces/create', event: { name: 'a', labels: { b: 'c' } } },
  ])
})

test('create() of one that is there is ALREADY_EXISTS, without an event', async t => {
  const { namespaces, published } = open()
  await namespaces.create('a', { b: 'c' })
  await t.throwsAsync(namespaces.create('a'), { code: 'ALREADY_EXISTS', message: /"a"/ })
  t.deepEqual(await namespaces.labels('a'), { b: 'c' })
  t.is(published.length, 1)
})

const refuses = test.macro({
  async exec(t, name: string, code: string) {
    const { namespaces, published } = open()
    await t.throwsAsync(namespaces.create(name), { code })
    await t.throwsAsync(namespaces.labels(name), { code })
    await t.throwsAsync(namespaces.update(name, { labels: {} }), { code })
    await t.throwsAsync(namespaces.delete(name), { code })
    t.deepEqual(await all(namespaces), [])
    t.deepEqual(published, [])
  },
  title: (_, name) => `${JSON.stringify(name)} is no namespace`,
})

test(refuses, '', 'FAILED_PRECONDITION')
test(refuses, 'a/b', 'INVALID_ARGUMENT')
test(refuses, '..', 'INVALID_ARGUMENT')
test(refuses, 'a'.repeat(77), 'INVALID_ARGUMENT')

test('create() and update() refuse a label over its limit and change nothing', async t => {
  const { namespaces, published } = open()
  const labels = { a: 'x'.repeat(4096) }
  await t.throwsAsync(namespaces.create('a', labels), { code: 'INVALID_ARGUMENT', message: /^namespace a: / })
  await t.throwsAsync(namespaces.update('a', { labels }), { code: 'INVALID_ARGUMENT' })
  t.deepEqual(await all(namespaces), [])
  t.deepEqual(published, [])
})

test('labels() of a namespace that is absent are empty, as in containerd', async t => {
  t.deepEqual(await open().namespaces.labels('absent'), {})
})

test('update() merges, removes and replaces labels, and says what there is then', async t => {
  const { namespaces, published } = open()
  await namespaces.create('a', { b: '1', c: '1' })
  t.deepEqual((await namespaces.update('a', { labels: { b: '2', c: null, d: '' } })).labels, { b: '2' })
  t.deepEqual((await namespaces.update('a', { labels: { e: '3' }, replace: true })).labels, { e: '3' })
  t.deepEqual(await namespaces.labels('a'), { e: '3' })
  t.deepEqual(published.at(-1), {
    namespace: 'a',
    topic: '/namespaces/update',
    event: { name: 'a', labels: { e: '3' } },
  })
})

test('update() of a namespace that is absent makes it, as in containerd', async t => {
  const { namespaces } = open()
  await namespaces.update('a', { labels: { b: 'c' } })
  t.deepEqual(await all(namespaces), [{ name: 'a', labels: { b: 'c' } }])
})

test('list() has the namespaces in byte order, also those that a record brought into being', async t => {
  const { db, namespaces } = open()
  for (const name of ['b', 'a.b', 'B', 'a-b', 'a']) await namespaces.create(name)
  await new LeaseStore({ database: db, namespace: 'a_b' }).create({ id: 'x' })
  t.deepEqual(
    (await all(namespaces)).map(({ name }) => name),
    ['B', 'a', 'a-b', 'a.b', 'a_b', 'b'],
  )
})

test('delete() removes a namespace with its leases and ingests, and no other', async t => {
  const { db, namespaces, published } = open()
  for (const namespace of ['a', 'a-b', 'ab']) {
    const leases = new LeaseStore({ database: db, namespace })
    await leases.create({ id: 'l' })
    await leases.addResource('l', { type: 'images', id: 'x' })
    await db.update(async tx => tx.put(ingestKey(namespace, 'r'), {}))
  }
  await namespaces.delete('a')
  t.deepEqual(
    (await all(namespaces)).map(({ name }) => name),
    ['a-b', 'ab'],
  )
  t.deepEqual(await db.view(view => keysOf(view, 'v1/a/')), [])
  t.is((await db.view(view => keysOf(view, 'v1/a-b/'))).length, 3)
  t.is((await db.view(view => keysOf(view, 'v1/ab/'))).length, 3)
  t.deepEqual(published, [{ namespace: 'a', topic: '/namespaces/delete', event: { name: 'a' } }])
})

test('delete() of a namespace that is absent is NOT_FOUND', async t => {
  const { namespaces, published } = open()
  await t.throwsAsync(namespaces.delete('a'), { code: 'NOT_FOUND' })
  t.deepEqual(published, [])
})

const full = test.macro({
  async exec(t, kinds: readonly string[], said: string) {
    const { db, namespaces, published } = open()
    await db.update(async tx => {
      await touchNamespace(tx, 'a')
      if (kinds.includes('image')) tx.put(imageKey('a', 'x'), {})
      if (kinds.includes('blob')) for (const text of ['x', 'y']) tx.put(contentKey('a', digestOf(text)), {})
    })
    const before = await db.view(view => keysOf(view))
    await t.throwsAsync(namespaces.delete('a'), {
      code: 'FAILED_PRECONDITION',
      message: `namespace "a" must be empty, but it still has ${said}; delete these first`,
    })
    t.deepEqual(await db.view(view => keysOf(view)), before)
    t.deepEqual(published, [])
  },
  title: (_, kinds: readonly string[]) => `delete() refuses a namespace with ${kinds.join(' and ')}`,
})

test(full, ['image'], 'images')
test(full, ['blob'], 'blobs')
test(full, ['image', 'blob'], 'images, blobs')

test('delete() keeps the sequence, so that numbers are never given out twice', async t => {
  const { db, namespaces } = open()
  const next = () =>
    db.update(async tx => {
      await touchNamespace(tx, 'a')
      return nextSequence(tx, 'a')
    })
  t.is(await next(), 1)
  await namespaces.delete('a')
  t.deepEqual(await all(namespaces), [])
  t.is(await next(), 2)
})

test('a NamespaceStore without events works too', async t => {
  const namespaces = new NamespaceStore({ database: new Database(new MemoryKeyValue()) })
  await namespaces.create('a')
  await namespaces.update('a', { labels: { b: 'c' } })
  await namespaces.delete('a')
  t.deepEqual(await all(namespaces), [])
})
