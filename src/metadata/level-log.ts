import { channel } from 'node:diagnostics_channel'
import fs from 'node:fs/promises'
import path from 'node:path'
import { syncDirectory } from '../content/fs-durable.ts'
import { fromErrno, isNotFound, OrlopError } from '../errors.ts'
import { freshness, settledAfter, verifyStale } from './level-verified.ts'

/** What subscribers of the channel `orlop:metadata` are told. */
export interface DamageReport {
  /** Where the database is. */
  readonly directory: string
  /** A sentence for whoever runs the program. */
  readonly message: string
}

const reports = channel('orlop:metadata')

/**
 * Says on the channel `orlop:metadata` when LevelDB left out a part of its journal that it could not read.
 *
 * LevelDB does that without an error and only its own log tells. A commit that a power failure interrupted looks the same
 * and was never acknowledged, so this is a warning: it may be nothing, or changes that were acknowledged are gone.
 *
 * It also notes it in a file in the directory, for the next opening has nothing to tell: see `refuseDamaged`.
 *
 * @param directory  of a database that was just opened
 * @throws RESOURCE_EXHAUSTED, PERMISSION_DENIED  it cannot be noted
 */
export async function reportDamage(directory: string): Promise<void> {
  // Written anew at each opening. Without it the records are as good.
  const log = await fs.readFile(path.join(directory, 'LOG'), 'utf8').catch(() => '')
  for (const [, bytes = ''] of log.matchAll(/dropping (\d+) bytes/g)) {
    const message = `metadata: the database ${directory} left out ${bytes} bytes of its journal that were damaged; unless the power failed, the last changes before may be lost`
    await note(directory, message)
    reports.publish({ directory, message } satisfies DamageReport)
  }
}

const noteIn = (directory: string): string => path.join(directory, 'DAMAGE')

async function note(directory: string, message: string): Promise<void> {
  try {
    await using handle = await fs.open(noteIn(directory), 'a', 0o600)
    await handle.writeFile(`${new Date().toISOString()} ${message}\n`)
    await handle.sync()
    await syncDirectory(directory)
  } catch (error) {
    throw fromErrno(error, `metadata: a note of damage in ${directory}`)
  }
}

/** What was noted of damage that LevelDB passed over; `undefined`: nothing. */
export async function damageOf(directory: string): Promise<string | undefined> {
  try {
    return (await fs.readFile(noteIn(directory), 'utf8')).trim()
  } catch (error) {
    const failure = fromErrno(error, `metadata: ${noteIn(directory)}`)
    if (isNotFound(failure)) return undefined
    throw failure
  }
}

/**
 * Refuses to go on while changes may be missing in the records: what those kept would be taken for garbage. The checksums of
 * tables that were not looked at for an hour are looked at.
 *
 * @throws DATA_LOSS  damage was noted or is found; the text says the ways out
 */
export async function refuseDamaged(directory: string): Promise<void> {
  await verifyStale(directory, freshness.removing, { settled: settledAfter })
  if ((await damageOf(directory)) === undefined) return
  throw new OrlopError(
    'DATA_LOSS',
    `metadata: part of the journal of ${directory} was damaged, so records may be missing and nothing is removed; "orlop rebuild --force-merge" makes records of what has none (or, if you know that nothing is missing, delete ${noteIn(directory)})`,
  )
}

/** Forgets what was noted: there are records of everything again. */
export async function forgetDamage(directory: string): Promise<void> {
  await fs.rm(noteIn(directory), { force: true }).catch((error: unknown) => {
    throw fromErrno(error, `metadata: ${noteIn(directory)}`)
  })
}
