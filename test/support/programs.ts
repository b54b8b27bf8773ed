import fs from 'node:fs'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'

/** Programs of other projects that tests are run against. All are Debian packages; `.ci/run` installs them. */
export type Program = 'docker-registry' | 'skopeo' | 'umoci' | 'ctr' | 'containerd' | 'zstd'

/** True when a program is on the PATH. */
export const isInstalled = (program: Program): boolean =>
  (process.env.PATH ?? '')
    .split(path.delimiter)
    .some(directory => isExecutable(path.join(directory, program)))

/**
 * `test`, for tests that need other programs.
 *
 * Where one is missing the test is skipped and its title says why; in CI (`CI` is set and is not `false`) it fails.
 */
export function testWith(...programs: readonly Program[]) {
  const missing = programs.filter(program => !isInstalled(program))
  return (title: string, body: (t: ExecutionContext) => Promise<void>): void => {
    if (missing.length === 0) test(title, body)
    else if (inCI()) test(title, t => t.fail(`not installed: ${missing.join(', ')}`))
    else test.skip(`${title} (skipped: ${missing.join(', ')} not installed)`, body)
  }
}

const inCI = (): boolean =>
  process.env.CI !== undefined && process.env.CI !== '' && process.env.CI !== 'false'

const isExecutable = (file: string): boolean => {
  try {
    fs.accessSync(file, fs.constants.X_OK)
    return true
  } catch {
    return false
  }
}
