import test from 'ava'
import { cached } from '../../src/content/cache.ts'
import type { Provider, Target } from '../../src/content/types.ts'
import { collect, providerOf, randomBytes, targetOf } from '../support/bytes.ts'

const blobs = ['a', 'b', 'c'].map(seed => randomBytes(seed, 1_000))

/** A provider of several blobs that counts how often each was read. */
function counting(): Provider & { readonly reads: string[] } {
  const reads: string[] = []
  return {
    reads,
    read(target: Target, options) {
      const at = blobs.findIndex(bytes => targetOf(bytes).digest === target.digest)
      reads.push('abc'[at] ?? '?')
      return providerOf(blobs[at] ?? new Uint8Array(0)).read(target, options)
    },
  }
}

const [a, b, c] = blobs.map(bytes => targetOf(bytes))

test('cached() fetches a small blob once, whole, and serves any part of it', async t => {
  const source = counting()
  const cache = cached(source)
  if (a === undefined) return t.fail()
  t.true(blobs[0]?.subarray(10, 20).equals(await collect(cache.read(a, { offset: 10, length: 10 }))))
  t.true(blobs[0]?.equals(await collect(cache.read(a))))
  t.is((await collect(cache.read(a, { offset: 1_000 }))).byteLength, 0)
  t.deepEqual(source.reads, ['a'])
})

test('cached() does not fetch before it is iterated', async t => {
  const source = counting()
  const cache = cached(source)
  if (a === undefined) return t.fail()
  cache.read(a)
  t.deepEqual(source.reads, [])
  t.throws(() => cache.read(a, { length: -1 }), { code: 'INVALID_ARGUMENT' })
})

test('cached() gives out what nobody can spoil for others', async t => {
  const cache = cached(counting())
  if (a === undefined) return t.fail()
  for await (const chunk of cache.read(a)) chunk.fill(0)
  t.true(blobs[0]?.equals(await collect(cache.read(a))))
})

test('cached() lets large blobs pass', async t => {
  const source = counting()
  const cache = cached(source, { maxBlobSize: 999 })
  if (a === undefined) return t.fail()
  await collect(cache.read(a))
  await collect(cache.read(a))
  t.deepEqual(source.reads, ['a', 'a'])
})

test('cached() drops what was not read for longest', async t => {
  const source = counting()
  const cache = cached(source, { maxBytes: 2_000 })
  if (a === undefined || b === undefined || c === undefined) return t.fail()
  for (const target of [a, b, a, c, a, b]) await collect(cache.read(target))
  t.is(source.reads.join(''), 'abcb')
})

test('cached() keeps nothing that is wrong', async t => {
  let wrong = true
  const [bytes] = blobs
  if (a === undefined || bytes === undefined) return t.fail()
  const cache = cached({
    read: (target, options) => providerOf(wrong ? randomBytes('x', 1_000) : bytes).read(target, options),
  })
  await t.throwsAsync(collect(cache.read(a)), { code: 'DATA_LOSS' })
  wrong = false
  t.true(bytes.equals(await collect(cache.read(a))))
  await t.throwsAsync(collect(cache.read({ ...a, size: 5 })), { code: 'DATA_LOSS' })
})

test('cached() passes through what it is told not to keep', async t => {
  const source = counting()
  const provider = cached(source, { keeps: target => target.digest !== a?.digest })
  for (const target of [a, a, b, b]) if (target) await collect(provider.read(target))
  t.deepEqual(source.reads, ['a', 'a', 'b'])
})
