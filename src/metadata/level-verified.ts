import { randomBytes } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import { tablesIn, verifyTables } from './level-tables.ts'

/** How old the last look at a table may be, in milliseconds, when a database is opened, and before something is removed. */
export const freshness = { opening: 24 * 3_600_000, removing: 3_600_000 } as const

/**
 * Checks the checksums of those tables that were not found whole lately.
 *
 * Tables never change, and a look at all of them at each opening would cost each command the reading of the database. What
 * was found is kept in the file `VERIFIED` beside them; a table whose size, times or inode are others is looked at again.
 *
 * @param names  of tables; default: all
 * @param maxAge  of the last look, in milliseconds
 * @throws DATA_LOSS  a table whose bytes are not those that were written
 */
export async function verifyStale(
  directory: string,
  maxAge: number,
  names?: readonly string[],
): Promise<void> {
  const known = await readVerified(directory)
  const now = Date.now()
  const found: Record<string, Look> = {}
  let looked = false
  for (const name of names ?? (await tablesIn(directory))) {
    const state = await stateOf(path.join(directory, name))
    if (state === undefined) continue
    const last = known[name]
    const fresh = last !== undefined && last.state === state && last.at <= now && now - last.at <= maxAge
    if (!fresh) await verifyTables(directory, [name])
    looked ||= !fresh
    found[name] = fresh ? last : { state, at: now }
  }
  if (looked) await writeVerified(directory, found)
}

/** When a table was looked at, and what the file system said of it. */
interface Look {
  readonly state: string
  /** Milliseconds since 1970. */
  readonly at: number
}

/** `undefined`: the table was merged into another meanwhile. */
async function stateOf(file: string): Promise<string | undefined> {
  const stats = await fs.stat(file).catch(() => undefined)
  return stats && [stats.size, stats.mtimeMs, stats.ctimeMs, stats.ino].join(' ')
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
