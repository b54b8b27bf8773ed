import fs from 'node:fs/promises'
import process from 'node:process'
import { algorithmOf } from '../oci/digest.ts'
import type { AbortOptions } from '../options.ts'
import { errnoOf } from './fs-durable.ts'
import type { FsLayout } from './fs-layout.ts'
import { staged } from './fs-staging.ts'
import { digestFile } from './hash-file.ts'
import type { Provider, Target } from './types.ts'

/** A provider whose blobs are files. */
export interface FileProvider extends Provider {
  /** The file of a blob, if it is one by itself; it need not be right, and may be gone at once. */
  file(target: Target, options?: AbortOptions): Promise<string | undefined>
}

/** A store that can take over the bytes of a file without writing them. */
export interface FileTaker {
  /**
   * Shares the bytes of a file that are those of a blob, where the file system lets it: as a clone, whose bytes are copied when
   * one of them is changed; else, of a file that nobody may write to and that is ours, under a second name. They are read
   * and hashed as those that are copied are.
   *
   * A namespace does not have the blob by this alone: it is to be written as any other, and finds its bytes there.
   *
   * @returns false when it cannot be done, or the bytes are not right: nothing has happened then
   */
  takeFile(file: string, target: Target, options?: AbortOptions): Promise<boolean>
}

/** True for a provider whose blobs are files. */
export const isFileProvider = (from: Provider): from is FileProvider => 'file' in from

/** True for a store that can take files over. */
export const isTaker = (to: object): to is FileTaker => 'takeFile' in to

/** Errors of file systems that cannot do it, between these two files or at all. */
const cannot = new Set([
  ...['EXDEV', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'ENOTTY', 'EINVAL', 'EPERM', 'EACCES', 'EMLINK', 'ENOENT'],
])

const unlessCannot = (error: unknown): false => {
  if (cannot.has(errnoOf(error) ?? '')) return false
  throw error
}

/** Gives the bytes of a file a second place; false when the file system cannot. */
export async function shareFile(file: string, to: string): Promise<boolean> {
  const { COPYFILE_EXCL, COPYFILE_FICLONE_FORCE } = fs.constants
  const cloned = await fs
    .copyFile(file, to, COPYFILE_EXCL | COPYFILE_FICLONE_FORCE)
    .then(() => true, unlessCannot)
  if (cloned) return true
  const stats = await fs.lstat(file).catch(() => undefined)
  // Whoever could write to it would write to our blob.
  const isOurs = stats?.isFile() && (stats.mode & 0o222) === 0 && stats.uid === process.getuid?.()
  return isOurs === true && (await fs.link(file, to).then(() => true, unlessCannot))
}

/** Puts a file that is whole and durable where its blob belongs. */
export type PutFile = (data: string) => Promise<void>

/** Does what `FileTaker.takeFile` does, for blobs that lie as files. */
export async function takeFile(
  layout: FsLayout,
  file: string,
  { digest, size }: Target,
  put: PutFile,
  options: AbortOptions = {},
): Promise<boolean> {
  return staged(layout.ingests, async data => {
    try {
      if (!(await shareFile(file, data)) || !(await isRight(data, { digest, size }, options))) return false
      await put(data)
      return true
    } finally {
      await fs.rm(data, { force: true })
    }
  })
}

async function isRight(
  data: string,
  { digest, size }: Pick<Target, 'digest' | 'size'>,
  options: AbortOptions,
): Promise<boolean> {
  await using handle = await fs.open(data, 'r')
  const stats = await handle.stat()
  if (stats.size !== size) return false
  if ((await digestFile(handle, algorithmOf(digest), options)).digest !== digest) return false
  // A clone is writable as its source is; another name of a file has its mode, and is read-only.
  if ((stats.mode & 0o222) !== 0) await handle.chmod(stats.mode & 0o444)
  await handle.sync()
  return true
}
