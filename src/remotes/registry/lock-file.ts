import { randomBytes } from 'node:crypto'
import fs from 'node:fs/promises'
import os from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { errnoOf } from '../../content/fs-durable.ts'
import { OrlopError } from '../../errors.ts'
import type { AbortOptions } from '../../options.ts'

/** Options of `withLockFile`. */
export interface LockOptions extends AbortOptions {
  /** Milliseconds that a lock of others is waited for; default 10 000. */
  readonly lockTimeoutMs?: number | undefined
}

const pollMs = 20
/** A lock older than this has no owner: none is held for more than a few small writes. */
const staleMs = 30_000

/**
 * Runs `work` while this process alone has a lock: a file that says who made it.
 *
 * One whose process is gone, or that is older than half a minute, is removed.
 *
 * @throws UNAVAILABLE  somebody else has it for longer than `lockTimeoutMs`
 */
export async function withLockFile<T>(
  lock: string,
  work: () => Promise<T>,
  { lockTimeoutMs = 10_000, signal }: LockOptions = {},
): Promise<T> {
  const mine = `${process.pid} ${os.hostname()} ${randomBytes(8).toString('hex')}\n`
  const until = Date.now() + lockTimeoutMs
  while (!(await create(lock, mine))) {
    if (await removeStale(lock)) continue
    if (Date.now() >= until) throw new OrlopError('UNAVAILABLE', await heldText(lock))
    await delay(pollMs, undefined, signal ? { signal } : {})
  }
  try {
    return await work()
  } finally {
    if ((await textOf(lock)) === mine) await fs.rm(lock, { force: true })
  }
}

async function create(lock: string, text: string): Promise<boolean> {
  try {
    await fs.writeFile(lock, text, { flag: 'wx', mode: 0o600 })
    return true
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false
    throw error
  }
}

/** Removes a lock that nobody holds; true when there is none any more. */
async function removeStale(lock: string): Promise<boolean> {
  const text = await textOf(lock)
  if (text === undefined) return true
  if (!(await isStale(lock, text))) return false
  // Renamed first: of several that see the same stale lock one takes it away, and sees when it took another.
  const aside = `${lock}.${randomBytes(6).toString('hex')}`
  try {
    await fs.rename(lock, aside)
    if ((await textOf(aside)) !== text) await fs.link(aside, lock)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'EEXIST') throw error
  } finally {
    await fs.rm(aside, { force: true })
  }
  return true
}

async function isStale(lock: string, text: string): Promise<boolean> {
  const [pid = '', host] = text.split(' ')
  if (host === os.hostname() && /^\d+$/.test(pid) && !isAlive(Number(pid))) return true
  try {
    return Date.now() - (await fs.stat(lock)).mtimeMs > staleMs
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false
    throw error
  }
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errnoOf(error) === 'EPERM'
  }
}

async function textOf(lock: string): Promise<string | undefined> {
  try {
    return await fs.readFile(lock, 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

const heldText = async (lock: string): Promise<string> =>
  `${lock}: held by process ${(await textOf(lock))?.split(' ')[0] ?? '?'}; remove the file if that is gone`
