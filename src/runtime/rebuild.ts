import fs from 'node:fs/promises'
import process from 'node:process'
import { syncDirectory } from '../content/fs-durable.ts'
import { FsLayout } from '../content/fs-layout.ts'
import { annotate, fromErrno, hasCode, OrlopError } from '../errors.ts'
import { Quarantine } from '../fsck/quarantine.ts'
import { type RebuildOptions, type Rebuilt, rebuild } from '../fsck/rebuild.ts'
import { openLevel } from '../metadata/level-kv.ts'
import { forgetDamage } from '../metadata/level-log.ts'
import { openDatabase } from '../metadata/migrations.ts'
import type { AbortOptions } from '../options.ts'
import { nameOwner } from './owner-file.ts'
import { layoutOf, type RootLayout } from './root.ts'
import { Runtime } from './runtime.ts'

/** Options of `rebuildStore`. */
export interface RebuildStoreOptions extends RebuildOptions {
  /** Of a store whose records are lost. */
  readonly root: string
  readonly now?: (() => Date) | undefined
}

/** What a rebuild of a store did. */
export interface RebuiltStore extends Rebuilt {
  /** Where the damaged database is now, when there was one. */
  readonly setAside?: string
}

/**
 * Makes the records of a store anew from its blobs, when the database is lost; see `rebuild`.
 *
 * A database that cannot be read is moved into quarantine, never deleted; one that can be read stays as it is.
 *
 * @throws NOT_FOUND  there is no store at the root
 * @throws FAILED_PRECONDITION  there are records, and not `merge`; or a newer orlop wrote them
 * @throws UNAVAILABLE  another process has the store open
 */
export async function rebuildStore({
  root,
  now = () => new Date(),
  ...options
}: RebuildStoreOptions): Promise<RebuiltStore> {
  options.signal?.throwIfAborted()
  const setAside = await setAsideDamaged({ root, now }, options)
  await using runtime = await Runtime.open({ root, now }, options)
  const rebuilt = await rebuildRecords(runtime, options)
  return { ...rebuilt, ...(setAside !== undefined && { setAside }) }
}

/**
 * As `rebuildStore`, of a store that is open: its database can be read.
 *
 * @throws DATA_LOSS  a part of the database cannot be read: end the process that has it open, and use `rebuildStore`
 */
export async function rebuildRecords(
  { root, parts }: Pick<Runtime, 'root' | 'parts'>,
  options: RebuildOptions = {},
): Promise<Rebuilt> {
  const { content, metadata } = layoutOf(root)
  try {
    const rebuilt = await rebuild({ ...parts, layout: new FsLayout(content) }, options)
    await forgetDamage(metadata)
    return rebuilt
  } catch (error) {
    if (!hasCode(error, 'DATA_LOSS')) throw error
    throw annotate(
      error,
      `store ${root}: end process ${process.pid}, which has it open, and rebuild it again`,
    )
  }
}

async function requireContent({ root, content }: RootLayout): Promise<void> {
  const stats = await fs.stat(content).catch((error: unknown) => {
    const failure = fromErrno(error, `store ${root}`)
    if (!hasCode(failure, 'NOT_FOUND')) throw failure
    throw new OrlopError('NOT_FOUND', `store ${root}: there is none: it has no directory content/`, {
      cause: error,
    })
  })
  if (!stats.isDirectory())
    throw new OrlopError('FAILED_PRECONDITION', `store ${root}: content is no directory`)
}

/**
 * Moves the database of a store out of the way when it cannot be read; gives the place where it is now.
 *
 * @throws NOT_FOUND  there is no store at the root
 * @throws UNAVAILABLE  a process has the database open, so it can be read
 */
export async function setAsideDamaged(
  { root, now = () => new Date() }: Pick<RebuildStoreOptions, 'root' | 'now'>,
  options: AbortOptions = {},
): Promise<string | undefined> {
  const layout = layoutOf(root)
  const { metadata, owner } = layout
  await requireContent(layout)
  try {
    if (!(await exists(metadata))) return undefined
    await readAll(metadata, options)
    return undefined
  } catch (error) {
    if (!hasCode(error, 'DATA_LOSS')) throw await nameOwner(error, root, owner)
    const moved = await new Quarantine(root, now()).keepDirectory(metadata)
    await syncDirectory(root)
    return moved
  }
}

async function exists(directory: string): Promise<boolean> {
  try {
    await fs.stat(directory)
    return true
  } catch (error) {
    const failure = fromErrno(error, directory)
    if (hasCode(failure, 'NOT_FOUND')) return false
    throw failure
  }
}

/** Opens the database and reads all of it, for some damage shows only then. */
async function readAll(metadata: string, { signal }: AbortOptions): Promise<void> {
  await using database = await openDatabase(await openLevel(metadata))
  await database.view(async view => {
    for await (const _ of view.range('', { raw: true, signal }));
  })
}
