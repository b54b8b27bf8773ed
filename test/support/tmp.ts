import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'

/** What a test hands to support: the place where clean-up is registered. ava's `t` is one. */
export interface Teardown {
  teardown(work: () => void | Promise<void>): void
}

/** A fresh directory, removed when the test ends. Its path is short enough to hold a socket. */
export async function temporaryDirectory(t: Teardown): Promise<string> {
  const directory = await fs.mkdtemp(path.join(os.tmpdir(), 'orlop-'))
  t.teardown(() => removeDirectory(directory))
  return directory
}

/** Removes a directory with all that is in it, read-only directories too; one that is absent is no error. */
export async function removeDirectory(directory: string): Promise<void> {
  await fs.rm(directory, { recursive: true, force: true, maxRetries: 3 })
}

/**
 * A `Teardown` for what the tests of a file share; call it at the top of the file.
 *
 * @param after  `test.after.always`
 */
export function afterFile(after: (work: () => Promise<void>) => void): Teardown {
  const works: (() => void | Promise<void>)[] = []
  after(async () => {
    for (const work of works.toReversed()) await work()
  })
  return { teardown: work => works.push(work) }
}
