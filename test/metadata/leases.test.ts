import test from 'ava'
import { Database } from '../../src/metadata/database.ts'
import { addLeaseResource, deleteLease, deleteLeaseResource, LeaseStore } from '../../src/metadata/leases.ts'
import { MemoryKeyValue } from '../../src/metadata/memory-kv.ts'
import { leaseKey } from '../../src/metadata/schema.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { keysOf } from '../suites/key-value.ts'
import { leaseSuite } from '../suites/leases.ts'

const open = (): Database => new Database(new MemoryKeyValue())
const digest = digestOf('x')

leaseSuite(test, 'LeaseStore', async () => new LeaseStore({ database: open(), namespace: 'default' }))

test('LeaseStore takes its time and ids from its options', async t => {
  const now = (): Date => new Date('2026-01-02T03:04:05.678Z')
  const leases = new LeaseStore({ database: open(), namespace: 'default', now, id: () => 'fixed' })
  t.deepEqual(await leases.create({ expiresIn: 1000 }), {
    id: 'fixed',
    labels: { 'containerd.io/gc.expire': '2026-01-02T03:04:06.678Z' },
    createdAt: now(),
  })
})

test('LeaseStore writes one record a lease and one a thing held, and lists its namespace', async t => {
  const db = open()
  const leases = new LeaseStore({ database: db, namespace: 'default' })
  await leases.create({ id: 'a' })
  await leases.addResource('a', { type: 'content', id: digest })
  t.deepEqual(await db.view(view => keysOf(view)), [
    'namespaces/default',
    `v1/default/lease-resource/a/content/${digest}`,
    'v1/default/lease/a',
  ])
})

test('LeaseStore of one namespace does not see those of another', async t => {
  const db = open()
  const ours = new LeaseStore({ database: db, namespace: 'ours' })
  const theirs = new LeaseStore({ database: db, namespace: 'theirs' })
  await ours.create({ id: 'a' })
  await t.throwsAsync(theirs.delete('a'), { code: 'NOT_FOUND' })
  await theirs.create({ id: 'a' })
  await theirs.addResource('a', { type: 'images', id: 'x' })
  for await (const resource of ours.resources('a')) t.fail(`${resource.id} is theirs`)
})

test('LeaseStore refuses a namespace that is none', t => {
  t.throws(() => new LeaseStore({ database: open(), namespace: '' }), { code: 'FAILED_PRECONDITION' })
  t.throws(() => new LeaseStore({ database: open(), namespace: 'a/b' }), { code: 'INVALID_ARGUMENT' })
})

test('LeaseStore.list() of a damaged record is DATA_LOSS and names its key', async t => {
  const db = open()
  await db.update(async tx => tx.put(leaseKey('default', 'a'), { labels: {} }))
  const reading = async (): Promise<void> => {
    for await (const lease of new LeaseStore({ database: db, namespace: 'default' }).list()) t.fail(lease.id)
  }
  await t.throwsAsync(reading(), { code: 'DATA_LOSS', message: /v1\/default\/lease\/a/ })
})

test('LeaseStore.list() may be left, and leases deleted while it is read', async t => {
  const leases = new LeaseStore({ database: open(), namespace: 'default' })
  for (const id of ['a', 'b', 'c']) await leases.create({ id })
  for await (const { id } of leases.list()) await leases.delete(id)
  for await (const { id } of leases.list()) t.fail(id)
  t.pass()
})

test('addLeaseResource() counts only if its transaction is committed', async t => {
  const db = open()
  const leases = new LeaseStore({ database: db, namespace: 'default' })
  await leases.create({ id: 'a' })
  const failing = db.update(async tx => {
    await addLeaseResource(tx, 'default', 'a', { type: 'images', id: 'x' })
    throw new Error('no')
  })
  await t.throwsAsync(failing, { message: 'no' })
  for await (const { id } of leases.resources('a')) t.fail(id)
})

test('addLeaseResource() to a lease that was deleted before in the transaction is NOT_FOUND', async t => {
  const db = open()
  await new LeaseStore({ database: db, namespace: 'default' }).create({ id: 'a' })
  const adding = db.update(async tx => {
    await deleteLease(tx, 'default', 'a')
    await addLeaseResource(tx, 'default', 'a', { type: 'images', id: 'x' })
  })
  await t.throwsAsync(adding, { code: 'NOT_FOUND', message: 'lease "a" does not exist' })
})

test('deleteLeaseResource() and deleteLease() of what is absent change nothing and are no error', async t => {
  const db = open()
  await db.update(async tx => {
    deleteLeaseResource(tx, 'default', 'a', { type: 'images', id: 'x' })
    await deleteLease(tx, 'default', 'a')
  })
  t.deepEqual(await db.view(view => keysOf(view)), [])
})
