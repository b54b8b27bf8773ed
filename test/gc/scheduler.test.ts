import test from 'ava'
import { type ScheduleOptions, Scheduler, type Timers } from '../../src/gc/scheduler.ts'

/** Lets everything that can go on do so. */
const settle = () => new Promise<void>(resolve => setImmediate(resolve))

/** Time that stands still until a test moves it. */
class FakeTimers implements Timers {
  #now = 0
  #alarms: Array<{ readonly at: number; readonly ring: () => void }> = []

  now(): number {
    return this.#now
  }

  alarm(milliseconds: number, ring: () => void): Disposable {
    const alarm = { at: this.#now + milliseconds, ring }
    this.#alarms.push(alarm)
    return {
      [Symbol.dispose]: () => {
        this.#alarms = this.#alarms.filter(other => other !== alarm)
      },
    }
  }

  /** Moves on, ringing what rings on the way, each in its time. */
  async pass(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds
    for (;;) {
      const next = this.#alarms.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
      if (next === undefined) break
      this.#alarms = this.#alarms.filter(other => other !== next)
      this.#now = next.at
      next.ring()
      await settle()
    }
    this.#now = end
    await settle()
  }
}

/** A scheduler over collections that are only counted. */
function scheduled(options: ScheduleOptions = {}, pause = 20) {
  const timers = new FakeTimers()
  const runs: number[] = []
  const errors: unknown[] = []
  const state: { error: unknown; gate: Promise<void> } = { error: undefined, gate: Promise.resolve() }
  const scheduler = new Scheduler({
    ...options,
    timers,
    onError: error => errors.push(error),
    collect: async ({ signal }) => {
      runs.push(timers.now())
      await state.gate
      signal?.throwIfAborted()
      if (state.error !== undefined) throw state.error
      return { pauses: { total: pause } }
    },
  })
  return { scheduler, timers, runs, errors, state }
}

test('StartupDelay: the first collection comes 100 ms after start()', async t => {
  const { scheduler, timers, runs } = scheduled()
  scheduler.start()
  await timers.pass(99)
  t.deepEqual(runs, [])
  await timers.pass(1)
  t.deepEqual(runs, [100])
})

test('start() with a startupDelay of 0 schedules nothing until something happens', async t => {
  const { scheduler, timers, runs } = scheduled({ startupDelay: 0 })
  scheduler.start()
  await timers.pass(100_000)
  t.deepEqual(runs, [])
  scheduler.mutated(true)
  await timers.pass(0)
  t.deepEqual(runs, [100_000])
})

test('PauseThreshold: the interval follows from the average pause', async t => {
  const { scheduler, timers, runs } = scheduled({ pauseThreshold: 0.02, startupDelay: 10 }, 20)
  scheduler.start()
  for (let n = 0; n < 400; n++) {
    scheduler.mutated(true)
    await timers.pass(10)
  }
  t.deepEqual(runs, [10, 990, 1970, 2950, 3930])
})

test('a pause below 5 ms counts as 5 ms: 245 ms between collections at the least', async t => {
  const { scheduler, timers, runs } = scheduled({ startupDelay: 5 }, 0.1)
  scheduler.start()
  for (let n = 0; n < 100; n++) {
    scheduler.mutated(true)
    await timers.pass(5)
  }
  t.deepEqual(runs, [5, 250, 495])
})

test('pauseThreshold is at most 0.5, and 0 means a second between collections', async t => {
  for (const [pauseThreshold, second] of [
    [7, 120],
    [0, 1100],
    [-1, 1100],
  ] as const) {
    const { scheduler, timers, runs } = scheduled({ pauseThreshold }, 20)
    scheduler.start()
    await timers.pass(100)
    scheduler.mutated(true)
    await timers.pass(1500)
    t.deepEqual(runs, [100, second], `${pauseThreshold}`)
  }
})

test('a tick does nothing when there were no deletions and few changes', async t => {
  const { scheduler, timers, runs } = scheduled()
  scheduler.start()
  await timers.pass(100)
  for (let n = 0; n < 99; n++) scheduler.mutated(false)
  await timers.pass(60_000)
  t.deepEqual(runs, [100])
  scheduler.mutated(false)
  await timers.pass(60_000)
  t.is(runs.length, 2, 'the hundredth change')
})

test('DeletionThreshold: the fifth deletion schedules a collection after scheduleDelay', async t => {
  const { scheduler, timers, runs } = scheduled({ deletionThreshold: 5, scheduleDelay: 3, startupDelay: 1 })
  scheduler.start()
  await timers.pass(1)
  for (let n = 0; n < 4; n++) scheduler.mutated(true)
  await timers.pass(100)
  t.deepEqual(runs, [1])
  scheduler.mutated(true)
  await timers.pass(2)
  t.deepEqual(runs, [1])
  await timers.pass(1)
  t.deepEqual(runs, [1, 104])
})

test('with a deletionThreshold of 0 a deletion waits for the next tick once there was a collection', async t => {
  const { scheduler, timers, runs } = scheduled()
  scheduler.start()
  await timers.pass(100)
  scheduler.mutated(true)
  await timers.pass(979)
  t.deepEqual(runs, [100])
  await timers.pass(1)
  t.deepEqual(runs, [100, 1080])
})

test('Trigger: scheduleAndWait() resolves when the collection it asked for has ended', async t => {
  const { scheduler, timers, runs, state } = scheduled({ startupDelay: 0 })
  let release = (): void => undefined
  state.gate = new Promise(resolve => {
    release = resolve
  })
  let done = 0
  const first = scheduler.scheduleAndWait().then(() => done++)
  await timers.pass(0)
  t.deepEqual([runs.length, done], [1, 0])
  const second = scheduler.scheduleAndWait().then(() => done++)
  release()
  await first
  t.is(done, 1, 'the one under way began too early for the second')
  await timers.pass(0)
  await second
  t.is(runs.length, 2)
})

test('scheduleAndWait() rejects when the collection fails; that is tried again later', async t => {
  const { scheduler, timers, runs, errors, state } = scheduled({ startupDelay: 0 })
  state.error = new Error('no')
  const waiting = t.throwsAsync(scheduler.scheduleAndWait(), { is: state.error as Error })
  await timers.pass(0)
  await waiting
  t.deepEqual(errors, [state.error])
  await timers.pass(999)
  t.is(runs.length, 1)
  state.error = undefined
  await timers.pass(1)
  t.deepEqual(runs, [0, 1000])
  state.error = new Error('again')
  scheduler.mutated(true)
  await timers.pass(980)
  state.error = undefined
  await timers.pass(1980)
  t.deepEqual(runs, [0, 1000, 1980, 3960], 'a second after the interval; the deletion is not forgotten')
})

test('scheduleAndWait() gives up when its signal fires, and refuses one that has', async t => {
  const { scheduler, timers } = scheduled({ startupDelay: 0, scheduleDelay: 10 })
  const stop = new AbortController()
  const waiting = scheduler.scheduleAndWait({ signal: stop.signal })
  const reason = new Error('enough')
  stop.abort(reason)
  await t.throwsAsync(waiting, { is: reason })
  await t.throwsAsync(scheduler.scheduleAndWait({ signal: stop.signal }), { is: reason })
  await timers.pass(10)
})

test('disposing a scheduler ends what it runs and refuses those who wait', async t => {
  const { scheduler, timers, runs, state } = scheduled({ startupDelay: 0 })
  let release = (): void => undefined
  state.gate = new Promise(resolve => {
    release = resolve
  })
  const first = t.throwsAsync(scheduler.scheduleAndWait(), { code: 'UNAVAILABLE' })
  await timers.pass(0)
  const second = t.throwsAsync(scheduler.scheduleAndWait(), { code: 'UNAVAILABLE' })
  const closed = scheduler[Symbol.asyncDispose]()
  release()
  await Promise.all([closed, first, second])
  await t.throwsAsync(scheduler.scheduleAndWait(), { code: 'UNAVAILABLE' })
  await timers.pass(100_000)
  t.is(runs.length, 1)
})
