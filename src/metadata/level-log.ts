import { channel } from 'node:diagnostics_channel'
import fs from 'node:fs/promises'
import path from 'node:path'

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
 * @param directory  of a database that was just opened
 */
export async function reportDamage(directory: string): Promise<void> {
  // Written anew at each opening. Without it the records are as good.
  const log = await fs.readFile(path.join(directory, 'LOG'), 'utf8').catch(() => '')
  for (const [, bytes = ''] of log.matchAll(/dropping (\d+) bytes/g)) {
    const message = `metadata: the database ${directory} left out ${bytes} bytes of its journal that were damaged; unless the power failed, the last changes before may be lost`
    reports.publish({ directory, message } satisfies DamageReport)
  }
}
