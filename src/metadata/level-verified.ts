import { randomBytes } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import { tablesIn, verifyTables } from './level-tables.ts'

/** How old the last look at a table may be, in milliseconds, when a database is opened, and before something is removed. */
export const freshness = { opening: 24 * 3_600_000, removing: 3_600_000 } as const

/** Milliseconds after which a table of an open database has been written to its end. */
export const settledAfter = 60_000

/**
 * Checks the checksums of those tables that were not found whole lately.
 *
 * Tables never change, and a look at all of them at each opening would cost each command the reading of the database. What
 * was found is kept in the file `VERIFIED` beside them; a table whose size, times or inode are others is looked at again.
 *
 * While the database is open tables may be half written: one that was changed in the last minute, by this very process, is
 * passed over (`settled`), and found by the next look.
 *
 * @param maxAge  of the last look, in milliseconds
 * @param options.names  of tables; default: all
 * @param options.settled  milliseconds since the last change of a table that is looked at; default 0
 * @throws DATA_LOSS  a table whose bytes are not those that were written
 */
export async function verifyStale(
  directory: string,
  maxAge: number,
  { names, settled = 0 }: VerifyOptions = {},
): Promise<void> {
  const known = await readVerified(directory)
  const now = Date.now()
  const found: Record<string, Look> = {}
  let looked = false
  for (const name of names ?? (await tablesIn(directory))) {
    const { state, changedAt } = (await stateOf(path.join(directory, name))) ?? { changedAt: 0 }
    if (state === undefined || (settled > 0 && now - changedAt < settled)) continue
    const last = known[name]
    const fresh = last !== undefined && last.state === state && last.at <= now && now - last.at <= maxAge
    if (!fresh) await verifyTables(directory, [name])
    looked ||= !fresh
    found[name] = fresh ? last : { state, at: now }
  }
  if (looked) await writeVerified(directory, found)
}

interface VerifyOptions {
  readonly names?: readonly string[] | undefined
  readonly settled?: number | undefined
}

/** When a table was looked at, and what the file system said of it. */
interface Look {
  readonly state: string
  /** Milliseconds since 1970. */
  readonly at: number
}

/** `undefined`: the table was merged into another meanwhile. */
async function stateOf(
  file: string,
): Promise<{ readonly state: string; readonly changedAt: number } | undefined> {
  const stats = await fs.stat(file).catch(() => undefined)
  if (stats === undefined) return undefined
  const { size, mtimeMs, ctimeMs, ino } = stats
  return { state: [size, mtimeMs, ctimeMs, ino].join(' '), changedAt: mtimeMs }
}

const fileIn = (directory: string): string => path.join(directory, 'VERIFIED')

/** Whatever cannot be read was not verified. */
async function readVerified(directory: string): Promise<Readonly<Record<string, Look>>> {
  try {
    const parsed: unknown = JSON.parse(await fs.readFile(fileIn(directory), 'utf8'))
    return parsed !== null && typeof parsed === 'object'
      ? Object.fromEntries(Object.entries(parsed).filter(isLook))
      : {}
  } catch {
    return {}
  }
}

const isLook = (entry: [string, unknown]): entry is [string, Look] => {
  const [, look] = entry
  if (look === null || typeof look !== 'object' || !('state' in look && 'at' in look)) return false
  return typeof look.state === 'string' && typeof look.at === 'number'
}

/** Not synced: without it the tables are looked at once more, and that is all. */
async function writeVerified(directory: string, looks: Readonly<Record<string, Look>>): Promise<void> {
  const temporary = `${fileIn(directory)}.${randomBytes(4).toString('hex')}`
  try {
    await fs.writeFile(temporary, JSON.stringify(looks), { mode: 0o600 })
    await fs.rename(temporary, fileIn(directory))
  } catch {
    await fs.rm(temporary, { force: true }).catch(() => undefined)
  }
}
