import fs from 'node:fs/promises'
import path from 'node:path'
import process from 'node:process'
import { isUnavailable, OrlopError } from '../errors.ts'
import { isObject, parseJson } from '../oci/json.ts'
import { layoutOf } from './root.ts'

/** The process that holds a store. */
export interface Owner {
  readonly pid: number
  readonly command: string
  readonly since: string
  /** Absent: it does not let others in; or by a socket, until its own work is done, or as a service. */
  readonly shares?: 'until-done' | 'always'
}

/** Says in a file who holds the store, for those who find it held. Best effort: the lock itself is the database's. */
export async function writeOwner(file: string): Promise<void> {
  const command = [path.basename(process.argv[1] ?? process.execPath), ...verbs(process.argv.slice(2))].join(
    ' ',
  )
  await write(file, { pid: process.pid, command, since: new Date().toISOString() })
}

const write = (file: string, owner: Owner): Promise<void> =>
  fs.writeFile(file, `${JSON.stringify(owner)}\n`, { mode: 0o600 }).catch(() => undefined)

/** Says in the file of a root that this process holds that others may use the store through it. Best effort. */
export async function tellSharing(root: string, shares: Owner['shares'] & string): Promise<void> {
  const file = layoutOf(root).owner
  const owner = await readOwner(file)
  if (owner?.pid === process.pid) await write(file, { ...owner, shares })
}

/** The process that says of itself that it holds a root, if it lives. */
export async function ownerOf(root: string): Promise<Owner | undefined> {
  const owner = await readOwner(layoutOf(root).owner)
  return owner && isAlive(owner.pid) ? owner : undefined
}

/** The first words of a command line; never options or what may be their values, which can be secrets. */
const verbs = (args: readonly string[]): readonly string[] =>
  args.slice(0, 2).filter((arg, at) => /^[a-z]+$/.test(arg) && !args[at - 1]?.startsWith('-'))

/** Takes the file away, unless it is another process's by now. */
export async function removeOwner(file: string): Promise<void> {
  const owner = await readOwner(file)
  if (owner?.pid === process.pid) await fs.unlink(file).catch(() => undefined)
}

/** A "database is held" error with the name of who holds it; other errors pass. */
export async function nameOwner(error: unknown, root: string, file: string): Promise<unknown> {
  if (!isUnavailable(error)) return error
  const owner = await readOwner(file)
  if (owner?.pid === process.pid) {
    return new OrlopError(
      'UNAVAILABLE',
      `store ${root}: open in this process already; share it, or close it first`,
      {
        cause: error,
      },
    )
  }
  const holder =
    owner && isAlive(owner.pid)
      ? `process ${owner.pid} (${owner.command}) since ${owner.since}`
      : 'another process'
  return new OrlopError(
    'UNAVAILABLE',
    `store ${root}: held by ${holder}; wait until it has ended, or use another --root`,
    { cause: error },
  )
}

const ways = ['until-done', 'always'] as const

async function readOwner(file: string): Promise<Owner | undefined> {
  try {
    const json = parseJson(await fs.readFile(file), file)
    if (!isObject(json) || typeof json.pid !== 'number') return undefined
    const shares = ways.find(way => way === json.shares)
    const said = { pid: json.pid, command: String(json.command), since: String(json.since) }
    return shares === undefined ? said : { ...said, shares }
  } catch {
    return undefined
  }
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
