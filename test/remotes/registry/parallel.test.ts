import test, { type ExecutionContext } from 'ava'
import type { ReadOptions } from '../../../src/content/types.ts'
import { defaultHost } from '../../../src/remotes/registry/hosts.ts'
import type { RegistryResolverOptions } from '../../../src/remotes/registry/resolver.ts'
import { randomBytes } from '../../support/bytes.ts'
import { type Exchange, type Fault, send, startRegistry, type TestRegistry } from '../../support/registry.ts'
import {
  change,
  dropAfter,
  encoded,
  hangUp,
  headers,
  ignoreRange,
  silence,
  stallAfter,
  status,
} from '../../support/registry-faults.ts'
import { collect, quickResolver } from '../../support/resolver.ts'

const size = 1_000_000
const chunkSize = 100_000
const bytes = randomBytes('parallel', size)
const parallelRanges = { connections: 3, chunkSize }

async function withBlob(t: ExecutionContext, options: RegistryResolverOptions = {}) {
  const registry = await startRegistry(t)
  const target = registry.blob('a', bytes)
  const { resolver, waits } = quickResolver(t, { parallelRanges, ...options })
  const fetcher = await resolver.fetcher(`${registry.host}/a`)
  const read = (range?: ReadOptions) => collect(fetcher.read(target, range))
  return { registry, target, fetcher, read, waits }
}

/** The ranges that were asked for, in the order of the blob: those under way together may arrive in any. */
const ranges = ({ requests }: TestRegistry) =>
  requests
    .map(({ headers: { range } }) => range)
    .toSorted((a = '', b = '') => a.localeCompare(b, undefined, { numeric: true }))

/** Ranges of `chunkSize` from `start` on. */
const chunks = (start: number, end: number): string[] =>
  Array.from({ length: Math.ceil((end - start) / chunkSize) }, (_, at) => {
    const from = start + at * chunkSize
    const to = Math.min(from + chunkSize, end)
    return `bytes=${from}-${to === size ? '' : to - 1}`
  })

test('a large blob is read in ranges, and comes in order', async t => {
  const { registry, read } = await withBlob(t)
  t.true((await read()).equals(bytes))
  t.deepEqual(ranges(registry), chunks(0, size))
})

test('a part of it is too', async t => {
  const { registry, read } = await withBlob(t)
  t.true((await read({ offset: 123_456, length: 345_678 })).equals(bytes.subarray(123_456, 469_134)))
  t.deepEqual(ranges(registry), chunks(123_456, 469_134))
})

test('a blob of less than two chunks is read with one request', async t => {
  const { registry, fetcher } = await withBlob(t)
  const small = registry.blob('a', bytes.subarray(0, 2 * chunkSize - 1))
  t.true((await collect(fetcher.read(small))).equals(bytes.subarray(0, small.size)))
  t.deepEqual(ranges(registry), [undefined])
})

test('chunks that come in any order are given out in theirs, and no more are held than connections', async t => {
  const { registry, fetcher, target } = await withBlob(t)
  const held: Exchange[] = []
  let most = 0
  registry.always(/blobs/, exchange => {
    held.push(exchange)
    most = Math.max(most, held.length)
    // The first is answered alone, the others last one first.
    if (registry.requests.length > 1 && held.length < 3 && registry.requests.length < 9) return
    for (const late of held.splice(0).toReversed()) send(late, late.answer())
  })
  const parts: Uint8Array[] = []
  for await (const part of fetcher.read(target)) parts.push(part)
  t.true(Buffer.concat(parts).equals(bytes))
  t.is(most, 3)
})

test('a reader that does not go on is not read ahead of by more than its connections', async t => {
  const { registry, fetcher, target } = await withBlob(t)
  const reading = fetcher.read(target)[Symbol.asyncIterator]()
  await reading.next()
  for (let turn = 0; turn < 200; turn++) await new Promise(resolve => setImmediate(resolve))
  t.true(registry.requests.length <= parallelRanges.connections, `${registry.requests.length} requests`)
  await reading.return?.()
})

const survives = test.macro({
  exec: async (t, fault: Fault, expectedMost: number) => {
    const { registry, read } = await withBlob(t, { timeouts: { idleMs: 200 } })
    let count = 0
    // The fourth request, in the middle of the blob.
    registry.always(/./, exchange => {
      if (++count === 4) fault(exchange)
      else send(exchange, exchange.answer())
    })
    t.true((await read()).equals(bytes))
    t.true(registry.requests.length <= expectedMost, `${registry.requests.length} requests`)
  },
  title: title => `a read over several connections survives ${title}`,
})

test('one that drops', survives, dropAfter(50_000), 11)
test('one that hangs up', survives, hangUp, 11)
test('one that stalls', survives, stallAfter(50_000), 11)
test('one that is busy', survives, status(503), 11)
test('a server that gives up ranges in the middle', survives, ignoreRange, 15)
test('a server that begins to encode in the middle', survives, encoded(), 15)

test('a server without ranges is asked once more, and once only', async t => {
  const { registry, read } = await withBlob(t)
  registry.always(/./, ignoreRange)
  t.true((await read()).equals(bytes))
  t.deepEqual(
    registry.requests.map(({ headers }) => headers.range),
    ['bytes=0-99999', undefined],
  )
})

test('a server without ranges is read from the start, for a part too', async t => {
  const { registry, read } = await withBlob(t)
  registry.always(/./, ignoreRange)
  t.true((await read({ offset: 300_000 })).equals(bytes.subarray(300_000)))
  t.is(registry.requests.length, 2)
})

const fails = test.macro({
  exec: async (t, fault: Fault, code: string) => {
    const { registry, read } = await withBlob(t)
    registry.always(/./, exchange =>
      exchange.request.headers.range?.startsWith('bytes=300000-')
        ? fault(exchange)
        : send(exchange, exchange.answer()),
    )
    await t.throwsAsync(read(), { code })
  },
  title: title => `a read over several connections fails on ${title}`,
})

test('a wrong Content-Range', fails, headers({ 'content-range': 'bytes 0-99999/1000000' }), 'DATA_LOSS')
test('416', fails, status(416), 'DATA_LOSS')
test('a denial', fails, status(403), 'PERMISSION_DENIED')
test(
  'a chunk that is too long',
  fails,
  change(a => ({ ...a, headers: { ...a.headers, 'content-range': 'bytes 300000-1000000/1000001' } })),
  'DATA_LOSS',
)

test('an abort ends all requests, and the read with its reason', async t => {
  const { registry, fetcher, target } = await withBlob(t)
  const closed: Promise<void>[] = []
  registry.always(/./, exchange => {
    closed.push(new Promise(resolve => exchange.request.socket.once('close', () => resolve())))
    if (registry.requests.length === 1) send(exchange, exchange.answer())
    else silence(exchange)
  })
  const stop = new AbortController()
  const reason = new Error('enough')
  const reading = (async () => {
    for await (const _ of fetcher.read(target, { signal: stop.signal })) {
      while (registry.requests.length < 3) await new Promise(resolve => setImmediate(resolve))
      stop.abort(reason)
    }
  })()
  t.is(await t.throwsAsync(reading), reason)
  await Promise.all(closed.slice(1))
})

test('leaving the loop ends all requests', async t => {
  const { registry, fetcher, target } = await withBlob(t)
  const closed: Promise<void>[] = []
  registry.always(/./, exchange => {
    closed.push(new Promise(resolve => exchange.request.socket.once('close', () => resolve())))
    stallAfter(10_000)(exchange)
  })
  for await (const _ of fetcher.read(target)) {
    while (registry.requests.length < 3) await new Promise(resolve => setImmediate(resolve))
    break
  }
  await Promise.all(closed)
  t.is(closed.length, 3)
})

test('the next host goes on at the byte where the first one failed', async t => {
  const mirror = await startRegistry(t)
  const { registry: home } = await withBlob(t)
  const target = mirror.blob('a', bytes)
  mirror.always(/./, exchange =>
    exchange.request.headers.range?.startsWith('bytes=300000-')
      ? status(403)(exchange)
      : send(exchange, exchange.answer()),
  )
  const hosts = async () => [mirror, home].map(({ host }) => defaultHost(host))
  const { resolver } = quickResolver(t, { hosts, parallelRanges })
  t.true((await collect((await resolver.fetcher('a.test/a')).read(target))).equals(bytes))
  t.deepEqual(ranges(home), chunks(300_000, size))
})

test('connections and chunk sizes that are none are refused', t => {
  for (const wrong of [{ connections: 1 }, { connections: 2.5 }, { connections: 2, chunkSize: 0 }])
    t.throws(() => quickResolver(t, { parallelRanges: wrong }), {
      code: 'INVALID_ARGUMENT',
      message: /parallelRanges/,
    })
})
