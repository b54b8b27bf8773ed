import test from 'ava'
import { firstOf } from '../../src/content/first-of.ts'
import type { Provider } from '../../src/content/types.ts'
import { OrlopError } from '../../src/errors.ts'
import { collect, providerOf, randomBytes, targetOf } from '../support/bytes.ts'

const bytes = randomBytes('mirror', 10_000)
const target = targetOf(bytes)
const down = new OrlopError('UNAVAILABLE', 'down')
const missing = new OrlopError('NOT_FOUND', 'missing')

const failing = (error: Error, after = 0): Provider => ({
  async *read(_target, { offset = 0 } = {}) {
    if (after > 0) yield bytes.subarray(offset, offset + after)
    throw error
  },
})

test('firstOf() reads the first that has it', async t => {
  const second = providerOf(bytes)
  const third = providerOf(bytes)
  t.true(bytes.equals(await collect(firstOf(failing(missing), second, third).read(target))))
  t.deepEqual([second.reads, third.reads], [[0], []])
})

test('firstOf() goes on at the byte where one has failed or ended', async t => {
  const last = providerOf(bytes)
  const mirrors = firstOf(failing(down, 3_000), providerOf(bytes.subarray(0, 5_000)), last)
  t.true(bytes.equals(await collect(mirrors.read(target))))
  t.deepEqual(last.reads, [5_000])
})

test('firstOf() keeps to the part that was asked for', async t => {
  const last = providerOf(bytes)
  const mirrors = firstOf(failing(down, 30), last)
  const part = await collect(mirrors.read(target, { offset: 100, length: 50 }))
  t.true(bytes.subarray(100, 150).equals(part))
  t.deepEqual(last.reads, [130])
  t.is((await collect(mirrors.read(target, { offset: 20_000 }))).byteLength, 0)
  t.throws(() => mirrors.read(target, { offset: -1 }), { code: 'INVALID_ARGUMENT' })
})

test('firstOf() throws the error that says most when all fail', async t => {
  t.is(
    await t.throwsAsync(collect(firstOf(failing(missing), failing(down), failing(missing)).read(target))),
    down,
  )
  t.is(await t.throwsAsync(collect(firstOf(failing(missing), failing(missing)).read(target))), missing)
  const short = firstOf(providerOf(bytes.subarray(0, 10)), failing(missing))
  await t.throwsAsync(collect(short.read(target)), { code: 'DATA_LOSS', message: /10 of 10000/ })
  await t.throwsAsync(collect(firstOf().read(target)), { code: 'NOT_FOUND' })
})

test('firstOf() does not go to the next when its signal has fired', async t => {
  const stop = new AbortController()
  const reason = new Error('enough')
  const stopping: Provider = {
    async *read() {
      yield bytes.subarray(0, 10)
      stop.abort(reason)
      throw new Error('AbortError of somebody')
    },
  }
  const next = providerOf(bytes)
  t.is(await t.throwsAsync(collect(firstOf(stopping, next).read(target, { signal: stop.signal }))), reason)
  t.deepEqual(next.reads, [])
})
