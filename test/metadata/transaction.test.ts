import test from 'ava'
import fc from 'fast-check'
import type { Op } from '../../src/metadata/kv.ts'
import { MemoryKeyValue } from '../../src/metadata/memory-kv.ts'
import { Transaction } from '../../src/metadata/transaction.ts'
import { entries, keysOf } from '../suites/key-value.ts'

const over = async (keys: readonly string[]): Promise<Transaction> => {
  const kv = new MemoryKeyValue()
  await kv.commit(keys.map(key => ({ type: 'put', key, value: 'base' })))
  return new Transaction(kv.snapshot())
}

test('get() shows changes before what lies beneath', async t => {
  const tx = await over(['a', 'b'])
  tx.put('a', 'new')
  tx.delete('b')
  tx.put('c', null)
  t.deepEqual(
    [await tx.get('a'), await tx.get('b'), await tx.get('c'), await tx.get('d')],
    ['new', undefined, null, undefined],
  )
})

test('range() with a deletion as the first, a middle and the last key', async t => {
  const tx = await over(['a', 'b', 'c', 'd'])
  for (const key of ['a', 'c', 'd', 'x']) tx.delete(key)
  t.deepEqual(await keysOf(tx), ['b'])
})

test('range() counts its limit after deletions and insertions', async t => {
  const tx = await over(['b', 'c', 'd', 'e'])
  tx.delete('b')
  tx.put('a', 1)
  tx.put('cc', 1)
  t.deepEqual(await keysOf(tx, '', { limit: 3 }), ['a', 'c', 'cc'])
  t.deepEqual(await keysOf(tx, '', { limit: 0 }), [])
  t.deepEqual(await keysOf(tx, '', { limit: 2, after: 'cc' }), ['d', 'e'])
})

test('range() does not show what is changed while it is read', async t => {
  const tx = await over(['a', 'b', 'c'])
  tx.put('aa', 1)
  const seen: string[] = []
  for await (const { key } of tx.range('')) {
    seen.push(key)
    tx.delete(key)
    tx.put(`${key}z`, 1)
  }
  t.deepEqual(seen, ['a', 'aa', 'b', 'c'])
  t.deepEqual(await keysOf(tx), ['aaz', 'az', 'bz', 'cz'])
})

test('range() surfaces the reason of an aborted signal, and so does get()', async t => {
  const tx = await over(['a'])
  const reason = new Error('enough')
  const signal = AbortSignal.abort(reason)
  t.is(await t.throwsAsync(keysOf(tx, '', { signal })), reason)
  t.is(await t.throwsAsync(tx.get('a', { signal })), reason)
})

test('ops() has one change a key, the last', async t => {
  const tx = await over([])
  tx.put('a', 1)
  tx.put('b', 1)
  tx.delete('a')
  tx.put('b', 2)
  t.deepEqual(tx.ops(), [
    { type: 'delete', key: 'a' },
    { type: 'put', key: 'b', value: 2 },
  ])
})

const key = fc.string({ unit: fc.constantFrom('a', 'b', '/', '~'), minLength: 1, maxLength: 3 })
const op: fc.Arbitrary<Op> = fc.oneof(
  fc.record({ type: fc.constant('put' as const), key, value: fc.nat() }),
  fc.record({ type: fc.constant('delete' as const), key }),
)

test('range() and get() over any layers of changes read as one map', async t => {
  const layers = fc.array(fc.array(op, { maxLength: 12 }), { minLength: 1, maxLength: 4 })
  const range = fc.record({ prefix: fc.oneof(fc.constant(''), key), after: key, limit: fc.nat({ max: 8 }) })
  await fc.assert(
    fc.asyncProperty(layers, range, async ([first = [], ...rest], { prefix, after, limit }) => {
      const kv = new MemoryKeyValue()
      await kv.commit(first)
      const model = new Map<string, unknown>()
      for (const change of [first, ...rest].flat()) {
        if (change.type === 'put') model.set(change.key, change.value)
        else model.delete(change.key)
      }
      let view = new Transaction(kv.snapshot())
      for (const changes of rest) {
        view = new Transaction(view)
        for (const change of changes) {
          if (change.type === 'put') view.put(change.key, change.value)
          else view.delete(change.key)
        }
      }
      const all = [...model].sort(([a], [b]) => (a < b ? -1 : 1)).map(([at, value]) => ({ key: at, value }))
      const wanted = all.filter(entry => entry.key.startsWith(prefix))
      const later = wanted.filter(entry => entry.key > after)
      t.deepEqual(await entries(view, prefix), wanted)
      t.deepEqual(
        (await keysOf(view, prefix, { after, limit })).join(),
        later
          .slice(0, limit)
          .map(entry => entry.key)
          .join(),
      )
      for (const { key: at, value } of all) t.deepEqual(await view.get(at), value)
    }),
    { numRuns: 400 },
  )
})

test('range() gives raw values, those of changes too', async t => {
  const tx = await over(['a', 'b'])
  tx.put('b', { new: 1 })
  t.deepEqual(await entries(tx, '', { raw: true }), [
    { key: 'a', value: '"base"' },
    { key: 'b', value: '{"new":1}' },
  ])
})
