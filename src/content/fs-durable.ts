import { randomBytes } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import { fromErrno, OrlopError } from '../errors.ts'
import { Turns } from './turns.ts'

/** Errnos of systems that cannot open or sync a directory; there the rename has to be enough. */
const noDirectorySync = new Set(['EINVAL', 'EISDIR', 'ENOTSUP', 'EPERM', 'EBADF'])

/** Makes the names in a directory durable. */
export async function syncDirectory(dir: string): Promise<void> {
  try {
    await using handle = await fs.open(dir, 'r')
    await handle.sync()
  } catch (error) {
    if (!noDirectorySync.has(errnoOf(error) ?? '')) throw error
  }
}

/** Syncs directories for many who ask at the same time: one sync serves all who asked before it began. */
export class SharedSyncs {
  readonly #turns = new Turns()
  /** Those that have not begun. */
  readonly #next = new Map<string, Promise<void>>()

  /** Resolves when the names are durable that the directory has now. */
  sync(dir: string): Promise<void> {
    const next =
      this.#next.get(dir) ??
      this.#turns.run(dir, async () => {
        this.#next.delete(dir)
        await syncDirectory(dir)
      })
    this.#next.set(dir, next)
    return next
  }
}

/**
 * Makes a directory and those above it that are missing; gives the topmost that was made.
 *
 * Step by step, for Node's own recursion says "no such file" of a file system that is read-only.
 */
export async function makeDirectory(dir: string): Promise<string | undefined> {
  const made = await makeOne(dir)
  if (made !== 'orphan') return made === 'made' ? dir : undefined
  const top = await makeDirectory(path.dirname(dir))
  if ((await makeOne(dir)) === 'orphan')
    throw new OrlopError('ABORTED', `${dir}: was removed while it was made`)
  return top ?? dir
}

const makeOne = async (dir: string): Promise<'made' | 'there' | 'orphan'> => {
  try {
    await fs.mkdir(dir)
    return 'made'
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return 'there'
    if (errnoOf(error) === 'ENOENT' && path.dirname(dir) !== dir) return 'orphan'
    throw error
  }
}

/**
 * Makes a directory under `root`, and every name from `root` down to it durable.
 *
 * Also when it was there already: a process that died may have made it and not synced its parents.
 */
export async function makeDurableDirectory(root: string, dir: string): Promise<void> {
  const made = await makeDirectory(dir)
  const top = made !== undefined && path.dirname(made).length < root.length ? path.dirname(made) : root
  for (let at = path.dirname(dir); at.length >= top.length; at = path.dirname(at)) {
    await syncDirectory(at)
    if (at === path.dirname(at)) return
  }
}

/** Replaces a small file at once: a reader sees the old text or the new. Not synced. */
export async function writeSmallFile(file: string, text: string): Promise<void> {
  await fs.writeFile(`${file}.tmp`, text)
  await fs.rename(`${file}.tmp`, file)
}

/**
 * Replaces a file at once and durably: a reader sees the old bytes or the new, also after a crash.
 *
 * @param mode  of the new file; default 0644
 */
export async function replaceFile(file: string, bytes: Uint8Array | string, mode = 0o644): Promise<void> {
  const next = `${file}.${randomBytes(6).toString('hex')}.tmp`
  try {
    await writeSynced(next, bytes, mode)
    await fs.rename(next, file)
  } catch (error) {
    await fs.rm(next, { force: true }).catch(() => undefined)
    throw error
  }
  await syncDirectory(path.dirname(file))
}

/** Makes a file whose bytes are durable, its name not yet. */
export async function writeSynced(file: string, bytes: Uint8Array | string, mode = 0o644): Promise<void> {
  await using handle = await fs.open(file, 'wx', mode)
  await handle.writeFile(bytes)
  await handle.sync()
}

/** The text of a small file, or `undefined` when there is none. */
export async function readSmallFile(file: string): Promise<string | undefined> {
  try {
    return await fs.readFile(file, 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** The names in a directory, sorted; none when there is no such directory. */
export async function namesIn(dir: string): Promise<readonly string[]> {
  try {
    return (await fs.readdir(dir)).sort()
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return []
    throw fromErrno(error, dir)
  }
}

/** What is in a directory, in no order and without a list of it all; nothing when there is none. */
export async function* eachNameIn(dir: string): AsyncGenerator<string> {
  try {
    for await (const { name } of await fs.opendir(dir, { bufferSize: 1024 })) yield name
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw fromErrno(error, dir)
  }
}

/** The errno of an error of Node's file system, or `undefined`. */
export const errnoOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
