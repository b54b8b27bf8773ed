import { lstatSync, readdirSync, type Stats } from 'node:fs'
import path from 'node:path'
import { fromErrno } from '../errors.ts'
import { type Digest, isDigest } from '../oci/digest.ts'
import type { AbortOptions } from '../options.ts'
import { Pace } from '../pace.ts'
import { errnoOf } from './fs-durable.ts'
import { FsLayout } from './fs-layout.ts'

/** What files take. */
export interface FileBytes {
  /** Bytes in them; the sum that `du --apparent-size` shows of files. */
  readonly bytes: number
  /** Bytes of the blocks they occupy, that `du` shows; of directories too where a sum is of a tree. */
  readonly allocated: number
}

/** What lies in a content directory. */
export interface ContentFiles {
  readonly blobs: ReadonlyMap<Digest, FileBytes>
  /** By the names of their directories, `FsLayout.ingest`: all files of one together. */
  readonly ingests: ReadonlyMap<string, FileBytes>
  /** Files that are neither. */
  readonly others: FileBytes
  /** The whole directory: its files' bytes, and the blocks of files and directories. */
  readonly total: FileBytes
}

const none: FileBytes = { bytes: 0, allocated: 0 }

/**
 * Reads the sizes of all files of a content directory; never their bytes.
 *
 * Hard links count as often as they are found, and symbolic links are not followed. What vanishes meanwhile is not counted.
 *
 * @throws PERMISSION_DENIED  a directory that may not be read
 */
export async function contentFiles(root: string, options: AbortOptions = {}): Promise<ContentFiles> {
  const layout = new FsLayout(root)
  const blobs = new Map<Digest, FileBytes>()
  const ingests = new Map<string, FileBytes>()
  let [others, total] = [none, none]
  await eachFileBelow(layout.root, options, (file, size, isDirectory) => {
    total = sum(total, size)
    if (isDirectory) return
    const [folder, first = '', ...rest] = file.slice(layout.root.length + 1).split(path.sep)
    const digest = `${first}:${rest.join('/')}`
    if (folder === 'blobs' && isDigest(digest)) blobs.set(digest, size)
    else if (folder === 'ingest' && rest.length > 0) ingests.set(first, sum(ingests.get(first) ?? none, size))
    else others = sum(others, size)
  })
  return { blobs, ingests, others, total }
}

/** What all files below a directory take; nothing when there is none. Throws as `contentFiles`. */
export async function treeBytes(directory: string, options: AbortOptions = {}): Promise<FileBytes> {
  let total = none
  await eachFileBelow(directory, options, (_, size) => {
    total = sum(total, size)
  })
  return total
}

/**
 * Calls `visit` with every file and directory, the directory itself too.
 *
 * A look at a file takes three microseconds by itself and thirty by way of the thread pool, so a store of a million blobs would
 * take half a minute. It is done at once, therefore, and the rest of the process has its turn every few milliseconds.
 */
async function eachFileBelow(
  directory: string,
  options: AbortOptions,
  visit: (file: string, size: FileBytes, isDirectory: boolean) => void,
): Promise<void> {
  const { signal } = options
  const pace = new Pace(options)
  const pending = [directory]
  for (let file = pending.pop(); file !== undefined; file = pending.pop()) {
    signal?.throwIfAborted()
    const stats = present(file, one => lstatSync(one))
    if (stats === undefined) continue
    const isDirectory = stats.isDirectory()
    visit(file, sizeOf(stats), isDirectory)
    if (isDirectory)
      for (const name of present(file, one => readdirSync(one)) ?? []) pending.push(path.join(file, name))
    if (pace.due) await pace.rest()
  }
}

/** Windows knows no blocks. */
const sizeOf = (stats: Stats): FileBytes => ({
  bytes: stats.isDirectory() ? 0 : stats.size,
  allocated: stats.blocks === undefined ? stats.size : stats.blocks * 512,
})

const sum = (a: FileBytes, b: FileBytes): FileBytes => ({
  bytes: a.bytes + b.bytes,
  allocated: a.allocated + b.allocated,
})

function present<T>(file: string, look: (file: string) => T): T | undefined {
  try {
    return look(file)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw fromErrno(error, file)
  }
}
