import test from 'ava'
import { Gate } from '../../src/metadata/gate.ts'

/** Work that ends when told to, and a log of who started. */
function works() {
  const started: string[] = []
  const ends = new Map<string, () => void>()
  return {
    started,
    work: (name: string) => () => {
      started.push(name)
      return new Promise<void>(resolve => ends.set(name, resolve))
    },
    end: (name: string) => ends.get(name)?.(),
  }
}

/** Lets everything that can go on do so. */
const settle = () => new Promise<void>(resolve => setImmediate(resolve))

test('Gate lets many users in, and a collection only when they are gone', async t => {
  const gate = new Gate()
  const { started, work, end } = works()
  const runs = [gate.shared(work('a')), gate.shared(work('b')), gate.exclusive(work('gc'))]
  await settle()
  t.deepEqual(started, ['a', 'b'])
  end('a')
  await settle()
  t.deepEqual(started, ['a', 'b'])
  end('b')
  await settle()
  t.deepEqual(started, ['a', 'b', 'gc'])
  end('gc')
  await Promise.all(runs)
})

test('Gate lets nobody pass a collection that waits, so that it is not starved', async t => {
  const gate = new Gate()
  const { started, work, end } = works()
  const runs = [gate.shared(work('a')), gate.exclusive(work('gc')), gate.shared(work('b'))]
  await settle()
  t.deepEqual(started, ['a'])
  end('a')
  await settle()
  t.deepEqual(started, ['a', 'gc'])
  end('gc')
  await settle()
  t.deepEqual(started, ['a', 'gc', 'b'])
  end('b')
  await Promise.all(runs)
})

test('Gate runs collections one at a time', async t => {
  const gate = new Gate()
  const { started, work, end } = works()
  const runs = [gate.exclusive(work('one')), gate.exclusive(work('two'))]
  await settle()
  t.deepEqual(started, ['one'])
  end('one')
  await settle()
  t.deepEqual(started, ['one', 'two'])
  end('two')
  await Promise.all(runs)
})

test('Gate opens again after work that failed', async t => {
  const gate = new Gate()
  await t.throwsAsync(
    gate.exclusive(() => Promise.reject(new Error('gc'))),
    { message: 'gc' },
  )
  await t.throwsAsync(
    gate.shared(() => Promise.reject(new Error('use'))),
    { message: 'use' },
  )
  t.is(await gate.exclusive(async () => 1), 1)
  t.is(await gate.shared(async () => 2), 2)
})

test('Gate lets who waits leave, and those behind it in', async t => {
  const gate = new Gate()
  const { started, work, end } = works()
  const stop = new AbortController()
  const first = gate.shared(work('a'))
  const waiting = gate.exclusive(work('gc'), { signal: stop.signal })
  const behind = gate.shared(work('b'))
  await settle()
  t.deepEqual(started, ['a'])
  const reason = new Error('enough')
  stop.abort(reason)
  t.is(await t.throwsAsync(waiting), reason)
  await settle()
  t.deepEqual(started, ['a', 'b'])
  end('a')
  end('b')
  await Promise.all([first, behind])
  t.is(await t.throwsAsync(gate.shared(work('c'), { signal: stop.signal })), reason)
  t.false(started.includes('c'))
})

test('Gate does not stop work that has begun when its signal fires', async t => {
  const gate = new Gate()
  const { work, end } = works()
  const stop = new AbortController()
  const run = gate.shared(work('a'), { signal: stop.signal })
  await settle()
  stop.abort(new Error('late'))
  end('a')
  await t.notThrowsAsync(run)
})
