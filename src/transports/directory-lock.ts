import { randomUUID } from 'node:crypto'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { errnoOf, readSmallFile } from '../content/fs-durable.ts'
import { fromErrno } from '../errors.ts'
import { isObject } from '../oci/json.ts'
import type { AbortOptions } from '../options.ts'

/** Milliseconds; tests have shorter ones. */
export interface LockTimes {
  /** Between two touches of a lock by who has it; default 5000. */
  readonly beat: number
  /** Without a touch for so long the one on another machine counts as gone; default 30 000. */
  readonly gone: number
  /** Between two looks at a lock that is held; default 200. */
  readonly look: number
}

/** Options of `lockDirectory`. */
export interface LockOptions extends AbortOptions {
  /** Told once, when the lock is held by somebody else. */
  readonly onWait?: ((holder: string) => void) | undefined
  readonly times?: LockTimes | undefined
}

const defaultTimes: LockTimes = { beat: 5000, gone: 30_000, look: 200 }

/** The name of the lock in the directory. */
export const lockName = '.orlop-lock'

/**
 * Waits until no other orlop writes to a directory, then keeps others off until it is disposed.
 *
 * The lock is a file that names who made it. It is broken when that process is dead, or, when it is on another machine or
 * in another container, when it has not touched the file for half a minute. Other programs know nothing of it.
 */
export async function lockDirectory(directory: string, options: LockOptions = {}): Promise<AsyncDisposable> {
  const { signal, onWait, times = defaultTimes } = options
  const lock = new DirectoryLock(directory, times)
  const watch = new Watch()
  for (let told = false; ; ) {
    signal?.throwIfAborted()
    try {
      if (await lock.take()) return lock
      const held = await lock.holder()
      if (held === undefined) continue
      if (await watch.isGone(held, times.gone)) {
        await lock.break(held)
        continue
      }
      if (!told) onWait?.(await describe(held))
      told = true
    } catch (error) {
      throw fromErrno(error, `lock of ${directory}`)
    }
    await sleep(times.look, undefined, { signal }).catch(() => signal?.throwIfAborted())
  }
}

/** A process, and where its number means something. */
interface Holder {
  readonly id: string
  /** What tells machines and containers apart. */
  readonly host: string
  readonly pid: number
  /** When it was started, for numbers are given out again; '' where it cannot be told. */
  readonly started: string
}

/** Who has a lock, and when it was touched last. */
interface Held extends Holder {
  readonly touched: number
}

const describe = async ({ pid, host }: Held): Promise<string> =>
  host === (await hostId()) ? `process ${pid}` : `process ${pid} on another machine or in another container`

const hostId = async (): Promise<string> =>
  `${os.hostname()} ${await fs.readlink('/proc/self/ns/pid').catch(() => process.platform)}`

/** Field 22 of Linux's /proc/<pid>/stat, behind the name, which may have blanks and parentheses. */
async function startOf(pid: number): Promise<string> {
  const text = await fs.readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? ''
}

/** Tells from what was seen, and not from clocks, which may differ, whether a lock is still touched. */
class Watch {
  #seen: { readonly id: string; readonly touched: number; readonly at: number } | undefined

  async isGone(held: Held, after: number): Promise<boolean> {
    if (held.host === (await hostId())) return !(await isAlive(held))
    const { id, touched } = held
    if (this.#seen?.id !== id || this.#seen.touched !== touched) {
      this.#seen = { id, touched, at: performance.now() }
      return false
    }
    return performance.now() - this.#seen.at > after
  }
}

async function isAlive({ pid, started }: Holder): Promise<boolean> {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if (errnoOf(error) !== 'EPERM') return false
  }
  const now = await startOf(pid)
  return started === '' || now === '' || now === started
}

class DirectoryLock implements AsyncDisposable {
  readonly #file: string
  readonly #times: LockTimes
  readonly #id = randomUUID()
  #beat: NodeJS.Timeout | undefined

  constructor(directory: string, times: LockTimes) {
    this.#file = path.join(directory, lockName)
    this.#times = times
  }

  /** For a moment it is there without its text; then it looks like one of another machine. */
  async take(): Promise<boolean> {
    const { pid } = process
    const mine: Holder = { id: this.#id, host: await hostId(), pid, started: await startOf(pid) }
    try {
      await fs.writeFile(this.#file, JSON.stringify(mine), { flag: 'wx' })
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') return false
      throw error
    }
    this.#beat = setInterval(() => {
      const now = new Date()
      fs.utimes(this.#file, now, now).catch(() => undefined)
    }, this.#times.beat)
    this.#beat.unref()
    return true
  }

  async holder(): Promise<Held | undefined> {
    const text = await readSmallFile(this.#file)
    const stats = await fs.stat(this.#file).catch(() => undefined)
    if (text === undefined || stats === undefined) return undefined
    return { ...parse(text), touched: stats.mtimeMs }
  }

  /** Only who has made the second directory may break a lock, and looks again before: so a live one never goes. */
  async break(held: Held): Promise<void> {
    const breaking = `${this.#file}.breaking`
    try {
      await fs.mkdir(breaking)
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error
      await removeOld(breaking, this.#times.gone)
      return
    }
    try {
      const now = await this.holder()
      if (now?.id === held.id && now.touched === held.touched) await fs.rm(this.#file, { force: true })
    } finally {
      await fs.rmdir(breaking)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#beat)
    const held = await this.holder().catch(() => undefined)
    if (held?.id === this.#id) await fs.rm(this.#file, { force: true })
  }
}

/** A text that is none of ours, or not there yet, is nobody's on this machine. */
function parse(text: string): Holder {
  try {
    const json: unknown = JSON.parse(text)
    if (isObject(json) && typeof json.pid === 'number')
      return { id: String(json.id), host: String(json.host), pid: json.pid, started: String(json.started) }
  } catch {
    // Fall through.
  }
  return { id: '', host: '', pid: 0, started: '' }
}

/** Of one who died while it broke a lock, which takes a moment. */
async function removeOld(directory: string, age: number): Promise<void> {
  const stats = await fs.stat(directory).catch(() => undefined)
  if (stats !== undefined && Date.now() - stats.mtimeMs > age)
    await fs.rmdir(directory).catch(() => undefined)
}
