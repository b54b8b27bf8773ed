import type { Stats } from 'node:fs'
import fs from 'node:fs/promises'
import path from 'node:path'
import { fromErrno } from '../errors.ts'
import { type Digest, isDigest } from '../oci/digest.ts'
import type { AbortOptions } from '../options.ts'
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
  for await (const { file, size } of filesBelow(layout.root, options)) {
    total = sum(total, size)
    if (size.isDirectory) continue
    const [folder, first = '', ...rest] = path.relative(layout.root, file).split(path.sep)
    const digest = `${first}:${rest.join('/')}`
    if (folder === 'blobs' && isDigest(digest)) blobs.set(digest, size)
    else if (folder === 'ingest' && rest.length > 0) ingests.set(first, sum(ingests.get(first) ?? none, size))
    else others = sum(others, size)
  }
  return { blobs, ingests, others, total }
}

/** What all files below a directory take; nothing when there is none. Throws as `contentFiles`. */
export async function treeBytes(directory: string, options: AbortOptions = {}): Promise<FileBytes> {
  let total = none
  for await (const { size } of filesBelow(directory, options)) total = sum(total, size)
  return total
}

interface Found {
  readonly file: string
  readonly size: FileBytes & { readonly isDirectory: boolean }
}

/** Every file and directory, the directory itself too. */
async function* filesBelow(directory: string, { signal }: AbortOptions): AsyncGenerator<Found> {
  const pending = [directory]
  for (let file = pending.pop(); file !== undefined; file = pending.pop()) {
    signal?.throwIfAborted()
    const stats = await present(fs.lstat(file), file)
    if (stats === undefined) continue
    yield { file, size: sizeOf(stats) }
    if (!stats.isDirectory()) continue
    for (const name of (await present(fs.readdir(file), file)) ?? []) pending.push(path.join(file, name))
  }
}

/** Windows knows no blocks. */
const sizeOf = (stats: Stats): Found['size'] => ({
  isDirectory: stats.isDirectory(),
  bytes: stats.isDirectory() ? 0 : stats.size,
  allocated: stats.blocks === undefined ? stats.size : stats.blocks * 512,
})

const sum = (a: FileBytes, b: FileBytes): FileBytes => ({
  bytes: a.bytes + b.bytes,
  allocated: a.allocated + b.allocated,
})

async function present<T>(asked: Promise<T>, file: string): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw fromErrno(error, file)
  }
}
