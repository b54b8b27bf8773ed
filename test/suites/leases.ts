import type { ExecutionContext, TestFn } from 'ava'
import type { Lease, LeaseManager, LeaseResources } from '../../src/metadata/lease-types.ts'
import type { LeaseResource } from '../../src/metadata/schema.ts'
import { digestOf } from '../../src/oci/digest.ts'

type Leases = LeaseManager & LeaseResources

const all = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}
const ids = async (leases: AsyncIterable<Lease>): Promise<string[]> => (await all(leases)).map(({ id }) => id)
const digest = digestOf('x')

/** What every lease manager must do, on the database or behind gRPC. */
export function leaseSuite(test: TestFn, name: string, open: (t: ExecutionContext) => Promise<Leases>): void {
  test(`${name}: create() gives the lease with its id, labels and date`, async t => {
    const leases = await open(t)
    const before = Date.now()
    const lease = await leases.create({ id: 'a', labels: { b: 'c', empty: '' } })
    t.deepEqual([lease.id, lease.labels], ['a', { b: 'c' }])
    t.true(lease.createdAt.getTime() >= before - 1000)
    t.deepEqual(await all(leases.list()), [lease])
  })

  test(`${name}: create() without an id makes one each time`, async t => {
    const leases = await open(t)
    const [one, two] = [await leases.create(), await leases.create({})]
    t.regex(one.id, /^\d{1,9}-[\w-]{4}$/)
    t.not(one.id, two.id)
    t.deepEqual(one.labels, {})
  })

  test(`${name}: create() of an id that is there is ALREADY_EXISTS and changes nothing`, async t => {
    const leases = await open(t)
    const lease = await leases.create({ id: 'a', labels: { b: 'c' } })
    await t.throwsAsync(leases.create({ id: 'a' }), { code: 'ALREADY_EXISTS', message: /"a"/ })
    t.deepEqual(await all(leases.list()), [lease])
  })

  test(`${name}: create() refuses an empty id and a time that is none`, async t => {
    const leases = await open(t)
    await t.throwsAsync(leases.create({ id: '' }), { code: 'INVALID_ARGUMENT' })
    for (const expiresIn of [Number.NaN, Number.POSITIVE_INFINITY]) {
      await t.throwsAsync(leases.create({ expiresIn }), { code: 'INVALID_ARGUMENT' })
    }
    t.deepEqual(await all(leases.list()), [])
  })

  test(`${name}: create() takes labels of any size, as containerd does for leases`, async t => {
    const leases = await open(t)
    const lease = await leases.create({ labels: { a: 'x'.repeat(5000) } })
    t.is(lease.labels.a?.length, 5000)
  })

  test(`${name}: create() with expiresIn sets the label that the collector reads`, async t => {
    const leases = await open(t)
    const before = Date.now()
    const { labels } = await leases.create({ labels: { a: 'b' }, expiresIn: 60_000 })
    const expires = Date.parse(labels['containerd.io/gc.expire'] ?? '')
    t.true(expires >= before + 59_000 && expires <= Date.now() + 61_000)
    t.is(labels.a, 'b')
  })

  test(`${name}: list() is in byte order of the ids and takes filters`, async t => {
    const leases = await open(t)
    for (const id of ['b', 'a/b', 'é', 'a', 'B', 'a-b'])
      await leases.create({ id, labels: { id, even: 'no' } })
    t.deepEqual(await ids(leases.list()), ['B', 'a', 'a-b', 'a/b', 'b', 'é'])
    t.deepEqual(await ids(leases.list(['id==a'])), ['a'])
    t.deepEqual(await ids(leases.list(['id==a', 'labels.id==b'])), ['a', 'b'])
    t.deepEqual(await ids(leases.list(['labels.even==no,id~=/^a/'])), ['a', 'a-b', 'a/b'])
    t.deepEqual(await ids(leases.list(['labels.odd'])), [])
    t.deepEqual(await ids(leases.list(['name==a'])), [])
  })

  test(`${name}: list() refuses a filter that cannot be read`, async t => {
    const leases = await open(t)
    await t.throwsAsync(async () => all(leases.list(['id=='])), { code: 'INVALID_ARGUMENT' })
  })

  test(`${name}: list() shows leases that are past their time`, async t => {
    const leases = await open(t)
    await leases.create({ id: 'a', expiresIn: -60_000 })
    t.deepEqual(await ids(leases.list()), ['a'])
  })

  test(`${name}: delete() removes the lease and all it held`, async t => {
    const leases = await open(t)
    await leases.create({ id: 'a' })
    await leases.create({ id: 'a/content' })
    await leases.addResource('a', { type: 'content', id: digest })
    await leases.addResource('a/content', { type: 'content', id: digest })
    await leases.delete('a')
    t.deepEqual(await ids(leases.list()), ['a/content'])
    t.is((await all(leases.resources('a/content'))).length, 1)
    await leases.create({ id: 'a' })
    t.deepEqual(await all(leases.resources('a')), [])
  })

  test(`${name}: everything about a lease that is absent is NOT_FOUND`, async t => {
    const leases = await open(t)
    await leases.create({ id: 'ab' })
    const resource = { type: 'content', id: digest }
    for (const id of ['a', 'abc', '']) {
      await t.throwsAsync(leases.delete(id), { code: 'NOT_FOUND' })
      await t.throwsAsync(leases.addResource(id, resource), { code: 'NOT_FOUND' })
      await t.throwsAsync(leases.deleteResource(id, resource), { code: 'NOT_FOUND' })
      await t.throwsAsync(all(leases.resources(id)), { code: 'NOT_FOUND' })
    }
    await t.throwsAsync(leases.addResource('a', resource), { message: /lease "a" does not exist/ })
  })

  test(`${name}: resources() lists content, images, ingests and snapshots, each once`, async t => {
    const leases = await open(t)
    await leases.create({ id: 'a' })
    const held: LeaseResource[] = [
      { type: 'content', id: digest },
      { type: 'images', id: 'docker.io/library/a:1' },
      { type: 'ingests', id: 'layer/1' },
      { type: 'ingests', id: 'é ~' },
      { type: 'snapshots/overlayfs', id: 'sha256:x/y' },
    ]
    for (const resource of [...held, ...held].reverse()) await leases.addResource('a', resource)
    t.deepEqual(await all(leases.resources('a')), held)
  })

  test(`${name}: deleteResource() lets go of one, and of what was not held without an error`, async t => {
    const leases = await open(t)
    await leases.create({ id: 'a' })
    for (const id of ['one', 'two']) await leases.addResource('a', { type: 'ingests', id })
    await leases.deleteResource('a', { type: 'ingests', id: 'one' })
    await leases.deleteResource('a', { type: 'ingests', id: 'one' })
    await leases.deleteResource('a', { type: 'images', id: 'two' })
    t.deepEqual(await all(leases.resources('a')), [{ type: 'ingests', id: 'two' }])
  })

  const refuses = test.macro({
    async exec(t, resource: LeaseResource, code: string) {
      const leases = await open(t)
      await leases.create({ id: 'a' })
      await t.throwsAsync(leases.addResource('a', resource), { code })
      await t.throwsAsync(leases.deleteResource('a', resource), { code })
      t.deepEqual(await all(leases.resources('a')), [])
    },
    title: (_, resource) => `${name}: a lease does not hold ${JSON.stringify(resource)}`,
  })

  test(refuses, { type: 'content', id: 'sha256:0' }, 'INVALID_ARGUMENT')
  test(refuses, { type: 'content', id: '' }, 'INVALID_ARGUMENT')
  test(refuses, { type: 'content/x', id: digest }, 'INVALID_ARGUMENT')
  test(refuses, { type: 'content/', id: digest }, 'INVALID_ARGUMENT')
  test(refuses, { type: 'ingests/x', id: 'a' }, 'INVALID_ARGUMENT')
  test(refuses, { type: 'ingests', id: '' }, 'INVALID_ARGUMENT')
  test(refuses, { type: 'images/x', id: 'a' }, 'INVALID_ARGUMENT')
  test(refuses, { type: 'snapshots', id: 'a' }, 'INVALID_ARGUMENT')
  test(refuses, { type: 'snapshots/', id: 'a' }, 'INVALID_ARGUMENT')
  test(refuses, { type: 'snapshots/a/b', id: 'a' }, 'INVALID_ARGUMENT')
  test(refuses, { type: 'leases', id: 'a' }, 'UNIMPLEMENTED')
  test(refuses, { type: 'containers', id: 'a' }, 'UNIMPLEMENTED')
  test(refuses, { type: '', id: 'a' }, 'UNIMPLEMENTED')
  test(refuses, { type: 'toString', id: 'a' }, 'UNIMPLEMENTED')

  test(`${name}: an aborted signal stops every call with its reason`, async t => {
    const leases = await open(t)
    await leases.create({ id: 'a' })
    const reason = new Error('enough')
    const options = { signal: AbortSignal.abort(reason) }
    const resource = { type: 'content', id: digest }
    t.is(await t.throwsAsync(leases.create({ id: 'b' }, options)), reason)
    t.is(await t.throwsAsync(leases.delete('a', options)), reason)
    t.is(await t.throwsAsync(leases.addResource('a', resource, options)), reason)
    t.is(await t.throwsAsync(all(leases.list([], options))), reason)
    t.is(await t.throwsAsync(all(leases.resources('a', options))), reason)
    t.deepEqual(await ids(leases.list()), ['a'])
  })
}
