import fs from 'node:fs/promises'
import path from 'node:path'
import { errnoOf, replaceFile } from '../../content/fs-durable.ts'
import { fromErrno } from '../../errors.ts'
import type { JsonObject } from '../../oci/json.ts'
import type { AbortOptions } from '../../options.ts'
import { parseDocument } from './credential-file.ts'
import { type LockOptions, withLockFile } from './lock-file.ts'
import { readText } from './text-file.ts'

/**
 * Changes the JSON of a file of credentials; what `edit` leaves in place stays, keys that nobody knows too.
 *
 * One writer at a time, by a lock beside the file; a change that somebody makes who knows no lock is seen, and the edit
 * is made again on it. The new file takes the place of the old one at once, for its owner alone (0600), synced. A
 * symbolic link stays one: the file that it points at is replaced.
 *
 * @param edit  gives the document to write, or `undefined` to leave it; may be called again
 * @returns true when something was written
 * @throws UNAVAILABLE  the lock is held for too long
 * @throws FAILED_PRECONDITION  the file is not what such files are
 */
export async function editCredentialFile(
  file: string,
  edit: (document: JsonObject) => JsonObject | undefined,
  options: LockOptions = {},
): Promise<boolean> {
  try {
    const target = await linkTarget(file)
    return await withLockFile(`${target}.lock`, () => editLocked(target, edit, options), options)
  } catch (error) {
    options.signal?.throwIfAborted()
    throw fromErrno(error, file)
  }
}

async function editLocked(
  file: string,
  edit: (document: JsonObject) => JsonObject | undefined,
  { signal }: AbortOptions,
): Promise<boolean> {
  for (;;) {
    const before = await identity(file)
    const changed = edit(parseDocument((await readText(file, { signal })) ?? '', file))
    if (changed === undefined) return false
    signal?.throwIfAborted()
    if ((await identity(file)) !== before) continue
    await replaceFile(file, `${JSON.stringify(changed, undefined, '\t')}\n`, 0o600)
    return true
  }
}

/** What changes when anybody replaces or rewrites a file. */
async function identity(file: string): Promise<string> {
  try {
    const { ino, size, mtimeNs, ctimeNs } = await fs.stat(file, { bigint: true })
    return `${ino} ${size} ${mtimeNs} ${ctimeNs}`
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return ''
    throw error
  }
}

/** The file behind symbolic links, which need not exist. */
async function linkTarget(file: string, hops = 0): Promise<string> {
  try {
    return await fs.realpath(file)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' || hops > 40) throw error
  }
  try {
    const next = await fs.readlink(file)
    return await linkTarget(path.resolve(path.dirname(file), next), hops + 1)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'EINVAL') return path.resolve(file)
    throw error
  }
}
