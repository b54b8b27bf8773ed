import fs from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fromErrno, OrlopError } from '../errors.ts'

/**
 * Refuses a directory in which files of its database are missing that LevelDB does not miss.
 *
 * Without `CURRENT` it would take the directory for an empty one, begin anew and delete the records that are there; without
 * a journal it would open and say nothing of the changes that were in it.
 *
 * @throws DATA_LOSS  `CURRENT`, or every journal, is gone
 */
export async function refuseIncomplete(directory: string): Promise<void> {
  const what = `metadata: the database ${directory}`
  let gone = await missing(directory, what)
  // Another process may be making or opening it at this moment.
  for (let left = looks; gone !== undefined && left > 0; left--) {
    await sleep(pause)
    gone = await missing(directory, what)
  }
  if (gone === undefined) return
  throw new OrlopError(
    'DATA_LOSS',
    `${what} is damaged: ${gone}; restore the directory from a copy, or make records anew with "orlop rebuild"`,
  )
}

const looks = 3

/** Milliseconds between looks. */
const pause = 30

async function missing(directory: string, what: string): Promise<string | undefined> {
  const { names, current } = await look(directory).catch((error: unknown) => {
    throw fromErrno(error, what)
  })
  const hasJournal = names.some(name => /^\d+\.log$/.test(name))
  const hasTables = names.some(name => /^\d+\.(?:ldb|sst)$/.test(name))
  // Neither is there while the database is being made; a crash may have left it so.
  const isComplete =
    current === undefined ? !hasJournal && !hasTables : hasJournal || current === firstManifest
  if (isComplete) return undefined
  return current === undefined ? 'its file CURRENT is missing' : 'its journal (<number>.log) is missing'
}

const firstManifest = 'MANIFEST-000001'

const look = async (directory: string) => {
  const names = await fs.readdir(directory)
  const current = names.includes('CURRENT')
    ? await fs.readFile(path.join(directory, 'CURRENT'), 'utf8')
    : undefined
  return { names, current: current?.trim() }
}
