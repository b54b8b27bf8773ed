import fs from 'node:fs/promises'
import path from 'node:path'
import { fromErrno, OrlopError } from '../errors.ts'

/** Where the parts of a store lie under its root. */
export interface RootLayout {
  readonly root: string
  /** Blobs and ingests, in containerd's own layout. */
  readonly content: string
  /** The records' LevelDB. */
  readonly metadata: string
  /** Says which process holds the records. */
  readonly owner: string
  /** Space that is held back for a full disk. */
  readonly reserve: string
}

/** The paths under a root; nothing is touched. */
export const layoutOf = (root: string): RootLayout => ({
  root,
  content: path.join(root, 'content'),
  metadata: path.join(root, 'metadata'),
  owner: path.join(root, 'owner.json'),
  reserve: path.join(root, 'reserve'),
})

/**
 * Makes the root, private to its user, where it is missing.
 *
 * @throws FAILED_PRECONDITION  it, or a directory above it, is a file
 * @throws PERMISSION_DENIED  it may not be made, or is on a read-only file system
 */
export async function makeRoot(root: string): Promise<RootLayout> {
  const layout = layoutOf(root)
  try {
    await makeParents(path.dirname(root), root)
    await makeDirectory(root, 0o700)
    await makeDirectory(layout.content, 0o755)
  } catch (error) {
    throw fromErrno(error, `root ${root}`)
  }
  return layout
}

async function makeParents(directory: string, root: string): Promise<void> {
  try {
    await fs.mkdir(directory, { recursive: true })
  } catch (error) {
    // What is in the way, at whatever height, is no directory.
    if (errnoOf(error) !== 'EEXIST' && errnoOf(error) !== 'ENOTDIR') throw error
    throw new OrlopError(
      'FAILED_PRECONDITION',
      `root ${root}: ${directory} is not a directory, or lies below a file`,
      {
        cause: error,
      },
    )
  }
}

const errnoOf = (error: unknown): unknown =>
  error instanceof Error && 'code' in error ? error.code : undefined

async function makeDirectory(directory: string, mode: number): Promise<void> {
  try {
    await fs.mkdir(directory, { mode })
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error
    if ((await fs.stat(directory)).isDirectory()) return
    throw new OrlopError('FAILED_PRECONDITION', `root ${directory}: is a file; a store needs a directory`, {
      cause: error,
    })
  }
}
