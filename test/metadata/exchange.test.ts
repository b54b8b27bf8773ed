import test from 'ava'
import { type Envelope, Exchange } from '../../src/metadata/exchange.ts'

const timestamp = new Date('2026-01-02T03:04:05.678Z')
const event = (topic: string, fields = {}, namespace = 'default') => ({ namespace, topic, event: fields })

/** Reads until `count` events came. */
async function take(events: AsyncIterable<Envelope>, count: number): Promise<Envelope[]> {
  const list: Envelope[] = []
  for await (const envelope of events) if (list.push(envelope) === count) break
  return list
}

test('publish() gives each subscriber the envelope, frozen, with the time', async t => {
  const exchange = new Exchange({ now: () => timestamp })
  const one = exchange.subscribe()
  const two = exchange.subscribe()
  exchange.publish(event('/images/create', { name: 'a' }))
  const expected = [{ ...event('/images/create', { name: 'a' }), timestamp }]
  t.deepEqual(await take(one, 1), expected)
  const [envelope] = await take(two, 1)
  t.deepEqual([envelope], expected)
  t.true(Object.isFrozen(envelope))
})

test('publish() without subscribers is no error', t => {
  t.notThrows(() => new Exchange().publish(event('/a')))
})

test('subscribe() listens from the call on, not from the first next()', async t => {
  const exchange = new Exchange()
  exchange.publish(event('/before'))
  const events = exchange.subscribe()
  for (const topic of ['/a', '/b', '/c']) exchange.publish(event(topic))
  t.deepEqual(
    (await take(events, 3)).map(({ topic }) => topic),
    ['/a', '/b', '/c'],
  )
})

test('subscribe() gives events to a reader that is waiting, and to several next() in order', async t => {
  const exchange = new Exchange()
  const events = exchange.subscribe()
  const waiting = [events.next(), events.next()]
  exchange.publish(event('/a'))
  exchange.publish(event('/b'))
  t.deepEqual(
    (await Promise.all(waiting)).map(({ value }) => value?.topic),
    ['/a', '/b'],
  )
})

const matches = test.macro({
  async exec(t, filters: readonly string[], wanted: readonly string[]) {
    const exchange = new Exchange()
    const events = exchange.subscribe(filters)
    exchange.publish(event('/images/create', { name: 'a', labels: { 'x.y/z': 'b' } }))
    exchange.publish(event('/images/delete', { name: 'b', labels: {} }, 'k8s.io'))
    exchange.publish(event('/content/create', { digest: 'sha256:0', size: 3, name: '' }))
    exchange.publish(event('/end', { end: true }))
    const seen: string[] = []
    for await (const { topic } of arrived(events)) seen.push(topic)
    t.deepEqual(seen, wanted)
  },
  title: (_, filters) => `subscribe() matches ${JSON.stringify(filters)}`,
})

/** What has arrived by now. */
async function* arrived(events: AsyncIterableIterator<Envelope, undefined>): AsyncGenerator<Envelope> {
  const none = Symbol('none')
  for (;;) {
    const result = await Promise.race([
      events.next(),
      new Promise<typeof none>(resolve => setImmediate(() => resolve(none))),
    ])
    if (result === none || result.done) return
    yield result.value
  }
}

const all = ['/images/create', '/images/delete', '/content/create', '/end']
test(matches, [], all)
test(matches, [''], all)
test(matches, ['topic=="/images/create"'], ['/images/create'])
test(matches, ['topic~="^/images/"'], ['/images/create', '/images/delete'])
test(matches, ['namespace==k8s.io'], ['/images/delete'])
test(matches, ['namespace==default,topic~="create$"'], ['/images/create', '/content/create'])
test(matches, ['namespace==k8s.io', 'event.digest'], ['/images/delete', '/content/create'])
test(matches, ['event.name'], ['/images/create', '/images/delete'])
test(matches, ['event.name==b'], ['/images/delete'])
test(matches, ['event.size==3'], ['/content/create'])
test(matches, ['event.end==true'], ['/end'])
test(matches, ['event.labels."x.y/z"==b'], ['/images/create'])
test(matches, ['event.labels.x."y/z"'], ['/images/create'])
test(matches, ['event.labels'], [])
test(matches, ['event'], [])
test(matches, ['event.__proto__'], [])
test(matches, ['event.name.length'], [])
test(matches, ['timestamp'], [])

test('subscribe() refuses a filter that cannot be read, at the call', t => {
  t.throws(() => new Exchange().subscribe(['topic=']), { code: 'INVALID_ARGUMENT' })
})

test('subscribe() ends when its signal fires, and stops listening', async t => {
  const exchange = new Exchange()
  const control = new AbortController()
  const events = exchange.subscribe([], control)
  const waiting = events.next()
  control.abort(new Error('enough'))
  t.deepEqual(await waiting, { done: true, value: undefined })
  exchange.publish(event('/a'))
  t.deepEqual(await events.next(), { done: true, value: undefined })
})

test('subscribe() under a signal that has fired is at its end', async t => {
  const events = new Exchange().subscribe([], { signal: AbortSignal.abort() })
  t.deepEqual(await events.next(), { done: true, value: undefined })
})

test('subscribe() stops listening when the loop is left, also before it began', async t => {
  const exchange = new Exchange({ queueLimit: 1 })
  const events = exchange.subscribe()
  await events.return?.()
  for (const topic of ['/a', '/b', '/c']) exchange.publish(event(topic))
  t.deepEqual(await events.next(), { done: true, value: undefined })
})

test('subscribe() cuts off a slow reader with RESOURCE_EXHAUSTED after what it had room for', async t => {
  const exchange = new Exchange({ queueLimit: 2 })
  const slow = exchange.subscribe()
  const quick = exchange.subscribe(['topic=="/c"'])
  for (const topic of ['/a', '/b', '/c', '/d']) exchange.publish(event(topic))
  t.is((await slow.next()).value?.topic, '/a')
  exchange.publish(event('/e'))
  t.is((await slow.next()).value?.topic, '/b')
  await t.throwsAsync(slow.next(), { code: 'RESOURCE_EXHAUSTED', message: /subscribe again/ })
  t.deepEqual(await slow.next(), { done: true, value: undefined })
  t.is((await quick.next()).value?.topic, '/c')
})

const refuses = test.macro({
  exec(t, change: Partial<Envelope>, code: string) {
    const exchange = new Exchange()
    const envelope = { ...event('/a'), timestamp, ...change }
    t.throws(() => exchange.forward(envelope), { code })
    if (change.timestamp === undefined) t.throws(() => exchange.publish(envelope), { code })
  },
  title: (_, change) => `publish() and forward() refuse ${JSON.stringify(change)}`,
})

test(refuses, { namespace: '' }, 'FAILED_PRECONDITION')
test(refuses, { namespace: 'a/b' }, 'INVALID_ARGUMENT')
test(refuses, { topic: '' }, 'INVALID_ARGUMENT')
test(refuses, { topic: '/' }, 'INVALID_ARGUMENT')
test(refuses, { topic: 'a/b' }, 'INVALID_ARGUMENT')
test(refuses, { topic: '/a//b' }, 'INVALID_ARGUMENT')
test(refuses, { topic: '/a/' }, 'INVALID_ARGUMENT')
test(refuses, { topic: '/a b' }, 'INVALID_ARGUMENT')
test(refuses, { timestamp: new Date(Number.NaN) }, 'INVALID_ARGUMENT')

test('forward() keeps the time of the event', async t => {
  const exchange = new Exchange()
  const events = exchange.subscribe()
  exchange.forward({ ...event('/a'), timestamp })
  t.is((await events.next()).value?.timestamp, timestamp)
})
