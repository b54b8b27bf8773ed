import test from 'ava'
import { Database } from '../../src/metadata/database.ts'
import type { Op } from '../../src/metadata/kv.ts'
import { CountingKeyValue } from '../support/counting-kv.ts'

test('journal() tells of keys that are put after it, each once, and not of deletions', async t => {
  await using database = new Database(new CountingKeyValue())
  await database.update(async tx => tx.put('before', 1))
  using journal = await database.journal()
  await database.update(async tx => {
    tx.put('a', 1)
    tx.delete('before')
  })
  await database.update(async tx => tx.put('a', 2))
  t.deepEqual(journal.take(), ['a'])
  t.deepEqual(journal.take(), [])
})

test('journal() tells an update what those before it in its batch have put', async t => {
  await using database = new Database(new CountingKeyValue())
  using journal = await database.journal()
  const first = database.update(async tx => tx.put('a', 1))
  const second = database.update(async () => journal.take())
  const third = database.update(async tx => tx.put('b', 1))
  t.deepEqual(await second, ['a'])
  await Promise.all([first, third])
  t.deepEqual(journal.take(), ['b'])
})

test('what journal() does not tell of, a view that is opened after it shows', async t => {
  await using database = new Database(new CountingKeyValue())
  const earlier = database.update(async tx => tx.put('a', 1))
  using journal = await database.journal()
  const seen = await database.view(view => view.get('a'))
  t.is(seen, 1)
  t.deepEqual(journal.take(), [])
  await earlier
})

test('journal() says nothing of an update that failed, nor after it was disposed', async t => {
  await using database = new Database(new CountingKeyValue())
  const journal = await database.journal()
  await t.throwsAsync(
    database.update(async tx => {
      tx.put('a', 1)
      throw new Error('no')
    }),
  )
  t.deepEqual(journal.take(), [])
  journal[Symbol.dispose]()
  await database.update(async tx => tx.put('b', 1))
  t.deepEqual(journal.take(), [])
})

test('watch() hears of changes once they are durable, until it is disposed', async t => {
  const kv = new CountingKeyValue()
  await using database = new Database(kv)
  const heard: (readonly Op[])[] = []
  const watching = database.watch(ops => {
    t.is(kv.commits.length, heard.length + 1)
    heard.push(ops)
  })
  await database.update(async tx => tx.put('a', 1))
  await database.update(async () => undefined)
  kv.commitError = new Error('no')
  await t.throwsAsync(database.update(async tx => tx.put('b', 1)))
  t.deepEqual(heard, [[{ type: 'put', key: 'a', value: 1 }]])
  watching[Symbol.dispose]()
  await database.update(async tx => tx.put('c', 1))
  t.is(heard.length, 1)
})
