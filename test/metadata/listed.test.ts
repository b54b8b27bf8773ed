import test from 'ava'
import { listed } from '../../src/metadata/listed.ts'
import { all } from '../support/bytes.ts'

test('listed() gives the items, reads them once for each iteration, and not before', async t => {
  let reads = 0
  const list = listed(async () => {
    reads++
    return [1, undefined, 3]
  })
  t.is(reads, 0)
  t.deepEqual(await all(list), [1, undefined, 3])
  t.deepEqual(await all(list), [1, undefined, 3])
  t.is(reads, 2)
})

test('listed() may be asked for items before the first is there', async t => {
  const iterator = listed(async () => ['a', 'b'])[Symbol.asyncIterator]()
  const steps = await Promise.all([iterator.next(), iterator.next(), iterator.next()])
  t.deepEqual(
    steps.map(({ value }) => value),
    ['a', 'b', undefined],
  )
  t.true((await iterator.next()).done)
})

test('listed() ends when its reader does', async t => {
  const iterator = listed(async () => ['a', 'b'])[Symbol.asyncIterator]()
  await iterator.next()
  await iterator.return?.()
  t.true((await iterator.next()).done)
})

test('listed() throws at its first item what reading throws', async t => {
  await t.throwsAsync(all(listed(() => Promise.reject(new Error('gone')))), { message: 'gone' })
})
