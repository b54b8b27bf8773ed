import test from 'ava'
import { MemoryStore } from '../../../src/content/memory-store.ts'
import { copyGraph } from '../../../src/remotes/copy.ts'
import { defaultHost, type Host } from '../../../src/remotes/registry/hosts.ts'
import type { HttpRequest, HttpResponse } from '../../../src/remotes/registry/http.ts'
import { RateLimits, type RateLimitsOptions } from '../../../src/remotes/registry/rate.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { type Fault, startRegistry } from '../../support/registry.ts'
import { change, silence, status } from '../../support/registry-faults.ts'
import { collect, quickResolver } from '../../support/resolver.ts'

const minute = 60_000

/** What a fake server answers. */
interface Reply {
  readonly status?: number
  readonly headers?: HttpResponse['headers']
  readonly body?: HttpResponse['body']
}

/** A way to send within limits, to a server in this process; `at` has the times at which requests came. */
function setUp(options: RateLimitsOptions = {}, reply: (count: number) => Reply = () => ({})) {
  const clock = new FakeClock()
  const at: number[] = []
  const waits: string[] = []
  let busy = 0
  let most = 0
  const answer = async (request: HttpRequest): Promise<HttpResponse> => {
    at.push(clock.elapsed)
    most = Math.max(most, ++busy)
    await new Promise(resolve => setImmediate(resolve))
    busy--
    const {
      status: code = 200,
      headers = {},
      body = { dump: async () => {}, async *[Symbol.asyncIterator]() {} },
    } = reply(at.length)
    return {
      status: code,
      headers,
      method: request.method,
      url: request.url,
      crossed: false,
      encoded: false,
      body,
    }
  }
  const limits = new RateLimits({ clock, ...options })
  const send = limits.around(answer, {
    onWait: ({ host, delayMs }) => waits.push(`${delayMs} ms for ${host}`),
  })
  const head = (signal?: AbortSignal, host = 'a.test') =>
    send({ method: 'HEAD', url: new URL(`http://${host}/`) }, { signal })
  const many = (count: number) => Promise.all(Array.from({ length: count }, () => head()))
  return { clock, at, waits, send, head, many, isBusy: () => busy > 0, most: () => most }
}

/** The most requests in any span of `ms`. */
const densest = (times: readonly number[], ms: number): number =>
  Math.max(...times.map(from => times.filter(at => at >= from && at < from + ms).length))

test('a budget is never exceeded, and used up', async t => {
  const { clock, at, many, waits, isBusy } = setUp({ budget: () => ({ requests: 100, perMs: minute }) })
  await clock.run(many(1000), isBusy)
  t.is(at.length, 1000)
  t.is(densest(at, minute), 100)
  t.is(clock.elapsed, 9 * minute)
  t.deepEqual(waits, Array(9).fill('60000 ms for a.test'))
})

test('a budget of one request is kept too', async t => {
  const { clock, at, many, isBusy } = setUp({ budget: () => ({ requests: 1, perMs: 1000 }) })
  await clock.run(many(4), isBusy)
  t.deepEqual(at, [0, 1000, 2000, 3000])
})

test('hosts do not wait for each other', async t => {
  const { clock, head, isBusy } = setUp({
    budget: host => (host === 'a.test' ? { requests: 1, perMs: minute } : undefined),
  })
  const slow = Promise.all([head(), head()])
  await Promise.all([head(undefined, 'b.test'), head(undefined, 'b.test')])
  t.is(clock.elapsed, 0)
  await clock.run(slow, isBusy)
})

test('no more requests are under way at one host than allowed', async t => {
  const { clock, many, most, isBusy } = setUp({ concurrency: 3 })
  await clock.run(many(20), isBusy)
  t.is(most(), 3)
})

test('a download holds its place until its body was read, and other answers do not', async t => {
  const { clock, send, head, at } = setUp({ concurrency: 1 })
  const url = new URL('http://a.test/')
  const { body } = await send({ method: 'GET', url })
  const next = head()
  await new Promise(resolve => setImmediate(resolve))
  t.is(at.length, 1)
  for await (const _ of body) t.fail()
  await next
  const dropped = await send({ method: 'GET', url })
  await dropped.body.dump()
  await head()
  t.is(clock.elapsed, 0)
})

test('a download that is aborted gives its place back, read or not', async t => {
  const { send, head } = setUp({ concurrency: 1 })
  const stop = new AbortController()
  await send({ method: 'GET', url: new URL('http://a.test/') }, { signal: stop.signal })
  stop.abort()
  await head()
  t.pass()
})

test('what a host says is left is kept to until it says there is more', async t => {
  const server = (count: number): Reply => ({
    headers: {
      'ratelimit-remaining': String(Math.max(0, 10 - ((count - 1) % 10) - 1)),
      'ratelimit-reset': '30',
    },
  })
  const { clock, at, head, isBusy, waits } = setUp({}, server)
  const oneByOne = async (): Promise<void> => {
    for (let count = 0; count < 25; count++) await head()
  }
  await clock.run(oneByOne(), isBusy)
  t.deepEqual(at, [...Array(10).fill(0), ...Array(10).fill(30_000), ...Array(5).fill(60_000)])
  t.deepEqual(waits, ['30000 ms for a.test', '30000 ms for a.test'])
})

test('a limit with a window is learned and kept to without being refused', async t => {
  const { clock, at, many, isBusy } = setUp({ concurrency: 4 }, () => ({
    headers: { 'ratelimit-limit': '10;w=60' },
  }))
  await clock.run(many(35), isBusy)
  t.is(densest(at, minute), 10)
  t.is(clock.elapsed, 3 * minute)
})

test("Docker Hub's six hours are not waited for", async t => {
  const { clock, many, isBusy } = setUp({}, () => ({
    headers: { 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': '0;w=21600' },
  }))
  await clock.run(many(50), isBusy)
  t.is(clock.elapsed, 0)
})

test('a Retry-After holds back every request to the host', async t => {
  const { clock, at, head, isBusy, waits } = setUp({}, count =>
    count === 1 ? { status: 429, headers: { 'retry-after': '41' } } : {},
  )
  await head()
  await clock.run(Promise.all([head(), head(), head()]), isBusy)
  t.deepEqual(at, [0, 41_000, 41_000, 41_000])
  t.deepEqual(waits, ['41000 ms for a.test'])
})

test('a Retry-After may be a date, and come with 503', async t => {
  const date = new Date(new FakeClock().now() + 30_000).toUTCString()
  const { clock, at, head, isBusy } = setUp({}, count =>
    count === 1 ? { status: 503, headers: { 'retry-after': date } } : {},
  )
  await head()
  await clock.run(head(), isBusy)
  t.deepEqual(at, [0, 30_000])
})

test('refusals that do not say for how long are met with longer and longer waits', async t => {
  const { clock, at, head, isBusy } = setUp({}, count => (count < 5 ? { status: 429 } : {}))
  const oneByOne = async (): Promise<void> => {
    for (let count = 0; count < 7; count++) await head()
  }
  await clock.run(oneByOne(), isBusy)
  t.deepEqual(at, [0, 2000, 6000, 14_000, 30_000, 30_000, 30_000])
})

test('an hour is not waited for', async t => {
  const { clock, head, isBusy } = setUp({}, () => ({ status: 429, headers: { 'retry-after': '3600' } }))
  await head()
  await clock.run(head(), isBusy)
  t.is(clock.elapsed, 0)
})

test('an abort while waiting returns at once and lets the others wait on', async t => {
  const { clock, at, head, isBusy } = setUp({ budget: () => ({ requests: 1, perMs: minute }) })
  await head()
  const [first, second] = [new AbortController(), new AbortController()]
  const [one, two, three] = [head(first.signal), head(second.signal), head()]
  await new Promise(resolve => setImmediate(resolve))
  const reasons = [new Error('one'), new Error('two')] as const
  // The second waits for the first, which waits for the clock; neither needs it to move.
  second.abort(reasons[1])
  t.is(await t.throwsAsync(two), reasons[1])
  first.abort(reasons[0])
  t.is(await t.throwsAsync(one), reasons[0])
  t.is(clock.elapsed, 0)
  await clock.run(three, isBusy)
  t.deepEqual(at, [0, minute])
})

test('an abort while waiting for a place returns at once', async t => {
  const { send, head, at } = setUp({ concurrency: 1 })
  const { body } = await send({ method: 'GET', url: new URL('http://a.test/') })
  const stop = new AbortController()
  const reason = new Error('enough')
  const waiting = head(stop.signal)
  stop.abort(reason)
  t.is(await t.throwsAsync(waiting), reason)
  await body.dump()
  await head()
  t.is(at.length, 2)
})

test('nothing keeps the process when nobody waits any more', async t => {
  const { clock, head } = setUp({ budget: () => ({ requests: 1, perMs: minute }) })
  await head()
  const stop = new AbortController()
  const waiting = head(stop.signal)
  await new Promise(resolve => setImmediate(resolve))
  t.is(clock.sleepers, 1)
  stop.abort(new Error('enough'))
  await t.throwsAsync(waiting)
  t.is(clock.sleepers, 0)
})

/** A registry that answers 100 requests in any minute of `clock`, and refuses more with `headers`. */
const strict = (
  clock: FakeClock,
  headers: (waitMs: number) => Record<string, string>,
): { fault: Fault; refused: () => number } => {
  const taken: number[] = []
  let refused = 0
  const fault: Fault = exchange => {
    const now = clock.now()
    while ((taken[0] ?? now) <= now - minute) taken.shift()
    const waitMs = (taken[0] ?? now) + minute - now
    if (taken.length < 100) {
      taken.push(now)
      return change(answer => ({ ...answer, headers: { ...answer.headers, ...headers(waitMs) } }))(exchange)
    }
    refused++
    status(429, { ...headers(waitMs), 'retry-after': String(Math.ceil(waitMs / 1000)) })(exchange)
  }
  return { fault, refused: () => refused }
}

const tiny = test.macro({
  exec: async (
    t,
    count: number,
    headers: Readonly<Record<string, string>>,
    rate: RateLimitsOptions,
    mostRefused: number,
  ) => {
    const registry = await startRegistry(t)
    for (let tag = 0; tag < count; tag++) registry.put('a', `t${tag}`, { config: undefined, layers: [], tag })
    const clock = new FakeClock()
    const { fault, refused } = strict(clock, () => headers)
    registry.always(/./, fault)
    let answered = 0
    const { resolver } = quickResolver(t, { retry: clock, rate })
    const store = new MemoryStore()
    const pull = async (tag: number): Promise<void> => {
      const reference = `${registry.host}/a:t${tag}`
      const target = await resolver.resolve(reference)
      const from = await resolver.fetcher(reference)
      await copyGraph(from, store, target, async () => [])
      answered++
    }
    const all = Promise.all(Array.from({ length: count }, (_, tag) => pull(tag)))
    // Each turn of the loop in which no request came is one in which all may be waiting for the clock.
    let seen = -1
    let quiet = 0
    await clock.run(all, () => {
      quiet = registry.requests.length === seen ? quiet + 1 : 0
      seen = registry.requests.length
      return quiet < 20
    })
    t.is(answered, count)
    t.true(refused() <= mostRefused, `${refused()} requests were refused`)
    const minutes = (2 * count) / 100 - 1
    t.true(clock.elapsed >= minutes * minute, `${clock.elapsed} ms`)
    t.true(clock.elapsed <= (minutes + 3) * minute, `${clock.elapsed} ms`)
  },
  title: title => `a pull of tiny tags behaves at a registry of 100 requests a minute ${title}`,
})

test(
  'when it is told so: 1,000 tags',
  tiny,
  1000,
  {},
  { budget: () => ({ requests: 100, perMs: minute }) },
  40,
)
test('that tells its limit: 200 tags', tiny, 200, { 'ratelimit-limit': '100;w=60' }, {}, 40)
test('that only refuses: 200 tags', tiny, 200, {}, {}, 200)

test('the wait for a host is told by the name that people know', async t => {
  const registry = await startRegistry(t)
  const { manifest } = registry.image('a', 'v1')
  registry.image('a', 'v2')
  registry.next(/./, status(429, { 'retry-after': '41' }))
  const told: string[] = []
  let second: Promise<unknown> | undefined
  const hosts = async (): Promise<readonly Host[]> => [{ ...defaultHost(registry.host), name: 'hub.test' }]
  const clock = new FakeClock()
  const { resolver } = quickResolver(t, {
    hosts,
    retry: clock,
    onProgress: event => {
      if (event.type === 'retry') second = resolver.resolve('hub.test/a:v2')
      if (event.type === 'throttled') told.push(`${event.delayMs / 1000} s for ${event.host}`)
    },
  })
  t.deepEqual(await clock.run(resolver.resolve('hub.test/a:v1')), manifest)
  t.deepEqual(await second, manifest)
  t.deepEqual(told, ['41 s for hub.test'])
})

test('a body that breaks off gives its place back', async t => {
  const registry = await startRegistry(t)
  const target = registry.blob('a', 'bytes')
  const { resolver } = quickResolver(t, { rate: { concurrency: 1 }, timeouts: { headersMs: 50 } })
  const fetcher = await resolver.fetcher(`${registry.host}/a`)
  registry.next(/./, silence, status(500), exchange => void exchange.request.socket.destroy())
  t.is(String(await collect(fetcher.read(target))), 'bytes')
  t.is(String(await collect(fetcher.read(target))), 'bytes')
})
