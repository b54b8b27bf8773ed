import type { Command } from 'commander'
import type { ListOptions } from '../../remotes/types.ts'
import { count } from '../arguments.ts'
import type { Context } from '../context.ts'
import { addRegistryOptions, type RegistryOptions } from '../registry-options.ts'

/** Options of the verbs that list names. */
export interface ListNamesOptions extends RegistryOptions {
  readonly pageSize?: number
  readonly last?: string
}

/** Adds the options of `ListNamesOptions`. */
export const addListOptions = (command: Command): Command =>
  addRegistryOptions(
    command
      .option('--page-size <n>', 'names to ask for at one time; the registry decides else', count)
      .option('--last <name>', 'start after this name'),
  )

/** What `ListNamesOptions` say to a list. */
export const listOptionsOf = (
  { pageSize, last }: ListNamesOptions,
  { signal }: Pick<Context, 'signal'>,
): ListOptions => ({ pageSize, last, signal })

/** Prints names as they come, one a line; with `--json` as one list in the end. */
export async function printNames(names: AsyncIterable<string>, { out, options }: Context): Promise<void> {
  const all: string[] = []
  for await (const name of names) {
    if (options.json) all.push(name)
    else out.line(name)
  }
  if (options.json) out.json(all)
}
