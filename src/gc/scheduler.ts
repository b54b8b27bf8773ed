import { OrlopError } from '../errors.ts'
import type { AbortOptions } from '../options.ts'

/** When a `Scheduler` collects. Times are in milliseconds. */
export interface ScheduleOptions {
  /** The share of time, 0 to 0.5, that collections may hold writers up; 0: no bound. Default 0.02. */
  readonly pauseThreshold?: number | undefined
  /** After so many changes that leave garbage a collection is due; 0 (default): with the next tick. */
  readonly deletionThreshold?: number | undefined
  /** After so many changes of any kind the next tick collects; 0: never. Default 100. */
  readonly mutationThreshold?: number | undefined
  /** From what makes a collection due to its start; default 0. */
  readonly scheduleDelay?: number | undefined
  /** From `start` to the first collection; 0 or less: not before something happens. Default 100. */
  readonly startupDelay?: number | undefined
}

/** The clock and the alarm of a scheduler; tests bring their own. */
export interface Timers {
  /** Milliseconds from some moment on. */
  now(): number
  /** Calls back once, after so many milliseconds. */
  alarm(milliseconds: number, ring: () => void): Alarm
}

/** A call that is to come; disposing it calls it off. */
export interface Alarm extends Disposable {
  /** From now on the process stays for it. */
  hold?(): void
}

/** What is scheduled: a collection that tells for how long it held others up, in milliseconds. */
export type Collect = (options: AbortOptions) => Promise<{ readonly pauses: { readonly total: number } }>

/** What a `Scheduler` is made from. */
export interface SchedulerOptions extends ScheduleOptions {
  readonly collect: Collect
  readonly timers?: Timers | undefined
  /** Told of collections that failed; they are tried again. */
  readonly onError?: ((error: unknown) => void) | undefined
  /** Runs when it is disposed, first. */
  readonly onStop?: (() => void) | undefined
}

/** Interval when pauses have no bound, and before the first collection. */
const second = 1000
/** Shorter pauses count as this much. */
const leastPause = 5

interface Waiter {
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * Decides when to collect, for processes that stay: after deletions and enough changes, and so seldom that writers are
 * held up for no more than a share of the time.
 *
 * As in containerd, an interval follows from the average pause: at 0.02, a pause of 20 ms is followed by 980 ms of rest.
 * A collection that fails is tried again a second after the interval. One that fails before any has succeeded waits a
 * second too; containerd tries it again at once, and so keeps a core busy as long as it fails.
 *
 * @see containerd plugins/gc/scheduler.go
 */
export class Scheduler implements AsyncDisposable {
  readonly #collect: Collect
  readonly #timers: Timers
  readonly #onError: (error: unknown) => void
  readonly #onStop: () => void
  readonly #options: Required<{ readonly [K in keyof ScheduleOptions]: number }>
  readonly #stop = new AbortController()
  #alarm: Alarm | undefined
  #next: number | undefined
  #running: Promise<void> | undefined
  #waiters: Waiter[] = []
  #triggered = false
  #deletions = 0
  #mutations = 0
  #interval = second
  #collections = 0
  #paused = 0

  constructor({ collect, timers = realTimers, onError, onStop, ...options }: SchedulerOptions) {
    this.#collect = collect
    this.#timers = timers
    this.#onError = onError ?? (() => undefined)
    this.#onStop = onStop ?? (() => undefined)
    this.#options = {
      pauseThreshold: Math.min(Math.max(options.pauseThreshold ?? 0.02, 0), 0.5),
      deletionThreshold: options.deletionThreshold ?? 0,
      mutationThreshold: options.mutationThreshold ?? 100,
      scheduleDelay: options.scheduleDelay ?? 0,
      startupDelay: options.startupDelay ?? 100,
    }
  }

  /** Begins: the first collection comes after `startupDelay`. */
  start(): void {
    if (this.#options.startupDelay > 0) this.#schedule(this.#options.startupDelay)
  }

  /**
   * Tells of a change of records.
   *
   * @param dirty  true: something was deleted or let go since the last collection
   */
  mutated(dirty: boolean): void {
    const { deletionThreshold, mutationThreshold } = this.#options
    this.#mutations++
    if (dirty) this.#deletions++
    const deletionsDue = deletionThreshold > 0 && this.#deletions >= deletionThreshold
    const mutationsDue = mutationThreshold > 0 && this.#mutations >= mutationThreshold
    // While one runs the next is not set up yet; it will take what is counted here into account.
    const unscheduled = this.#next === undefined && this.#running === undefined
    if (deletionsDue || (unscheduled && (mutationsDue || (dirty && deletionThreshold === 0)))) {
      this.#scheduleBy(this.#options.scheduleDelay)
    }
  }

  /**
   * Collects soon and waits for the end: for deletes that are to be synchronous. A collection that is under way does not
   * count, for it may have passed what was deleted.
   *
   * @throws UNAVAILABLE  the scheduler was stopped
   * @throws what the collection throws; it is tried again all the same
   */
  scheduleAndWait({ signal }: AbortOptions = {}): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      signal?.throwIfAborted()
      if (this.#stop.signal.aborted) throw stopped()
      const leave = (): void => {
        this.#waiters = this.#waiters.filter(one => one !== waiter)
        reject(signal?.reason)
      }
      const settle = (done: () => void): void => {
        signal?.removeEventListener('abort', leave)
        done()
      }
      const waiter: Waiter = {
        resolve: () => settle(resolve),
        reject: error => settle(() => reject(error)),
      }
      signal?.addEventListener('abort', leave, { once: true })
      this.#waiters.push(waiter)
      this.#triggered = true
      this.#scheduleBy(this.#options.scheduleDelay)
      this.#alarm?.hold?.()
    })
  }

  /** Stops, and waits for a collection that is under way; it is told to end. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#onStop()
    this.#stop.abort(stopped())
    this.#alarm?.[Symbol.dispose]()
    await this.#running
    for (const waiter of this.#waiters.splice(0)) waiter.reject(stopped())
  }

  /** Rings in `delay`, unless it rings earlier anyway. */
  #scheduleBy(delay: number): void {
    const at = this.#timers.now() + delay
    if (this.#next === undefined || at < this.#next) this.#schedule(delay)
  }

  #schedule(delay: number): void {
    this.#alarm?.[Symbol.dispose]()
    this.#alarm = undefined
    this.#next = this.#timers.now() + delay
    // While a collection runs, what comes next is kept and set up after it.
    if (this.#running !== undefined || this.#stop.signal.aborted) return
    this.#alarm = this.#timers.alarm(delay, () => this.#tick())
    if (this.#waiters.length > 0) this.#alarm.hold?.()
  }

  #tick(): void {
    this.#next = undefined
    this.#alarm = undefined
    const { mutationThreshold } = this.#options
    const mutationsDue = mutationThreshold > 0 && this.#mutations >= mutationThreshold
    const idle = this.#collections > 0 && !this.#triggered && this.#deletions === 0 && !mutationsDue
    if (idle) this.#schedule(this.#interval)
    else {
      this.#running = this.#run().finally(() => {
        this.#running = undefined
        if (this.#next !== undefined) this.#schedule(Math.max(this.#next - this.#timers.now(), 0))
      })
    }
  }

  async #run(): Promise<void> {
    const { pauseThreshold, scheduleDelay } = this.#options
    const waiters = this.#waiters.splice(0)
    const before = { triggered: this.#triggered, deletions: this.#deletions, mutations: this.#mutations }
    // What comes from here on is for the next collection.
    this.#triggered = false
    this.#deletions = 0
    this.#mutations = 0
    try {
      const { pauses } = await this.#collect({ signal: this.#stop.signal })
      this.#paused += pauses.total
      this.#collections++
      const average = Math.max(this.#paused / this.#collections, leastPause)
      this.#interval = pauseThreshold > 0 ? average / pauseThreshold - average : second
      for (const waiter of waiters) waiter.resolve()
      this.#scheduleBy(this.#interval)
    } catch (error) {
      this.#triggered ||= before.triggered
      this.#deletions += before.deletions
      this.#mutations += before.mutations
      for (const waiter of waiters) waiter.reject(error)
      if (this.#stop.signal.aborted) return
      this.#onError(error)
      this.#scheduleBy(this.#collections === 0 ? Math.max(scheduleDelay, second) : this.#interval + second)
    }
  }
}

const stopped = (): OrlopError => new OrlopError('UNAVAILABLE', 'gc: the scheduler was stopped')

/** Alarms that do not keep the process alive unless somebody waits for them. */
const realTimers: Timers = {
  now: () => performance.now(),
  alarm: (milliseconds, ring) => {
    const timer = setTimeout(ring, milliseconds).unref()
    return { hold: () => void timer.ref(), [Symbol.dispose]: () => clearTimeout(timer) }
  },
}
