import test from 'ava'
import { has, readBlob } from '../../src/content/blob.ts'
import { MemoryStore } from '../../src/content/memory-store.ts'
import type { InfoProvider, Provider } from '../../src/content/types.ts'
import { verified } from '../../src/content/verify.ts'
import { OrlopError } from '../../src/errors.ts'
import { put } from '../suites/content.ts'
import { collect, providerOf, randomBytes, targetOf } from '../support/bytes.ts'

const bytes = randomBytes('blob', 5_000)
const target = targetOf(bytes)

const failing = (error: Error): Provider & InfoProvider => ({
  // biome-ignore lint/correctness/useYield: it fails before it has anything
  async *read() {
    throw error
  },
  info: () => Promise.reject(error),
})

test('readBlob() gives all bytes of a blob', async t => {
  t.true(bytes.equals(await readBlob(providerOf(bytes, 7), target)))
  t.true(bytes.equals(await readBlob(providerOf(bytes, 5_000), target)))
  t.is((await readBlob(providerOf(new Uint8Array(0)), targetOf(new Uint8Array(0)))).byteLength, 0)
})

test('readBlob() takes bytes that the descriptor carries, without asking', async t => {
  const provider = failing(new Error('not asked'))
  const data = bytes.toString('base64')
  t.true(bytes.equals(await readBlob(provider, { ...target, data })))
  await t.throwsAsync(readBlob(provider, { ...target, data: `AAAA${data.slice(4)}` }), {
    message: 'not asked',
  })
})

test('readBlob() refuses what is too large before it reads, embedded too', async t => {
  const source = providerOf(bytes)
  const tooLarge = { code: 'RESOURCE_EXHAUSTED', message: /5000 bytes, more than the 4999/ }
  await t.throwsAsync(readBlob(source, target, { maxSize: 4_999 }), tooLarge)
  const data = bytes.toString('base64')
  await t.throwsAsync(readBlob(source, { ...target, data }, { maxSize: 4_999 }), tooLarge)
  await t.throwsAsync(readBlob(source, { ...target, size: 9 * 1024 * 1024 }), { code: 'RESOURCE_EXHAUSTED' })
  t.deepEqual(source.reads, [])
  t.is((await readBlob(source, target, { maxSize: 5_000 })).byteLength, 5_000)
})

test('readBlob() refuses bytes that are not the target', async t => {
  for (const wrong of [randomBytes('other', 5_000), bytes.subarray(1), Buffer.concat([bytes, bytes])]) {
    await t.throwsAsync(readBlob(providerOf(wrong), target), { code: 'DATA_LOSS' })
  }
})

test('readBlob() passes errors and aborts unchanged', async t => {
  const reason = new Error('line cut')
  t.is(await t.throwsAsync(readBlob(failing(reason), target)), reason)
  const store = new MemoryStore()
  await put(store, bytes)
  const signal = AbortSignal.abort(reason)
  t.is(await t.throwsAsync(readBlob(store, target, { signal })), reason)
})

test('has() says no only for what is not found, or has another size', async t => {
  const store = new MemoryStore()
  t.false(await has(store, target))
  await put(store, bytes)
  t.true(await has(store, target))
  t.false(await has(store, { ...target, size: 1 }))
  const down = new OrlopError('UNAVAILABLE', 'down')
  t.is(await t.throwsAsync(has(failing(down), target)), down)
})

test('verified() passes what is right, in the chunks it came in', async t => {
  const chunks: number[] = []
  for await (const chunk of verified(providerOf(bytes, 2_000).read(target), target))
    chunks.push(chunk.byteLength)
  t.deepEqual(chunks, [2_000, 2_000, 1_000])
  for (const algorithm of ['sha384', 'sha512'] as const) {
    t.true(bytes.equals(await collect(verified(providerOf(bytes).read(target), targetOf(bytes, algorithm)))))
  }
})

test('verified() stops a source at its first byte too many', async t => {
  let given = 0
  const endless: Provider = {
    async *read() {
      for (; ; given++) yield Buffer.alloc(1_000)
    },
  }
  await t.throwsAsync(collect(verified(endless.read(target), target)), {
    code: 'DATA_LOSS',
    message: /longer/,
  })
  t.is(given, 5)
})

test('verified() refuses an end that comes early, and other bytes', async t => {
  const early = verified(providerOf(bytes.subarray(0, 9)).read(target), target)
  await t.throwsAsync(collect(early), { code: 'DATA_LOSS', message: /got 9 of 5000 bytes/ })
  const other = verified(providerOf(randomBytes('other', 5_000)).read(target), target)
  await t.throwsAsync(collect(other), { code: 'DATA_LOSS', message: /its bytes are those of sha256:/ })
})
