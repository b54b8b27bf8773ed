import { randomBytes } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import { makeDirectory } from './fs-durable.ts'
import { ingestLocks, type RefLock } from './ref-locks.ts'

/** A directory of files that will be renamed to where they belong, and those who use it. */
interface Stage {
  readonly directory: string
  /** Keeps `removeLeftovers` of this process away. */
  readonly lock: RefLock
  readonly made: Promise<unknown>
  users: number
  files: number
}

/** By the directories of ingests that they lie in. */
const stages = new Map<string, Stage>()

/**
 * Gives `work` the name of a file that does not exist, beside the ingests and so on the file system of the blobs; what is
 * there in the end is removed.
 *
 * Those who come while others are at work share a directory, which costs two calls that each would make. It has no `ref`
 * in it, so that a crash leaves what every reader of the layout passes over, and the next collection removes.
 *
 * @param ingests  `FsLayout.ingests`
 */
export async function staged<T>(ingests: string, work: (file: string) => Promise<T>): Promise<T> {
  const stage = stages.get(ingests) ?? open(ingests)
  stage.users++
  try {
    await stage.made
    const file = path.join(stage.directory, String(stage.files++))
    try {
      return await work(file)
    } catch (error) {
      await fs.rm(file, { force: true }).catch(() => undefined)
      throw error
    }
  } finally {
    if (--stage.users === 0) await close(ingests, stage)
  }
}

function open(ingests: string): Stage {
  const directory = path.join(ingests, `stage-${randomBytes(8).toString('hex')}`)
  const lock = ingestLocks.acquire(directory, directory)
  const stage = { directory, lock, made: makeDirectory(directory), users: 0, files: 0 }
  stages.set(ingests, stage)
  return stage
}

/** Who comes from now on has another one. */
async function close(ingests: string, { directory, lock }: Stage): Promise<void> {
  stages.delete(ingests)
  try {
    await fs.rmdir(directory).catch(() => fs.rm(directory, { recursive: true, force: true }))
  } catch {
    // A leftover, which does no harm.
  } finally {
    lock.release()
  }
}
