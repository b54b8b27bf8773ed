import test from 'ava'
import { type Migration, openDatabase } from '../../src/metadata/migrations.ts'
import { entries } from '../suites/key-value.ts'
import { CountingKeyValue } from '../support/counting-kv.ts'

const first: Migration = { to: 1, release: '0.1' }
const second: Migration = {
  to: 2,
  release: '0.4',
  run: async tx => tx.put('trace', `${(await tx.get('trace')) ?? ''}2`),
}
const third: Migration = {
  to: 3,
  release: '1.0',
  run: async tx => tx.put('trace', `${(await tx.get('trace')) ?? ''}3`),
}

const dump = async (kv: CountingKeyValue): Promise<Record<string, unknown>> => {
  await using snapshot = kv.snapshot()
  return Object.fromEntries((await entries(snapshot)).map(({ key, value }) => [key, value]))
}

const holding = async (records: Record<string, unknown>): Promise<CountingKeyValue> => {
  const kv = new CountingKeyValue()
  await kv.commit(Object.entries(records).map(([key, value]) => ({ type: 'put', key, value })))
  kv.commits.length = 0
  return kv
}

test('openDatabase() stamps a new database and runs nothing on it', async t => {
  const kv = await holding({})
  await openDatabase(kv, { migrations: [first, second] })
  t.deepEqual(await dump(kv), { version: { schema: 2, release: '0.4' } })
})

test('openDatabase() of this release writes schema 1 and leaves it from then on', async t => {
  const kv = await holding({})
  await openDatabase(kv)
  t.deepEqual(await dump(kv), { version: { schema: 1, release: '0.1' } })
  const db = await openDatabase(kv)
  t.is(kv.commits.length, 1)
  await db.update(async tx => tx.put('a', 1))
  t.is(await db.view(view => view.get('a')), 1)
})

test('openDatabase() upgrades an older one step by step, in one commit', async t => {
  const kv = await holding({ version: { schema: 1, release: '0.1' }, trace: '1' })
  await openDatabase(kv, { migrations: [first, second, third] })
  t.deepEqual(await dump(kv), { version: { schema: 3, release: '1.0' }, trace: '123' })
  t.is(kv.commits.length, 1)
})

test('openDatabase() runs only the steps that are missing', async t => {
  const kv = await holding({ version: { schema: 2, release: '0.4' } })
  await openDatabase(kv, { migrations: [first, second, third] })
  t.deepEqual(await dump(kv), { version: { schema: 3, release: '1.0' }, trace: '3' })
})

test('openDatabase() whose upgrade fails changes nothing and closes the engine', async t => {
  const kv = await holding({ version: { schema: 1, release: '0.1' } })
  const broken: Migration = {
    ...third,
    run: async tx => {
      tx.put('trace', 'half')
      throw new Error('broken')
    },
  }
  await t.throwsAsync(openDatabase(kv, { migrations: [first, second, broken] }), { message: 'broken' })
  t.deepEqual(kv.commits, [])
  t.is(kv.closed, 1)
})

test('openDatabase() of one that a newer release wrote says which release is needed', async t => {
  const kv = await holding({ version: { schema: 7, release: '2.3' }, a: 1 })
  await t.throwsAsync(openDatabase(kv), {
    code: 'FAILED_PRECONDITION',
    message: /schema 7.*up to 1.*use orlop 2\.3 or newer/,
  })
  t.deepEqual(kv.commits, [])
  t.is(kv.closed, 1)
})

test("openDatabase() of another program's records is FAILED_PRECONDITION and touches nothing", async t => {
  const kv = await holding({ foreign: 1 })
  await t.throwsAsync(openDatabase(kv), { code: 'FAILED_PRECONDITION', message: /foreign.*another root/ })
  t.deepEqual(kv.commits, [])
})

const damaged = test.macro({
  async exec(t, value: unknown) {
    const kv = await holding({ version: value })
    await t.throwsAsync(openDatabase(kv), { code: 'DATA_LOSS', message: /the record version cannot be read/ })
    t.deepEqual(kv.commits, [])
  },
  title: (_, value) => `openDatabase() with ${JSON.stringify(value)} as version is DATA_LOSS`,
})

test(damaged, null)
test(damaged, 1)
test(damaged, '1')
test(damaged, {})
test(damaged, { schema: 1.5, release: '0.1' })
test(damaged, { schema: -1, release: '0.1' })
test(damaged, { schema: 1 })

test('openDatabase() that cannot commit rejects and closes the engine', async t => {
  const kv = await holding({})
  kv.commitError = new Error('disk full')
  await t.throwsAsync(openDatabase(kv), { message: 'disk full' })
  t.is(kv.closed, 1)
})
