import type { LookupAddress } from 'node:dns'
import type { LookupFunction } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { Agent } from 'undici'
import { copyBlob } from '../../../src/content/copy.ts'
import { credentialFor } from '../../../src/remotes/registry/credentials.ts'
import { defaultHost, type Hosts } from '../../../src/remotes/registry/hosts.ts'
import type { RegistryResolverOptions } from '../../../src/remotes/registry/resolver.ts'
import type { PusherOptions } from '../../../src/remotes/types.ts'
import { providerOf, randomBytes, targetOf } from '../../support/bytes.ts'
import { send, startRecorder } from '../../support/registry.ts'
import { json } from '../../support/registry-answer.ts'
import { quickResolver } from '../../support/resolver.ts'
import {
  answers,
  changes,
  dropsAfter,
  dropsAnswer,
  empty,
  limits,
  reads,
  refusal,
  startUploadRegistry,
  type UploadFault,
  type UploadRegistryOptions,
} from '../../support/upload-registry.ts'

const small = randomBytes('small', 5000)
const large = randomBytes('large', 3_000_000)

const setUp = async (
  t: ExecutionContext,
  { registry: like, ...options }: { registry?: UploadRegistryOptions } & RegistryResolverOptions = {},
) => {
  const registry = await startUploadRegistry(t, like)
  const { resolver, waits } = quickResolver(t, options)
  const push = async (bytes: Buffer, pusher: PusherOptions = {}, signal?: AbortSignal): Promise<void> => {
    const to = await resolver.pusher(`${registry.host}/app:1`, pusher)
    await copyBlob(providerOf(bytes, 100_000), to, targetOf(bytes), { signal })
  }
  const stored = (bytes: Buffer): boolean =>
    registry.contents.get(`/v2/app/blobs/${targetOf(bytes).digest}`)?.equals(bytes) ?? false
  return { registry, resolver, waits, push, stored }
}

test('a small blob goes with the request that ends its upload', async t => {
  const { registry, push, stored } = await setUp(t)
  await push(small)
  t.true(stored(small))
  t.deepEqual(registry.log(), [
    `HEAD blobs/${targetOf(small).digest.slice(0, 13)}`,
    'POST blobs/uploads/',
    'PUT blobs/uploads/#',
  ])
  t.is(registry.requests[2]?.headers['content-length'], '5000')
})

test('a large blob goes as one stream of known length', async t => {
  const { registry, push, stored } = await setUp(t)
  await push(large)
  t.true(stored(large))
  t.deepEqual(registry.log().slice(1), [
    'POST blobs/uploads/',
    'PATCH blobs/uploads/#',
    'PUT blobs/uploads/#',
  ])
  const [patch] = registry.seen(/^PATCH/)
  t.is(patch?.headers['content-length'], '3000000')
  t.is(patch?.headers['content-range'], undefined)
})

test('the empty blob is a blob', async t => {
  const { push, stored } = await setUp(t)
  await push(Buffer.alloc(0))
  t.true(stored(Buffer.alloc(0)))
})

test('a blob that is there is not sent again', async t => {
  const { registry, push } = await setUp(t)
  await push(small)
  await push(small)
  t.is(registry.seen(/^(POST|PUT|PATCH)/).length, 2)
})

test('a blob that is there in another size is sent again', async t => {
  const { registry, push, stored } = await setUp(t)
  registry.contents.set(`/v2/app/blobs/${targetOf(small).digest}`, small.subarray(1))
  await push(small)
  t.true(stored(small))
})

test('an upload that breaks goes on at the byte that the registry has', async t => {
  const { registry, push, stored, waits } = await setUp(t)
  registry.next(/^PATCH/, dropsAfter(1_234_567))
  await push(large)
  t.true(stored(large))
  t.deepEqual(registry.log().slice(1), [
    'POST blobs/uploads/',
    'PATCH blobs/uploads/#',
    'GET blobs/uploads/#',
    'PATCH blobs/uploads/#',
    'PUT blobs/uploads/#',
  ])
  const [, second] = registry.seen(/^PATCH/)
  t.is(second?.headers['content-range'], '1234567-2999999')
  t.is(second?.body.byteLength, 3_000_000 - 1_234_567)
  t.is(waits.length, 1)
})

test('an upload that breaks again and again, and never comes further, is given up', async t => {
  const { registry, push } = await setUp(t)
  registry.always(/^PATCH/, dropsAfter(0))
  const error = await t.throwsAsync(push(large), { code: 'UNAVAILABLE' })
  t.regex(error?.message ?? '', /broke/)
  t.is(registry.seen(/^PATCH/).length, 5)
})

test('an upload that breaks again and again, and comes further, is not', async t => {
  const { registry, push, stored } = await setUp(t)
  registry.next(/^PATCH/, ...Array.from({ length: 12 }, () => dropsAfter(200_000)))
  await push(large)
  t.true(stored(large))
})

const mends = test.macro({
  exec: async (t, bytes: Buffer, pattern: RegExp, ...faults: UploadFault[]) => {
    const { registry, push, stored } = await setUp(t)
    registry.next(pattern, ...faults)
    await push(bytes)
    t.true(stored(bytes))
  },
  title: (title = '', bytes) => `a ${bytes === small ? 'small' : 'large'} blob arrives in spite of ${title}`,
})

const busy = answers(refusal(503, 'UNAVAILABLE'))
for (const bytes of [small, large]) {
  const bytesGo = bytes === small ? /^PUT/ : /^PATCH/
  test('a burst of 503 to POST', mends, bytes, /^POST/, busy, busy, busy)
  test('a burst of 503 to the bytes', mends, bytes, bytesGo, busy, busy, busy)
  test(
    'a burst of 500 after the bytes',
    mends,
    bytes,
    bytesGo,
    reads(refusal(500, 'X')),
    reads(refusal(502, 'X')),
  )
  test('429', mends, bytes, bytesGo, answers(refusal(429, 'TOOMANYREQUESTS', { 'retry-after': '3' })))
  test(
    'an upload that is not known any more',
    mends,
    bytes,
    bytesGo,
    answers(refusal(404, 'BLOB_UPLOAD_UNKNOWN')),
  )
  test('a broken answer to PUT', mends, bytes, /^PUT/, dropsAnswer)
  test('a connection that breaks at PUT', mends, bytes, /^PUT/, dropsAfter(0))
  test('503 to PUT', mends, bytes, /^PUT/, busy)
  test(
    '202 in place of 201',
    mends,
    bytes,
    /^PUT/,
    changes(() => ({ status: 202 })),
  )
  test(
    '204 in place of 201',
    mends,
    bytes,
    /^PUT/,
    changes(() => empty(204)),
  )
  test(
    'a Location that is left out',
    mends,
    bytes,
    /^(PATCH|PUT)/,
    changes(({ headers: { range = '' } }) => ({ headers: { range } })),
  )
  test('a redirect of PUT', mends, bytes, /^PUT/, ({ request, send }) =>
    send(empty(307, { location: request.url ?? '' })),
  )
}
test(
  'an upload that the registry finds spoiled',
  mends,
  large,
  /^PATCH/,
  answers(refusal(400, 'BLOB_UPLOAD_INVALID')),
)
test('an upload that is lost at its end', mends, large, /^PUT/, ({ registry, send }) => {
  registry.sessions.clear()
  send(refusal(404, 'BLOB_UPLOAD_UNKNOWN'))
})
test('a registry that has less than it was sent', mends, large, /^PATCH/, async ({ body, sound, send }) =>
  send(await sound((await body()).subarray(0, 1_000_000))),
)
test(
  'a registry that cannot say what it has',
  mends,
  large,
  /^(PATCH|GET)/,
  dropsAfter(900_000),
  answers(refusal(405, 'UNSUPPORTED')),
)
test('a redirect of PATCH', mends, large, /^PATCH/, ({ request, send }) =>
  send(empty(308, { location: request.url ?? '' })),
)
test('no PATCH', mends, large, /^PATCH/, answers(refusal(405, 'UNSUPPORTED')))
test('no bytes with PUT', mends, small, /^PUT/, answers(refusal(405, 'UNSUPPORTED')))
test(
  'bytes that were mixed up after a break',
  mends,
  large,
  /^(PATCH|PUT)/,
  dropsAfter(500_000),
  changes(answer => answer),
  ({ registry, send }) => {
    registry.sessions.clear()
    send(refusal(400, 'DIGEST_INVALID'))
  },
)

test('429 is waited out as long as it asks', async t => {
  const { registry, push, waits } = await setUp(t)
  registry.next(/^PATCH/, answers(refusal(429, 'TOOMANYREQUESTS', { 'retry-after': '7' })))
  await push(large)
  t.is(waits[0], 7000)
})

test('a registry that says 202 and stores nothing is found out', async t => {
  const { registry, push } = await setUp(t)
  registry.always(/^PUT/, reads(empty(202)))
  await t.throwsAsync(push(small), { code: 'UNAVAILABLE', message: /does not have the blob/ })
})

test('wrong bytes are told as such, and are not kept', async t => {
  const { registry, push } = await setUp(t)
  registry.always(/^PUT/, reads(refusal(400, 'DIGEST_INVALID')))
  await t.throwsAsync(push(small), { message: /DIGEST_INVALID/ })
})

test('a registry that says it stored something else is not believed', async t => {
  const { registry, push } = await setUp(t)
  const other = targetOf(large).digest
  registry.always(
    /^PUT/,
    changes(({ headers }) => ({ headers: { ...headers, 'docker-content-digest': other } })),
  )
  await t.throwsAsync(push(small), { code: 'DATA_LOSS', message: new RegExp(other) })
})

const shrinks = test.macro({
  exec: async (t, status: number, code: string) => {
    const { registry, push, stored } = await setUp(t)
    registry.always(/^(PATCH|PUT)/, limits(400_000, refusal(status, code)))
    await push(large)
    t.true(stored(large))
    const sizes = registry.seen(/^PATCH/).map(({ headers }) => Number(headers['content-length']))
    t.deepEqual(sizes.slice(0, 4), [3_000_000, 1_500_000, 750_000, 375_000])
    t.true(sizes.slice(3).every(size => size <= 375_000))
    const other = randomBytes('other', 2_000_000)
    const before = registry.requests.length
    await push(other)
    t.true(stored(other))
    t.true(
      registry.requests.slice(before).every(request => request.status < 400 || request.method === 'HEAD'),
      'it is learned once',
    )
    const held = randomBytes('held', 500_000)
    await push(held)
    t.true(stored(held))
  },
  title: (_, status) => `after ${status} bytes go in smaller parts, and it is remembered`,
})

test(shrinks, 413, 'SIZE_INVALID')
test(shrinks, 416, 'RANGE_INVALID')

test('a small blob that is too large for one request goes in parts', async t => {
  const { registry, push, stored } = await setUp(t)
  registry.always(/^(PATCH|PUT)/, limits(200_000, refusal(413, 'SIZE_INVALID')))
  const bytes = randomBytes('held', 700_000)
  await push(bytes)
  t.true(stored(bytes))
})

test('a registry that takes no part, however small, is told of as it says', async t => {
  const { registry, push } = await setUp(t)
  registry.always(/^PATCH/, answers(refusal(413, 'SIZE_INVALID')))
  await t.throwsAsync(push(large), {
    code: 'RESOURCE_EXHAUSTED',
    message: /no request of this size \(413\).*SIZE_INVALID/,
  })
  t.true(registry.seen(/^PATCH/).length < 8)
})

test('parts are as large as the registry wants them at least', async t => {
  const { registry, push, stored } = await setUp(t, {
    registry: { begin: { 'oci-chunk-min-length': '1000000' } },
  })
  registry.next(/^PATCH/, answers(refusal(413, 'SIZE_INVALID')), answers(refusal(413, 'SIZE_INVALID')))
  await t.throwsAsync(push(large), { code: 'RESOURCE_EXHAUSTED' })
  await push(large)
  t.true(stored(large))
  t.deepEqual(
    registry
      .seen(/^PATCH/)
      .slice(1)
      .map(({ headers }) => headers['content-length']),
    ['1500000', '1500000', '1500000'],
  )
})

test('a part that begins elsewhere than the registry is goes where it is', async t => {
  const { registry, push, stored } = await setUp(t)
  registry.next(/^PATCH/, dropsAfter(1_000_000))
  registry.next(/^GET/, async ({ sound, send, registry: { sessions } }) => {
    send(await sound())
    // What was on its way arrives late.
    for (const [id, bytes] of sessions)
      sessions.set(id, Buffer.concat([bytes, large.subarray(1_000_000, 1_100_000)]))
  })
  registry.always(/^PATCH/, async exchange => {
    // A registry that looks at the offset, and not at the state in its own URL.
    for (const [id, bytes] of exchange.registry.sessions)
      exchange.request.url = exchange.request.url?.replace(
        /state=.*/,
        `state=${bytes.byteLength}%20of%20${id}`,
      )
    exchange.send(await exchange.sound())
  })
  await push(large)
  t.true(stored(large))
})

test('a registry that forgets an upload when it breaks, as distribution 2.8 does, is sent all once more', async t => {
  const { registry, push, stored } = await setUp(t, { registry: { forgetful: true } })
  registry.next(/^PATCH/, dropsAfter(1_000_000))
  await push(large)
  t.true(stored(large))
  t.deepEqual(
    registry.seen(/^PATCH/).map(({ headers }) => headers['content-range']),
    [undefined, undefined],
  )
})

const finds = test.macro({
  exec: async (t, location: (path: string) => string) => {
    const { push, stored } = await setUp(t, { registry: { location } })
    await push(small)
    await push(large)
    t.true(stored(small) && stored(large))
  },
  title: title => `an upload goes on at a Location that is ${title}`,
})

test('a path', finds, path => path)
test('a path from here', finds, path => path.replace('/v2/app/blobs/uploads/', ''))

const user = { username: 'keeper', password: 'opensesame' }
const basic = `Basic ${Buffer.from('keeper:opensesame').toString('base64')}`

test('credentials that are refused in the middle of an upload are shown again, and it goes on', async t => {
  const registry = await startUploadRegistry(t, { authorization: basic })
  const { resolver } = quickResolver(t, { credentials: credentialFor(registry.host, user) })
  registry.next(/^PATCH/, async ({ body, sound, send }) => {
    await sound(await body(1_000_000))
    send(refusal(401, 'UNAUTHORIZED', { 'www-authenticate': 'Basic realm="x"' }))
  })
  await copyBlob(providerOf(large, 100_000), await resolver.pusher(`${registry.host}/app`), targetOf(large))
  t.true(registry.contents.get(`/v2/app/blobs/${targetOf(large).digest}`)?.equals(large))
  t.is(registry.seen(/^PATCH/)[1]?.headers['content-range'], '1000000-2999999')
})

test('credentials that are refused for good end an upload', async t => {
  const registry = await startUploadRegistry(t, { authorization: 'Basic other' })
  const { resolver } = quickResolver(t, { credentials: credentialFor(registry.host, user) })
  const pusher = await resolver.pusher(`${registry.host}/app`)
  await t.throwsAsync(copyBlob(providerOf(large), pusher, targetOf(large)), { code: 'UNAUTHENTICATED' })
  t.is(registry.seen(/^PATCH/).length, 0)
})

test('no secret goes along to another origin that an upload is sent to', async t => {
  const storage = await startUploadRegistry(t)
  storage.sessions.set('session-1', Buffer.alloc(0))
  const registry = await startUploadRegistry(t, {
    authorization: basic,
    location: path => `http://someone:secret@${storage.host}${path}&sig=a%2Fb+c`,
  })
  const { resolver } = quickResolver(t, {
    credentials: credentialFor(registry.host, user),
    hosts: async () => [{ ...defaultHost(registry.host), headers: { 'x-api-key': 'hunter2' } }],
  })
  const pusher = await resolver.pusher(`${registry.host}/app`)
  await copyBlob(providerOf(large, 100_000), pusher, targetOf(large))
  t.true(storage.contents.get(`/v2/app/blobs/${targetOf(large).digest}`)?.equals(large))
  t.is(registry.seen(/^POST/)[0]?.headers['x-api-key'], 'hunter2')
  for (const { headers } of storage.requests) {
    t.is(headers.authorization, undefined)
    t.is(headers['x-api-key'], undefined)
  }
  t.regex(
    storage.requests[0]?.path ?? '',
    /\?state=0%20of%20session-1&sig=a%2Fb\+c$/,
    'its query stays as it is',
  )
})

test('a challenge of another origin that an upload is sent to gets no answer', async t => {
  const storage = await startRecorder(t, exchange =>
    send(exchange, refusal(401, 'UNAUTHORIZED', { 'www-authenticate': 'Basic realm="give"' })),
  )
  const registry = await startUploadRegistry(t, {
    authorization: basic,
    location: path => `http://${storage.host}${path}`,
  })
  const { resolver } = quickResolver(t, { credentials: async () => user })
  const pusher = await resolver.pusher(`${registry.host}/app`)
  for (const bytes of [small, large])
    await t.throwsAsync(copyBlob(providerOf(bytes, 100_000), pusher, targetOf(bytes)), {
      code: 'UNAUTHENTICATED',
    })
  t.true(storage.requests.length > 0)
  t.false(
    JSON.stringify(storage.requests).includes('opensesame') ||
      JSON.stringify(storage.requests).includes(basic),
  )
})

const refuses = test.macro({
  exec: async (t, location: string, message: RegExp) => {
    const { push } = await setUp(t, { registry: { location: () => location } })
    await t.throwsAsync(push(small), { message })
  },
  title: (_, location) => `an upload is not sent to ${location}`,
})

test(refuses, 'ftp://example.com/x', /not http or https/)
test(refuses, 'http://[/', /no URL/)

test('a registry out in the world cannot send an upload into a private network', async t => {
  const storage = await startUploadRegistry(t)
  const registry = await startUploadRegistry(t, { location: path => `http://${storage.host}${path}` })
  const [, port] = registry.host.split(':')
  const hosts: Hosts = async () => [
    { ...defaultHost('registry.test', true), address: `registry.test:${port}` },
  ]
  const lookup = (
    _name: string,
    _options: unknown,
    found: (error: null, list: readonly LookupAddress[]) => void,
  ): void => found(null, [{ address: '127.0.0.1', family: 4 }])
  const dispatcher = new Agent({ connect: { lookup: lookup as LookupFunction } })
  t.teardown(() => dispatcher.destroy())
  for (const [allowPrivateUrls, isAllowed] of [
    [false, false],
    [true, true],
  ] as const) {
    const { resolver } = quickResolver(t, { hosts, allowPrivateUrls, dispatcher })
    storage.sessions.set(`session-${isAllowed ? 2 : 1}`, Buffer.alloc(0))
    const pushed = copyBlob(providerOf(small), await resolver.pusher('registry.test/app'), targetOf(small))
    if (isAllowed) await t.notThrowsAsync(pushed)
    else
      await t.throwsAsync(pushed, { code: 'PERMISSION_DENIED', message: /private address.*allowPrivateUrls/ })
  }
})

test('a blob of another repository is mounted, and not sent', async t => {
  const { registry, push, stored } = await setUp(t)
  registry.contents.set(`/v2/other/blobs/${targetOf(large).digest}`, large)
  const mounted: string[] = []
  const sources = async (): Promise<readonly string[]> => ['app', 'other']
  await push(large, { sources, onMounted: (digest, from) => mounted.push(`${digest} ${from}`) })
  t.true(stored(large))
  t.deepEqual(registry.log().slice(1), ['POST blobs/uploads/'])
  t.regex(registry.requests[1]?.path ?? '', /from=other/)
  t.deepEqual(mounted, [`${targetOf(large).digest} other`])
})

test('an upload that the registry begins in place of a mount is gone on with', async t => {
  const { registry, push, stored } = await setUp(t)
  const sources = async (): Promise<readonly string[]> => ['other']
  await push(large, { sources })
  t.true(stored(large))
  t.deepEqual(registry.log().slice(1), [
    'POST blobs/uploads/',
    'PATCH blobs/uploads/#',
    'PUT blobs/uploads/#',
  ])
})

const mountless = test.macro({
  exec: async (t, status: number, code: string) => {
    const { registry, push, stored } = await setUp(t)
    registry.always(/^POST .*mount=/, answers(refusal(status, code)))
    await push(small, { sources: async () => ['secret'] })
    t.true(stored(small))
  },
  title: (_, status) => `a mount that is answered with ${status} is no failure`,
})

test(mountless, 401, 'UNAUTHORIZED')
test(mountless, 403, 'DENIED')
test(mountless, 404, 'NAME_UNKNOWN')
test(mountless, 405, 'UNSUPPORTED')
test(mountless, 400, 'NAME_INVALID')

test('a mount that the registry is too busy for is tried again', async t => {
  const { registry, push } = await setUp(t)
  registry.contents.set(`/v2/other/blobs/${targetOf(small).digest}`, small)
  registry.next(/^POST/, answers(refusal(503, 'UNAVAILABLE')))
  await push(small, { sources: async () => ['other'] })
  t.is(registry.seen(/^(PUT|PATCH)/).length, 0)
})

test('aborting in the middle of an upload ends it at once, frees its connection, and has the registry forget it', async t => {
  const { registry, resolver, push } = await setUp(t)
  const stop = new AbortController()
  const closed = new Promise<void>(resolve => {
    registry.next(/^PATCH/, async ({ request, body }) => {
      request.socket.once('close', () => resolve())
      await body(500_000)
      stop.abort(new Error('enough'))
      request.resume()
    })
  })
  // More than the sockets of both sides hold.
  await t.throwsAsync(push(Buffer.alloc(30_000_000, 'long'), {}, stop.signal), { message: 'enough' })
  await closed
  t.is(registry.sessions.size, 1)
  await resolver.close()
  t.is(registry.sessions.size, 0)
  t.is(registry.seen(/^DELETE/).length, 1)
})

test('an upload that was aborted is gone on with by who opens its ref again', async t => {
  const { registry, push, stored } = await setUp(t)
  const stop = new AbortController()
  registry.next(/^PATCH/, async ({ sound, body }) => {
    await sound(await body(2_000_000))
    stop.abort(new Error('enough'))
  })
  await t.throwsAsync(push(large, {}, stop.signal), { message: 'enough' })
  await push(large)
  t.true(stored(large))
  t.is(registry.seen(/^PATCH/)[1]?.headers['content-range'], '2000000-2999999')
  t.is(registry.seen(/^POST/).length, 1)
})

test('a server that stops taking bytes is not waited for', async t => {
  const { registry, push, stored } = await setUp(t, { timeouts: { idleMs: 1000 } })
  const long = Buffer.alloc(30_000_000, 'long')
  registry.next(/^PATCH/, async ({ body }) => {
    await body(1)
  })
  await push(long)
  t.true(stored(long))
})

test('who opens a ref that is held waits, and then finds the blob there', async t => {
  const { registry, push } = await setUp(t)
  await Promise.all([push(large), push(large), push(large)])
  t.is(registry.seen(/^PATCH/).length, 1)
})

test('the writer of an upload keeps the contract of writers', async t => {
  const { registry, resolver, stored } = await setUp(t)
  const pusher = await resolver.pusher(`${registry.host}/app:1`)
  const target = targetOf(large)
  const init = { ref: 'a', expected: target }
  await t.throwsAsync(pusher.writer({ ref: '' }), { code: 'INVALID_ARGUMENT' })
  {
    await using writer = await pusher.writer(init)
    t.like(writer.status, { ref: 'a', offset: 0, total: 3_000_000, expected: target.digest })
    const chunk = Buffer.from(large.subarray(0, 2_000_000))
    await writer.write(chunk)
    chunk.fill(0)
    t.is(writer.offset, 2_000_000)
    t.is(writer.digest, targetOf(large.subarray(0, 2_000_000)).digest)
    await t.throwsAsync(writer.commit(), {
      code: 'FAILED_PRECONDITION',
      message: /2000000 bytes, expected 3000000/,
    })
    await t.throwsAsync(writer.write(chunk), { code: 'FAILED_PRECONDITION', message: /closed/ })
  }
  {
    await using writer = await pusher.writer(init)
    await writer.reset()
    t.is(writer.offset, 0)
    await writer.write(Buffer.alloc(1_000_000))
    await t.throwsAsync(writer.write(large), { code: 'FAILED_PRECONDITION' })
  }
  {
    await using writer = await pusher.writer(init)
    await writer.reset()
    await writer.write(Buffer.alloc(3_000_000))
    await t.throwsAsync(writer.commit(), { code: 'FAILED_PRECONDITION', message: new RegExp(target.digest) })
  }
  {
    await using writer = await pusher.writer(init)
    await writer.reset()
    await writer.write(large)
    t.is(await writer.commit(target), target.digest)
  }
  t.true(stored(large))
  await t.throwsAsync(pusher.writer(init), { code: 'ALREADY_EXISTS' })
})

test('a blob of which nothing is known before can be written', async t => {
  const { registry, resolver, stored } = await setUp(t)
  const pusher = await resolver.pusher(`${registry.host}/app:1`)
  for (const bytes of [small, large, Buffer.alloc(0)]) {
    await using writer = await pusher.writer({ ref: 'a' })
    for (let at = 0; at < bytes.byteLength; at += 700_000)
      await writer.write(bytes.subarray(at, at + 700_000))
    t.is(await writer.commit(), targetOf(bytes).digest)
    t.true(stored(bytes))
  }
  t.true(registry.seen(/^PATCH/).every(({ headers }) => headers['content-length'] === undefined))
})

test('a broken upload hashes again what it sends no more, from the last state that it kept', async t => {
  const { registry, resolver } = await setUp(t)
  const bytes = Buffer.alloc(11_000_000, 'marks')
  const source = providerOf(bytes, 500_000)
  registry.next(/^PATCH/, dropsAfter(9_700_000))
  await copyBlob(source, await resolver.pusher(`${registry.host}/app`), targetOf(bytes))
  t.is(source.reads[0], 0)
  t.true((source.reads[1] ?? 0) >= 4_000_000 && (source.reads[1] ?? 0) <= 9_700_000, String(source.reads[1]))
  t.is(registry.seen(/^PATCH/)[1]?.headers['content-range'], '9700000-10999999')
})

const says = test.macro({
  exec: async (t, answer: ReturnType<typeof refusal>, code: string, message: RegExp) => {
    const { registry, push } = await setUp(t)
    registry.always(/^POST/, answers(answer))
    await t.throwsAsync(push(small), { code, message })
  },
  title: title => `a push that is refused tells it in the registry's own words: ${title}`,
})

const denied = (code: string, message: string, status: number) =>
  json(status, { errors: [{ code, message }] })
test(
  'a quota',
  says,
  denied('DENIED', 'quota of 10 GiB is used up', 403),
  'PERMISSION_DENIED',
  /quota of 10 GiB is used up \(DENIED\)$/,
)
test('no room', says, refusal(507, 'UNKNOWN'), 'RESOURCE_EXHAUSTED', /no room for it \(507\)/)
test('read-only', says, refusal(405, 'UNSUPPORTED'), 'UNIMPLEMENTED', /read-only/)
test(
  'a repository to be made first',
  says,
  denied('NAME_UNKNOWN', 'no repository app', 404),
  'NOT_FOUND',
  /no repository app.*made there first/,
)
