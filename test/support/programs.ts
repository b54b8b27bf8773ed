import test, { type ExecutionContext } from 'ava'
import { isInstalled, type Program } from './installed.ts'

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

/** As `testWith`, for programs that `.ci/run` does not install: where one is missing the test is skipped, in CI too. */
export function testWhere(...programs: readonly Program[]) {
  const missing = programs.filter(program => !isInstalled(program))
  return (title: string, body: (t: ExecutionContext) => Promise<void>): void => {
    if (missing.length === 0) test(title, body)
    else test.skip(`${title} (skipped: ${missing.join(', ')} not installed)`, body)
  }
}

const inCI = (): boolean =>
  process.env.CI !== undefined && process.env.CI !== '' && process.env.CI !== 'false'
