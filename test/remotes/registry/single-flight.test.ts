import test from 'ava'
import { SingleFlight } from '../../../src/remotes/registry/single-flight.ts'

test('SingleFlight shares one piece of work among those who ask at the same time', async t => {
  const flights = new SingleFlight<number>()
  let runs = 0
  const work = async () => ++runs
  t.deepEqual(
    await Promise.all([flights.run('a', work), flights.run('a', work), flights.run('b', work)]),
    [1, 1, 2],
  )
  t.is(await flights.run('a', work), 3)
})

test('SingleFlight does not remember a failure', async t => {
  const flights = new SingleFlight<number>()
  await t.throwsAsync(
    flights.run('a', async () => Promise.reject(new Error('no'))),
    { message: 'no' },
  )
  t.is(await flights.run('a', async () => 1), 1)
})

test('SingleFlight lets one caller go and works on for the others', async t => {
  const flights = new SingleFlight<string>()
  const stop = new AbortController()
  const reason = new Error('enough')
  let finish: (text: string) => void = () => {}
  const work = () => new Promise<string>(resolve => (finish = resolve))
  const first = flights.run('a', work, { signal: stop.signal })
  const second = flights.run('a', work)
  stop.abort(reason)
  t.is(await t.throwsAsync(first), reason)
  finish('done')
  t.is(await second, 'done')
})

test('SingleFlight aborts work that nobody waits for any more, and starts anew for the next', async t => {
  const flights = new SingleFlight<string>()
  const stop = new AbortController()
  let inner: AbortSignal | undefined
  const first = flights.run(
    'a',
    ({ signal }) =>
      new Promise((_, reject) => {
        inner = signal
        signal?.addEventListener('abort', () => reject(signal.reason))
      }),
    { signal: stop.signal },
  )
  stop.abort(new Error('enough'))
  await t.throwsAsync(first, { message: 'enough' })
  t.true(inner?.aborted)
  t.is(await flights.run('a', async () => 'again'), 'again')
})
