import process from 'node:process'
import { Command, CommanderError, Option } from 'commander'
import type { Runtime } from '../runtime/runtime.ts'
import { version } from '../version.ts'
import { type Context, type GlobalOptions, rootOf } from './context.ts'
import { exitCodeOf, exitCodes } from './exit-code.ts'
import { nouns } from './nouns.ts'
import { createOutput } from './output.ts'
import { describeError } from './report.ts'
import { stopOnSignals } from './signals.ts'

const globalOptions: readonly Option[] = [
  new Option('--root <directory>', 'where the store lies').env('ORLOP_ROOT'),
  new Option('-n, --namespace <name>', 'namespace to work in').env('ORLOP_NAMESPACE').default('default'),
  new Option('-a, --address <socket>', 'socket of a service to use instead of opening the root').env(
    'ORLOP_ADDRESS',
  ),
  new Option('--json', 'print one JSON document instead of a table'),
  new Option('-q, --quiet', 'print names only, and no progress'),
  new Option('--progress <mode>', 'how to show progress, on stderr')
    .choices(['auto', 'tty', 'plain', 'json', 'none'])
    .default('auto'),
  new Option('--debug', 'print where errors come from, and each request'),
]

/**
 * Runs `orlop` with the arguments of this process and sets its exit code.
 *
 * SIGINT and SIGTERM stop the work at once and keep what was downloaded; a second one ends the process.
 */
export async function main(argv: readonly string[] = process.argv.slice(2)): Promise<void> {
  const out = createOutput(process.stdout, process.stderr)
  leaveQuietlyWhenNobodyReads()
  const stop = stopOnSignals()
  const session = new Session()
  const program = newProgram()
  const options = (): GlobalOptions => program.opts<GlobalOptions>()
  const context: Context = {
    out,
    signal: stop.signal,
    get options() {
      return options()
    },
    runtime: () => session.runtime(options(), stop.signal),
    scope: async () =>
      (await session.runtime(options(), stop.signal)).scope(options().namespace ?? 'default'),
    fail: exitCode => {
      process.exitCode = exitCode
    },
  }
  try {
    await loadNoun(program, argv, context)
    await program.parseAsync([...argv], { from: 'user' })
  } catch (error) {
    process.exitCode = stop.exitCode ?? report(error, options(), out.note)
  } finally {
    await session.close().catch((error: unknown) => {
      process.exitCode ||= report(error, options(), out.note)
    })
    stop[Symbol.dispose]()
  }
}

/** The store of this run, opened once. */
class Session {
  #opened: Promise<Runtime> | undefined

  runtime(options: GlobalOptions, signal: AbortSignal): Promise<Runtime> {
    this.#opened ??= open(options, signal)
    return this.#opened
  }

  async close(): Promise<void> {
    const runtime = await this.#opened?.catch(() => undefined)
    await runtime?.close()
  }
}

async function open(options: GlobalOptions, signal: AbortSignal): Promise<Runtime> {
  const { openStore } = await import('./open.ts')
  return openStore(rootOf(options), options, { signal })
}

function newProgram(): Command {
  const program = new Command('orlop')
    .description('A content store for container images: pull, list, check and size them without a daemon.')
    .version(version, '-v, --version', 'print the version')
    .exitOverride()
    .configureOutput({ outputError: oneLine('orlop --help') })
    .addHelpText('after', examples)
  for (const option of globalOptions) program.addOption(option)
  return program
}

/** Commander's errors as ours are: one line that starts with our name and says where help is. */
const oneLine =
  (help: string) =>
  (text: string, write: (text: string) => void): void =>
    write(
      `orlop: ${text
        .replace(/^error: /, '')
        .trim()
        .replaceAll('\n', ' ')} (see ${help})\n`,
    )

const examples = `
Examples:
  orlop images pull docker.io/library/busybox:latest
  orlop images list
  orlop images check --platform linux/arm64 docker.io/library/busybox:latest

Exit codes: 0 done, 1 failed, 2 not valid, 3 not found, 4 incomplete, 5 corrupt, 6 not allowed,
7 not reachable or held by another process, 8 no space or over a limit, 9 exists already, 130 interrupted.`

/** Adds all nouns, but the verbs only of the one that the arguments name. */
async function loadNoun(program: Command, argv: readonly string[], context: Context): Promise<void> {
  const named = firstWord(argv)
  for (const noun of nouns) {
    const command = program.command(noun.name).aliases(noun.aliases).description(noun.summary)
    command.exitOverride().configureOutput({ outputError: oneLine(`orlop ${noun.name} --help`) })
    if (named !== undefined && [noun.name, ...noun.aliases].includes(named)) {
      const register = await noun.load()
      register(command, context)
    }
  }
}

/** The first argument that is neither an option nor the value of one. */
function firstWord(argv: readonly string[]): string | undefined {
  for (let at = 0; at < argv.length; at++) {
    const argument = argv[at] ?? ''
    if (!argument.startsWith('-')) return argument === 'help' ? argv[at + 1] : argument
    const option = globalOptions.find(({ short, long }) => argument === short || argument === long)
    if (option?.required) at++
  }
  return undefined
}

function report(error: unknown, options: GlobalOptions, note: (text: string) => void): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.invalid
  note(describeError(error, options))
  return exitCodeOf(error)
}

/** `orlop … | head` closes our stdout: there is nobody left to tell. */
function leaveQuietlyWhenNobodyReads(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit(process.exitCode ?? 0)
  })
}
