import path from 'node:path'
import { type Outcome, orlop, type RunOptions } from './run.ts'
import { type Teardown, temporaryDirectory } from './tmp.ts'

/** Runs `orlop` on one root, with the arguments as a shell would part them at spaces. */
export interface Cli {
  readonly root: string
  (args: string | readonly string[], options?: RunOptions): Promise<Outcome>
}

/** A fresh root and `orlop` on it. */
export async function cliOn(t: Teardown): Promise<Cli> {
  const root = path.join(await temporaryDirectory(t), 'root')
  const run = (args: string | readonly string[], options: RunOptions = {}): Promise<Outcome> =>
    orlop(['--root', root, ...(typeof args === 'string' ? args.split(' ').filter(Boolean) : args)], options)
  return Object.assign(run, { root })
}

/** The lines of what a command printed on stdout. */
export const linesOf = ({ stdout }: Pick<Outcome, 'stdout'>): readonly string[] =>
  stdout === '' ? [] : stdout.replace(/\n$/, '').split('\n')

/** The cells of a table's line. */
export const cells = (line: string | undefined): readonly string[] => (line ?? '').split(/ +/)
