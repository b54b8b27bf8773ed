import test, { type ExecutionContext } from 'ava'
import type { ReadOptions } from '../../../src/content/types.ts'
import { type OpenBlob, SharedReads } from '../../../src/remotes/registry/shared-reads.ts'
import { collect, randomBytes } from '../../support/bytes.ts'
import { startRegistry } from '../../support/registry.ts'
import { dropAfter, stallAfter, status } from '../../support/registry-faults.ts'
import { quickResolver } from '../../support/resolver.ts'

const size = 1_000_000
const chunk = 10_000
const bytes = randomBytes('shared', size)

/** A blob whose opens are counted, and whose chunks come one a turn of the loop. */
function setUp(reads = new SharedReads({ windowBytes: 100_000, patienceMs: 5 })) {
  const opened: number[] = []
  let closed = 0
  let ahead = 0
  const open: OpenBlob = async function* ({ offset = 0, length = size, signal }: ReadOptions) {
    opened.push(offset)
    try {
      for (let at = offset; at < offset + length; at += chunk) {
        await new Promise(resolve => setImmediate(resolve))
        signal?.throwIfAborted()
        ahead = Math.max(ahead, at)
        yield new Uint8Array(bytes.subarray(at, Math.min(at + chunk, offset + length)))
      }
    } finally {
      closed++
    }
  }
  const read = (options: ReadOptions = {}, key = 'blob', from = open) => reads.read(key, size, options, from)
  return { read, opened, closed: () => closed, ahead: () => ahead }
}

test('who reads at the same time shares one download', async t => {
  const { read, opened, closed } = setUp()
  for (const got of await Promise.all([1, 2, 3].map(() => collect(read())))) t.true(got.equals(bytes))
  t.deepEqual(opened, [0])
  t.is(closed(), 1)
  t.true((await collect(read())).equals(bytes))
  t.deepEqual(opened, [0, 0])
})

test('who comes a little later finds the first bytes', async t => {
  const { read, opened } = setUp()
  const first = read()
  await first.next()
  await first.next()
  const [rest, whole] = await Promise.all([collect(first), collect(read())])
  t.true(rest.equals(bytes.subarray(2 * chunk)))
  t.true(whole.equals(bytes))
  t.deepEqual(opened, [0])
})

test('who comes too late reads by itself', async t => {
  const { read, opened } = setUp()
  const first = read()
  for (let count = 0; count < 20; count++) await first.next()
  t.true((await collect(read())).equals(bytes))
  t.true((await collect(first)).equals(bytes.subarray(20 * chunk)))
  t.deepEqual(opened, [0, 0])
})

test('who goes on from where the others are reads along', async t => {
  const { read, opened } = setUp()
  const first = read()
  for (let count = 0; count < 20; count++) await first.next()
  const [rest, also] = await Promise.all([collect(first), collect(read({ offset: 20 * chunk + 7 }))])
  t.true(rest.equals(bytes.subarray(20 * chunk)))
  t.true(also.equals(bytes.subarray(20 * chunk + 7)))
  t.deepEqual(opened, [0, 20 * chunk + 7])
})

test('the slowest sets the pace, and no more is held than the window', async t => {
  const { read, opened, ahead } = setUp(new SharedReads({ windowBytes: 100_000, patienceMs: 2 ** 31 - 1 }))
  const slow = read()
  let taken = 0
  const fast = collect(read())
  for await (const part of slow) {
    taken += part.byteLength
    for (let turn = 0; turn < 5; turn++) await new Promise(resolve => setImmediate(resolve))
    t.true(ahead() <= taken + 100_000, `${ahead()} after ${taken}`)
  }
  t.true((await fast).equals(bytes))
  t.deepEqual(opened, [0])
})

test('one that takes nothing goes on by itself, and holds nobody up', async t => {
  const { read, opened } = setUp()
  const stuck = read()
  const { value } = await stuck.next()
  t.true((await collect(read())).equals(bytes))
  t.true(Buffer.concat([value ?? Buffer.alloc(0), await collect(stuck)]).equals(bytes))
  t.deepEqual(opened, [0, chunk])
})

test('what one does to its bytes the others do not see', async t => {
  const { read } = setUp()
  const spoil = async (): Promise<void> => {
    for await (const part of read()) part.fill(0)
  }
  const [, got] = await Promise.all([spoil(), collect(read())])
  t.true(got.equals(bytes))
})

test('one that is aborted leaves the others alone; the last one ends the download', async t => {
  const { read, closed, opened } = setUp()
  const [one, two] = [new AbortController(), new AbortController()]
  const reason = new Error('enough')
  const reading = [one, two].map(({ signal }) => collect(read({ signal })))
  one.abort(reason)
  t.is(await t.throwsAsync(reading[0] ?? Promise.resolve()), reason)
  t.is(closed(), 0)
  two.abort(reason)
  t.is(await t.throwsAsync(reading[1] ?? Promise.resolve()), reason)
  t.is(closed(), 1)
  t.deepEqual(opened, [0])
})

test('leaving the loop ends a download that nobody else reads', async t => {
  const { read, closed } = setUp()
  for await (const _ of read()) break
  t.is(closed(), 1)
})

test('a failure reaches all, and is not remembered', async t => {
  const { read } = setUp()
  const failure = new Error('no more')
  const broken: OpenBlob = async function* () {
    yield new Uint8Array(bytes.subarray(0, chunk))
    throw failure
  }
  const both = [1, 2].map(() => collect(read({}, 'blob', broken)))
  for (const one of both) t.is(await t.throwsAsync(one), failure)
  t.true((await collect(read())).equals(bytes))
})

test('parts and other blobs are read by themselves', async t => {
  const { read, opened } = setUp()
  const [part, other, none] = await Promise.all([
    collect(read({ offset: 5, length: 10 })),
    collect(read({}, 'other')),
    collect(read({ offset: size })),
    collect(read()),
  ])
  t.true(part.equals(bytes.subarray(5, 15)))
  t.true(other.equals(bytes))
  t.is(none.byteLength, 0)
  t.deepEqual(
    opened.toSorted((a, b) => a - b),
    [0, 0, 5],
  )
})

/** A registry with the blob, and two readers of it. */
async function twoReaders(t: ExecutionContext) {
  const registry = await startRegistry(t)
  const target = registry.blob('a', bytes)
  const { resolver } = quickResolver(t, { timeouts: { idleMs: 200 } })
  const read = async () => collect((await resolver.fetcher(`${registry.host}/a`)).read(target))
  return { registry, both: () => Promise.all([read(), read()]) }
}

test('two pulls of one blob send one request', async t => {
  const { registry, both } = await twoReaders(t)
  for (const got of await both()) t.true(got.equals(bytes))
  t.is(registry.requests.length, 1)
})

test('a shared download survives what any download survives', async t => {
  const { registry, both } = await twoReaders(t)
  registry.next(/./, dropAfter(300_000), status(503), stallAfter(300_000))
  for (const got of await both()) t.true(got.equals(bytes))
  t.deepEqual(
    registry.requests.map(({ headers }) => headers.range),
    [undefined, 'bytes=300000-', 'bytes=300000-', 'bytes=600000-'],
  )
})
