import test from 'ava'
import { Database } from '../../src/metadata/database.ts'
import { LeaseStore } from '../../src/metadata/leases.ts'
import { MemoryKeyValue } from '../../src/metadata/memory-kv.ts'
import { withLease } from '../../src/metadata/with-lease.ts'

const now = (): Date => new Date('2026-01-02T00:00:00.000Z')
const open = (): LeaseStore =>
  new LeaseStore({ database: new Database(new MemoryKeyValue()), namespace: 'default', now })
const left = async (leases: LeaseStore): Promise<string[]> => {
  const ids: string[] = []
  for await (const { id } of leases.list()) ids.push(id)
  return ids
}

test('withLease() gives the work a lease of a day and deletes it afterwards', async t => {
  const leases = open()
  const result = await withLease(leases, {}, async lease => {
    t.deepEqual(await left(leases), [lease.id])
    t.is(lease.labels['containerd.io/gc.expire'], '2026-01-03T00:00:00.000Z')
    return 7
  })
  t.is(result, 7)
  t.deepEqual(await left(leases), [])
})

test('withLease() passes id, labels and expiresIn on', async t => {
  await withLease(open(), { id: 'a', labels: { b: 'c' }, expiresIn: 1000 }, async ({ id, labels }) => {
    t.deepEqual([id, labels], ['a', { b: 'c', 'containerd.io/gc.expire': '2026-01-02T00:00:01.000Z' }])
  })
})

test('withLease() deletes the lease when the work fails, and rejects with that failure', async t => {
  const leases = open()
  const failure = new Error('no')
  const failing = withLease(leases, {}, async () => {
    throw failure
  })
  t.is(await t.throwsAsync(failing), failure)
  t.deepEqual(await left(leases), [])
})

test('withLease() deletes the lease when the work is aborted', async t => {
  const leases = open()
  const control = new AbortController()
  const reason = new Error('enough')
  const working = withLease(leases, { signal: control.signal }, async () => {
    control.abort(reason)
    control.signal.throwIfAborted()
  })
  t.is(await t.throwsAsync(working), reason)
  t.deepEqual(await left(leases), [])
})

test('withLease() rejects with the first error when deleting fails too', async t => {
  const leases = open()
  const first = new Error('first')
  const broken = {
    create: leases.create.bind(leases),
    delete: async () => {
      throw new Error('second')
    },
  }
  const failing = withLease(broken, {}, async () => {
    throw first
  })
  t.is(await t.throwsAsync(failing), first)
  await t.throwsAsync(
    withLease(broken, {}, async () => 1),
    { message: 'second' },
  )
})

test('withLease() is content when the lease was deleted meanwhile', async t => {
  const leases = open()
  t.is(
    await withLease(leases, {}, async ({ id }) => {
      await leases.delete(id)
      return 7
    }),
    7,
  )
})

test('withLease() does not run the work when there is no lease to be had', async t => {
  const leases = open()
  await leases.create({ id: 'a' })
  await t.throwsAsync(
    withLease(leases, { id: 'a' }, async () => t.fail('it ran')),
    { code: 'ALREADY_EXISTS' },
  )
  t.deepEqual(await left(leases), ['a'])
})
