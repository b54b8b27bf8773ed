import crypto from 'node:crypto'
import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import type { ReadOptions, Target } from '../../../src/content/types.ts'
import type { RegistryResolverOptions } from '../../../src/remotes/registry/resolver.ts'
import { type Fault, startRegistry, type TestRegistry } from '../../support/registry.ts'
import {
  change,
  chunked,
  dropAfter,
  encoded,
  endless,
  hangUp,
  headers,
  htmlPage,
  ignoreRange,
  ignoreRangeAndDrop,
  redirect,
  stallAfter,
  status,
} from '../../support/registry-faults.ts'
import { collect, quickResolver } from '../../support/resolver.ts'

const bytes = crypto.randomBytes(300_000)

/** A registry with one blob, and a way to read it. */
async function withBlob(t: ExecutionContext, options: RegistryResolverOptions = {}) {
  const registry = await startRegistry(t)
  const target = registry.blob('a/b', bytes)
  const { resolver, waits } = quickResolver(t, options)
  const fetcher = await resolver.fetcher(`${registry.host}/a/b:v1`)
  const read = (options?: ReadOptions, of: Target = target) => collect(fetcher.read(of, options))
  return { registry, target, fetcher, read, waits }
}

const blobs = /^GET .*\/blobs\//
const ranges = (registry: TestRegistry) => registry.seen(blobs).map(({ headers }) => headers.range)

test('read() gives a blob with one request that asks for no encoding', async t => {
  const { registry, read } = await withBlob(t)
  t.deepEqual(await read(), bytes)
  const [request, ...others] = registry.requests
  t.deepEqual(others, [])
  t.is(request?.headers['accept-encoding'], 'identity')
  t.regex(request?.headers['user-agent'] ?? '', /^orlop\/\d+\.\d+\.\d+/)
  t.is(request?.headers.authorization, undefined)
})

const reads = test.macro({
  exec: async (t, options: ReadOptions, expected: string | undefined) => {
    const { registry, read } = await withBlob(t)
    const { offset = 0, length = bytes.byteLength } = options
    t.deepEqual(await read(options), bytes.subarray(offset, offset + length))
    t.deepEqual(ranges(registry), expected === 'none' ? [] : [expected])
  },
  title: (_, options) => `read() of ${JSON.stringify(options)}`,
})

test(reads, { offset: 0 }, undefined)
test(reads, { offset: 1000 }, 'bytes=1000-')
test(reads, { offset: 1000, length: 10 }, 'bytes=1000-1009')
test(reads, { length: 10 }, 'bytes=0-9')
test(reads, { length: 300_000 }, undefined)
test(reads, { offset: 299_999 }, 'bytes=299999-')
test(reads, { offset: 299_000, length: 5000 }, 'bytes=299000-')
test(reads, { offset: 300_000 }, 'none')
test(reads, { offset: 400_000 }, 'none')
test(reads, { length: 0 }, 'none')

test('read() refuses an offset that is none before anything is sent', async t => {
  const { registry, target, fetcher } = await withBlob(t)
  t.throws(() => fetcher.read(target, { offset: -1 }), { code: 'INVALID_ARGUMENT' })
  t.throws(() => fetcher.read(target, { length: 1.5 }), { code: 'INVALID_ARGUMENT' })
  t.deepEqual(registry.requests, [])
})

test('read() sends nothing until it is iterated', async t => {
  const { registry, target, fetcher } = await withBlob(t)
  fetcher.read(target)
  t.deepEqual(registry.requests, [])
})

test('read() of a blob that is not there is NOT_FOUND and names it', async t => {
  const { registry, read, target } = await withBlob(t)
  registry.next(blobs, status(404))
  await t.throwsAsync(read(), {
    code: 'NOT_FOUND',
    message: new RegExp(`${registry.host}/a/b: blob ${target.digest}`),
  })
})

const survives = test.macro({
  exec: async (
    t,
    faults: readonly Fault[],
    expected: readonly (string | undefined)[],
    options?: RegistryResolverOptions,
  ) => {
    const { registry, read } = await withBlob(t, options)
    registry.next(blobs, ...faults)
    t.deepEqual(await read(), bytes)
    t.deepEqual(ranges(registry), expected)
  },
  title: title => `read() survives ${title}`,
})

test('a connection that drops', survives, [dropAfter(100_000)], [undefined, 'bytes=100000-'])
test(
  'several that drop',
  survives,
  [dropAfter(100_000), dropAfter(100_000)],
  [undefined, 'bytes=100000-', 'bytes=200000-'],
)
test('one that drops before the first byte', survives, [dropAfter(0)], [undefined, undefined])
test('one that drops before the headers', survives, [hangUp], [undefined, undefined])
test('a body that stalls', survives, [stallAfter(100_000)], [undefined, 'bytes=100000-'], {
  timeouts: { idleMs: 100 },
})
test('an early end without length', survives, [chunked(100_000)], [undefined, 'bytes=100000-'])
test('a body without length', survives, [chunked()], [undefined])
test('a burst of 503', survives, [status(503), status(502), status(500)], Array(4).fill(undefined))
test('429', survives, [status(429)], [undefined, undefined])
test(
  'a 503 in the middle',
  survives,
  [dropAfter(100_000), status(503)],
  [undefined, 'bytes=100000-', 'bytes=100000-'],
)
test('a server without ranges', survives, [dropAfter(100_000), ignoreRange], [undefined, 'bytes=100000-'])
test(
  'a server without ranges that drops again',
  survives,
  [dropAfter(100_000), ignoreRangeAndDrop(200_000)],
  [undefined, 'bytes=100000-', 'bytes=200000-'],
)
test('gzip nobody asked for', survives, [encoded()], [undefined])
test('deflate nobody asked for', survives, [encoded('deflate', deflateSync)], [undefined])
test('raw deflate nobody asked for', survives, [encoded('deflate', deflateRawSync)], [undefined])
test('two encodings', survives, [encoded('gzip, deflate', body => deflateSync(gzipSync(body)))], [undefined])
test(
  'a range in an encoding',
  survives,
  [dropAfter(100_000), encoded()],
  [undefined, 'bytes=100000-', undefined],
)
test('many drops that each bring something', survives, Array(4).fill(dropAfter(70_000)), [
  undefined,
  'bytes=70000-',
  'bytes=140000-',
  'bytes=210000-',
  'bytes=280000-',
])

test('read() resumes within the range that was asked for', async t => {
  const { registry, read } = await withBlob(t)
  registry.next(blobs, dropAfter(50))
  t.deepEqual(await read({ offset: 1000, length: 100 }), bytes.subarray(1000, 1100))
  t.deepEqual(ranges(registry), ['bytes=1000-1099', 'bytes=1050-1099'])
})

test('read() takes no more than was asked for from a server without ranges', async t => {
  const { registry, read } = await withBlob(t)
  registry.always(blobs, ignoreRange)
  t.deepEqual(await read({ offset: 1000, length: 100 }), bytes.subarray(1000, 1100))
})

test('read() waits as Retry-After says', async t => {
  const { registry, read, waits } = await withBlob(t)
  registry.next(blobs, status(429, { 'retry-after': '7' }))
  await read()
  t.deepEqual(waits, [7000])
})

test('read() does not come back before an hour when it is told so, but fails and says when', async t => {
  const { registry, read, waits } = await withBlob(t)
  registry.always(blobs, status(429, { 'retry-after': '3600' }))
  await t.throwsAsync(read(), { code: 'RESOURCE_EXHAUSTED', message: /try again in 3600 s/ })
  t.deepEqual(waits, [])
  t.is(registry.requests.length, 1)
})

test('read() asks the registry for a fresh redirect each time', async t => {
  const storage = await startRegistry(t)
  const there = storage.blob('s', bytes)
  const { registry, read } = await withBlob(t)
  let count = 0
  const fresh: Fault = exchange =>
    redirect(`http://${storage.host}/v2/s/blobs/${there.digest}?signature=${++count}`)(exchange)
  registry.always(blobs, fresh)
  storage.next(blobs, dropAfter(100_000), status(403), dropAfter(70_000))
  await t.throwsAsync(read(), { code: 'PERMISSION_DENIED', message: /signature=REDACTED|redirected/ })
  storage.heal()
  storage.next(blobs, dropAfter(100_000))
  t.deepEqual(await read(), bytes)
  t.deepEqual(
    storage.requests.map(({ path }) => new URL(path, 'http://x').searchParams.get('signature')),
    ['1', '2', '3', '4'],
  )
})

const fails = test.macro({
  exec: async (t, fault: Fault, code: string, message: RegExp, options: ReadOptions = {}) => {
    const { registry, read } = await withBlob(t)
    registry.always(blobs, fault)
    await t.throwsAsync(read(options), { code, message })
  },
  title: title => `read() fails on ${title}`,
})

test(
  'a server that breaks all the time',
  fails,
  dropAfter(10),
  'UNAVAILABLE',
  /stopped at byte 40 of 300000 after 4 tries/,
)
test('a server that is down', fails, status(503), 'UNAVAILABLE', /failed \(503\); try again later/)
test('a server that hangs up', fails, hangUp, 'UNAVAILABLE', /connection broke/)
test('a body that never ends', fails, endless, 'DATA_LOSS', /more bytes than the 300000/)
test(
  'a longer blob',
  fails,
  change(a => ({ ...a, body: Buffer.alloc(300_001) })),
  'DATA_LOSS',
  /more bytes.*\(300001\)/,
)
test(
  'a shorter blob',
  fails,
  change(a => ({ ...a, body: Buffer.alloc(10) })),
  'DATA_LOSS',
  /fewer bytes.*\(10\)/,
)
test('an HTML page', fails, htmlPage, 'DATA_LOSS', /fewer bytes/)
test('416', fails, status(416), 'DATA_LOSS', /fewer bytes than the 300000/, { offset: 10 })
test(
  'a denial',
  fails,
  status(403, {}, '{"errors":[{"code":"DENIED","message":"not you"}]}'),
  'PERMISSION_DENIED',
  /not you \(DENIED\)/,
)
test('an encoding that nobody knows', fails, encoded('secret-sauce'), 'UNIMPLEMENTED', /secret-sauce/)
test(
  'bytes that are not the gzip they claim',
  fails,
  encoded('gzip', body => body),
  'DATA_LOSS',
  /Content-Encoding/,
)
for (const range of [
  '',
  'bytes 0-299999/300000',
  'bytes 999-299999/300000',
  'bytes 1000-299999/300001',
  'bytes 1000-300000/300000',
  'bytes 1000-10/300000',
  'bytes */300000',
  'items 1000-299999/300000',
  'nonsense',
])
  test(
    `the Content-Range ${JSON.stringify(range)}`,
    fails,
    headers({ 'content-range': range }),
    'DATA_LOSS',
    /asked for bytes 1000 to 299999 of 300000/,
    { offset: 1000 },
  )

test('read() takes a Content-Range that does not know the total', async t => {
  const { registry, read } = await withBlob(t)
  registry.next(blobs, headers({ 'content-range': 'bytes 1000-299999/*' }))
  t.deepEqual(await read({ offset: 1000 }), bytes.subarray(1000))
})

test('read() asks a server once for what it denies', async t => {
  const { registry, read, waits } = await withBlob(t)
  registry.always(blobs, status(403))
  await t.throwsAsync(read(), { code: 'PERMISSION_DENIED' })
  t.is(registry.requests.length, 1)
  t.deepEqual(waits, [])
})

test('read() of an empty blob sends nothing', async t => {
  const { registry, fetcher } = await withBlob(t)
  t.deepEqual(await collect(fetcher.read(registry.blob('a/b', ''))), Buffer.alloc(0))
  t.deepEqual(registry.requests, [])
})

test('read() tells of each wait', async t => {
  const told: string[] = []
  const { registry, read } = await withBlob(t, {
    onProgress: event => {
      if (event.type === 'retry')
        told.push(`${event.what.replace(/.*blob/, 'blob').slice(0, 11)} ${event.attempt} ${event.delayMs}`)
    },
  })
  registry.next(blobs, status(503), dropAfter(10))
  await read()
  t.deepEqual(told, ['blob sha256 1 500', 'blob sha256 1 500'])
})
