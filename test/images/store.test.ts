import test from 'ava'
import { ImageRecords } from '../../src/images/store.ts'
import { Database } from '../../src/metadata/database.ts'
import { Exchange } from '../../src/metadata/exchange.ts'
import { LeaseStore } from '../../src/metadata/leases.ts'
import { openLevel } from '../../src/metadata/level-kv.ts'
import { MemoryKeyValue } from '../../src/metadata/memory-kv.ts'
import { imageKey } from '../../src/metadata/schema.ts'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'
import { imageStoreSuite } from '../suites/image-store.ts'
import { collect } from '../support/image.ts'
import { temporaryDirectory } from '../support/tmp.ts'

const open = (): Database => new Database(new MemoryKeyValue())
const target: Descriptor = { mediaType: mediaTypes.ociManifest, digest: digestOf('x'), size: 1 }
const expiring = { 'containerd.io/gc.expire': '2030-01-01T00:00:00Z' }

imageStoreSuite(
  test,
  'ImageRecords',
  async () => new ImageRecords({ database: open(), namespace: 'default' }),
)

imageStoreSuite(test, 'ImageRecords on LevelDB', async t => {
  const db = new Database(await openLevel(await temporaryDirectory(t)))
  t.teardown(() => db.close())
  return new ImageRecords({ database: db, namespace: 'default' })
})

test('ImageRecords of one namespace does not see those of another', async t => {
  const db = open()
  const ours = new ImageRecords({ database: db, namespace: 'ours' })
  const theirs = new ImageRecords({ database: db, namespace: 'theirs' })
  await ours.create({ name: 'a', target })
  await t.throwsAsync(theirs.get('a'), { code: 'NOT_FOUND' })
  await t.throwsAsync(theirs.delete('a'), { code: 'NOT_FOUND' })
  t.deepEqual(await collect(theirs.list()), [])
  await theirs.create({ name: 'a', target })
  await theirs.delete('a')
  t.is((await ours.get('a')).name, 'a')
})

test('ImageRecords refuses a namespace that is none', t => {
  t.throws(() => new ImageRecords({ database: open(), namespace: '' }), { code: 'FAILED_PRECONDITION' })
  t.throws(() => new ImageRecords({ database: open(), namespace: 'a/b' }), { code: 'INVALID_ARGUMENT' })
})

test('ImageRecords keeps the whole descriptor, where containerd keeps four fields', async t => {
  const db = open()
  const whole: Descriptor = {
    ...target,
    annotations: { a: 'b' },
    urls: ['https://example.org/x'],
    data: 'eA==',
    platform: { os: 'linux', architecture: 'arm', variant: 'v7', osVersion: '1', osFeatures: ['f'] },
    artifactType: 'application/x-thing',
  }
  await new ImageRecords({ database: db, namespace: 'default' }).create({ name: 'a', target: whole })
  t.deepEqual((await new ImageRecords({ database: db, namespace: 'default' }).get('a')).target, whole)
})

test('ImageRecords gives out frozen records that do not share what was put in', async t => {
  const store = new ImageRecords({ database: open(), namespace: 'default' })
  const annotations: Record<string, string> = { a: 'b' }
  const labels: Record<string, string> = { c: 'd' }
  const created = await store.create({ name: 'a', target: { ...target, annotations }, labels })
  annotations.a = 'changed'
  labels.c = 'changed'
  t.deepEqual([created.target.annotations, created.labels], [{ a: 'b' }, { c: 'd' }])
  for (const value of [created, created.target, created.labels, created.target.annotations])
    t.true(Object.isFrozen(value))
  for (const value of [await store.get('a')].flatMap(image => [image, image.target, image.labels]))
    t.true(Object.isFrozen(value))
})

test('ImageRecords takes its time from its options, and keeps createdAt', async t => {
  let at = '2026-01-02T03:04:05.678Z'
  const store = new ImageRecords({ database: open(), namespace: 'default', now: () => new Date(at) })
  await store.create({ name: 'a', target })
  at = '2026-01-02T03:04:06.000Z'
  await store.update('a', { labels: { x: 'y' } })
  const found = await store.get('a')
  t.is(found.createdAt.toISOString(), '2026-01-02T03:04:05.678Z')
  t.is(found.updatedAt.toISOString(), '2026-01-02T03:04:06.000Z')
})

test('ImageRecords never says that an image was updated before it was created', async t => {
  let at = '2026-01-02T00:00:00.000Z'
  const store = new ImageRecords({ database: open(), namespace: 'default', now: () => new Date(at) })
  await store.create({ name: 'a', target })
  at = '2025-01-01T00:00:00.000Z'
  const { createdAt, updatedAt } = await store.update('a', {})
  t.deepEqual(updatedAt, createdAt)
})

test('ImageRecords publishes each change after it is durable', async t => {
  const db = open()
  const events = new Exchange()
  const store = new ImageRecords({ database: db, namespace: 'default', events })
  const seen: Array<readonly [string, unknown, boolean]> = []
  const watching = (async () => {
    for await (const { topic, event, namespace } of events.subscribe()) {
      t.is(namespace, 'default')
      const stored = await db.view(view => view.get(imageKey('default', 'a')))
      seen.push([topic, event, stored !== undefined])
      if (topic === '/images/delete') return
    }
  })()
  await store.create({ name: 'a', target, labels: { x: 'y', empty: '' } })
  await store.update('a', { labels: { z: '1' } })
  await store.delete('a')
  await watching
  t.deepEqual(
    seen.map(([topic, event]) => [topic, event]),
    [
      ['/images/create', { name: 'a', labels: { x: 'y' } }],
      ['/images/update', { name: 'a', labels: { x: 'y', z: '1' } }],
      ['/images/delete', { name: 'a' }],
    ],
  )
})

test('ImageRecords publishes nothing of a change that failed', async t => {
  const published: string[] = []
  const events = { publish: ({ topic }: { readonly topic: string }) => void published.push(topic) }
  const store = new ImageRecords({ database: open(), namespace: 'default', events })
  await store.create({ name: 'a', target })
  await t.throwsAsync(store.create({ name: 'a', target }), { code: 'ALREADY_EXISTS' })
  await t.throwsAsync(store.update('a', { target: { ...target, size: 0 } }), { code: 'INVALID_ARGUMENT' })
  await t.throwsAsync(store.update('b', {}), { code: 'NOT_FOUND' })
  await t.throwsAsync(store.delete('b'), { code: 'NOT_FOUND' })
  t.deepEqual(published, ['/images/create'])
})

test('ImageRecords publishes nothing when the commit fails', async t => {
  const kv = new MemoryKeyValue()
  const failing = {
    snapshot: () => kv.snapshot(),
    commit: async () => Promise.reject(new Error('disk full')),
    [Symbol.asyncDispose]: () => kv[Symbol.asyncDispose](),
  }
  const events = { publish: () => t.fail() }
  const store = new ImageRecords({ database: new Database(failing), namespace: 'default', events })
  await t.throwsAsync(store.create({ name: 'a', target }), { message: 'disk full' })
})

const resources = async (leases: LeaseStore) =>
  (await collect(leases.resources('lease'))).map(({ type, id }) => `${type} ${id}`)

test('ImageRecords adds an image with an expiry to the lease', async t => {
  const db = open()
  const leases = new LeaseStore({ database: db, namespace: 'default' })
  await leases.create({ id: 'lease' })
  const store = new ImageRecords({ database: db, namespace: 'default', lease: 'lease' })
  await store.create({ name: 'a:1', target, labels: expiring })
  await store.create({ name: 'b', target })
  t.deepEqual(await resources(leases), ['images a:1'])
})

test('ImageRecords lets the lease go of an image that is deleted', async t => {
  const db = open()
  const leases = new LeaseStore({ database: db, namespace: 'default' })
  await leases.create({ id: 'lease' })
  const store = new ImageRecords({ database: db, namespace: 'default', lease: 'lease' })
  await store.create({ name: 'a', target, labels: expiring })
  await new ImageRecords({ database: db, namespace: 'default' }).create({
    name: 'b',
    target,
    labels: expiring,
  })
  await store.delete('b')
  t.deepEqual(await resources(leases), ['images a'])
  await store.delete('a')
  t.deepEqual(await resources(leases), [])
})

test('ImageRecords refuses a lease that is not there, and creates nothing', async t => {
  const db = open()
  const store = new ImageRecords({ database: db, namespace: 'default', lease: 'lease' })
  await t.throwsAsync(store.create({ name: 'a', target, labels: expiring }), {
    code: 'NOT_FOUND',
    message: /lease/,
  })
  t.deepEqual(await collect(store.list()), [])
})

test('ImageRecords needs no lease for an image without expiry, nor to delete', async t => {
  const store = new ImageRecords({ database: open(), namespace: 'default', lease: 'lease' })
  await store.create({ name: 'a', target })
  await t.notThrowsAsync(store.delete('a'))
})

test('ImageRecords.list() may be iterated while images are deleted and created', async t => {
  const store = new ImageRecords({ database: open(), namespace: 'default' })
  for (const name of ['a', 'b', 'c']) await store.create({ name, target })
  const found: string[] = []
  for await (const { name } of store.list()) {
    found.push(name)
    await store.delete(name)
    await store.create({ name: `${name}2`, target })
  }
  t.deepEqual(found, ['a', 'b', 'c'])
})

const damaged = test.macro({
  async exec(t, value: unknown) {
    const db = open()
    await db.update(async tx => tx.put(imageKey('default', 'a'), value))
    const store = new ImageRecords({ database: db, namespace: 'default' })
    await t.throwsAsync(store.get('a'), { code: 'DATA_LOSS', message: /v1\/default\/image\/a/ })
    await t.throwsAsync(collect(store.list()), { code: 'DATA_LOSS' })
    await t.throwsAsync(store.update('a', {}), { code: 'DATA_LOSS' })
  },
  title: (_, value) => `ImageRecords finds the damaged record ${JSON.stringify(value)}`,
})

const dates = { createdAt: '2026-01-01T00:00:00.000Z', updatedAt: '2026-01-01T00:00:00.000Z' }

test(damaged, 'text')
test(damaged, {})
test(damaged, { target, labels: {} })
test(damaged, { target: { ...target, digest: 'sha256:1' }, labels: {}, ...dates })
test(damaged, { target, labels: { a: 1 }, ...dates })
test(damaged, { target, labels: {}, ...dates, createdAt: 'yesterday' })
