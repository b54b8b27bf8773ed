import test, { type ExecutionContext } from 'ava'
import { Database } from '../../src/metadata/database.ts'
import type { Transaction } from '../../src/metadata/transaction.ts'
import { entries, keysOf } from '../suites/key-value.ts'
import { CountingKeyValue } from '../support/counting-kv.ts'

const open = (t: ExecutionContext): { kv: CountingKeyValue; db: Database } => {
  const kv = new CountingKeyValue()
  const db = new Database(kv)
  t.teardown(() => db.close())
  return { kv, db }
}

const add =
  (key: string, by = 1) =>
  async (tx: Transaction): Promise<number> => {
    const next = Number((await tx.get(key)) ?? 0) + by
    tx.put(key, next)
    return next
  }

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, at) => from + at)

test('update() resolves with what its work returns, and view() sees it', async t => {
  const { db } = open(t)
  t.is(await db.update(add('a')), 1)
  t.is(await db.view(view => view.get('a')), 1)
})

test('update()s asked for together share one commit and see each other in order', async t => {
  const { kv, db } = open(t)
  const results = await Promise.all(range(0, 100).map(() => db.update(add('a'))))
  t.deepEqual(results, range(1, 101))
  t.is(kv.commits.length, 1)
  t.deepEqual(kv.commits[0], [{ type: 'put', key: 'a', value: 100 }])
})

test('update()s asked for while a commit runs share the next one', async t => {
  const { kv, db } = open(t)
  let release = (): void => {}
  kv.gate = new Promise(resolve => {
    release = resolve
  })
  const first = db.update(add('a'))
  // The first batch is taken once its work has run.
  await db.view(view => view.get('a'))
  await new Promise(resolve => setImmediate(resolve))
  const rest = range(0, 10).map(() => db.update(add('a')))
  release()
  t.is(await first, 1)
  t.deepEqual(await Promise.all(rest), range(2, 12))
  t.is(kv.commits.length, 2)
})

test('update()s beyond the limit of a batch go into the next, in order', async t => {
  const { kv, db } = open(t)
  const results = await Promise.all(range(0, 600).map(() => db.update(add('a'))))
  t.deepEqual(results, range(1, 601))
  t.is(kv.commits.length, 3)
})

test('update() whose work throws rejects with that and changes nothing, those beside it go on', async t => {
  const { kv, db } = open(t)
  const failure = new Error('no')
  const before = db.update(add('a'))
  const failing = db.update(async tx => {
    tx.put('a', 'wrong')
    tx.put('b', 'wrong')
    tx.delete('c')
    throw failure
  })
  const after = db.update(add('a'))
  t.is(await t.throwsAsync(failing), failure)
  t.deepEqual([await before, await after], [1, 2])
  t.deepEqual(kv.commits, [[{ type: 'put', key: 'a', value: 2 }]])
  t.deepEqual(await db.view(view => keysOf(view)), ['a'])
})

test('update() whose work throws at once rejects too', async t => {
  const { db } = open(t)
  await t.throwsAsync(
    db.update(() => {
      throw new Error('at once')
    }),
    { message: 'at once' },
  )
  t.is(await db.update(add('a')), 1)
})

test('update() that puts no value fails alone', async t => {
  const { db } = open(t)
  const wrong = db.update(async tx => tx.put('b', undefined))
  const right = db.update(add('a'))
  await t.throwsAsync(wrong, { code: 'INVALID_ARGUMENT', message: /for b/ })
  t.is(await right, 1)
})

test('update() that changes nothing commits nothing', async t => {
  const { kv, db } = open(t)
  t.is(await db.update(async tx => tx.get('a')), undefined)
  t.is(kv.commits.length, 0)
})

test('update() reads its own deletions and those of the one before it in the batch', async t => {
  const { db } = open(t)
  await db.update(async tx => {
    for (const key of ['a', 'b', 'c']) tx.put(key, 1)
  })
  const [, seen] = await Promise.all([
    db.update(async tx => tx.delete('b')),
    db.update(async tx => {
      tx.delete('a')
      return keysOf(tx)
    }),
  ])
  t.deepEqual(seen, ['c'])
  t.deepEqual(await db.view(view => entries(view)), [{ key: 'c', value: 1 }])
})

test('a commit that fails rejects every update of its batch, and later ones work', async t => {
  const { kv, db } = open(t)
  const failure = new Error('disk full')
  kv.commitError = failure
  const results = await Promise.allSettled(range(0, 3).map(() => db.update(add('a'))))
  t.deepEqual(
    results,
    range(0, 3).map(() => ({ status: 'rejected', reason: failure })),
  )
  t.is(await db.view(view => view.get('a')), undefined)
  t.is(await db.update(add('a')), 1)
})

test('a commit that fails leaves the error of an update that failed by itself', async t => {
  const { kv, db } = open(t)
  kv.commitError = new Error('disk full')
  const own = db.update(async () => {
    throw new Error('own')
  })
  const other = db.update(add('a'))
  await t.throwsAsync(own, { message: 'own' })
  await t.throwsAsync(other, { message: 'disk full' })
})

test('a snapshot that fails rejects the batch, and later ones work', async t => {
  const { kv, db } = open(t)
  kv.snapshotError = new Error('no snapshot')
  await t.throwsAsync(Promise.all([db.update(add('a')), db.update(add('a'))]), { message: 'no snapshot' })
  t.is(await db.update(add('a')), 1)
  kv.snapshotError = new Error('no view')
  await t.throwsAsync(
    db.view(async () => 1),
    { message: 'no view' },
  )
})

test('view() keeps its moment while updates go on', async t => {
  const { db } = open(t)
  await db.update(add('a'))
  await db.view(async view => {
    await db.update(add('a'))
    await db.update(add('b'))
    t.is(await view.get('a'), 1)
    t.deepEqual(await keysOf(view), ['a'])
  })
  t.is(await db.view(view => view.get('a')), 2)
})

test('update() under an aborted signal rejects with its reason and does not run', async t => {
  const { kv, db } = open(t)
  const reason = new Error('enough')
  t.is(await t.throwsAsync(db.update(add('a'), { signal: AbortSignal.abort(reason) })), reason)
  const control = new AbortController()
  const waiting = db.update(add('a'), { signal: control.signal })
  control.abort(reason)
  t.is(await t.throwsAsync(waiting), reason)
  t.is(kv.commits.length, 0)
})

test('close() waits for the updates that were asked for, and closes the engine once', async t => {
  const { kv, db } = open(t)
  let release = (): void => {}
  kv.gate = new Promise(resolve => {
    release = resolve
  })
  const updates = range(0, 300).map(() => db.update(add('a')))
  const closing = [db.close(), db.close(), db[Symbol.asyncDispose]()]
  t.is(kv.closed, 0)
  release()
  t.deepEqual(await Promise.all(updates), range(1, 301))
  await Promise.all(closing)
  t.is(kv.closed, 1)
})

test('update() and view() after close() are UNAVAILABLE', async t => {
  const { db } = open(t)
  await db.close()
  await t.throwsAsync(db.update(add('a')), { code: 'UNAVAILABLE' })
  await t.throwsAsync(
    db.view(async () => 1),
    { code: 'UNAVAILABLE' },
  )
})
