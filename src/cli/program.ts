import { Command, Option } from 'commander'
import { OrlopError } from '../errors.ts'
import { version } from '../version.ts'
import type { Context, GlobalOptions } from './context.ts'
import { nouns, registersOf } from './nouns.ts'
import { describeError } from './report.ts'
import { stderr } from './stderr.ts'

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

/** The command `orlop` with all nouns; the verbs of one are added when it is named. */
export function newProgram(context: Context): Command {
  const program = new Command('orlop')
    .description('A content store for container images: pull, list, check and size them without a daemon.')
    .version(version, '-v, --version', 'print the version')
    .exitOverride()
    .addHelpText('after', examples)
    .helpCommand(false)
  reportErrors(program, 'orlop --help')
  for (const option of globalOptions) program.addOption(option)
  for (const { name, aliases, summary } of nouns) {
    const noun = program.command(name).aliases(aliases).description(summary)
    reportErrors(noun, `orlop ${name} --help`)
  }
  program
    .command('help [command...]')
    .description('show help, of a command when one is named')
    .action(async (words: string[]) => {
      await program.parseAsync([...words, '--help'], { from: 'user' })
    })
  return program.hook('preSubcommand', (_, command) => addVerbs(program, command, context))
}

/** A verb's files are loaded when it is named: `orlop images list` need not load the registry client. */
async function addVerbs(program: Command, command: Command, context: Context): Promise<void> {
  const noun = nouns.find(({ name }) => name === command.name())
  if (noun === undefined) return
  // The first is the noun.
  for (const register of await registersOf(noun, program.args[1])) register(command, context)
}

/** Makes commander's errors look as ours do: one line that starts with our name, or JSON, and says where help is. */
function reportErrors(command: Command, help: string): void {
  command.configureOutput({
    writeErr: text => void stderr().write(text),
    outputError: (text, write) => {
      const message = text
        .replace(/^error: /, '')
        .trim()
        .replaceAll('\n', ' ')
        // What stands behind the equals sign may be a secret, put behind a misspelt option.
        .replace(/^(unknown option '[^'=]*)=.*?'/, "$1'")
      const error = new OrlopError('INVALID_ARGUMENT', `${message} (see ${help})`)
      const { json = false } = command.optsWithGlobals<GlobalOptions>()
      write(`${describeError(error, { json })}\n`)
    },
  })
}

const examples = `
Examples:
  orlop images pull docker.io/library/busybox:latest
  orlop images list
  orlop images check --platform linux/arm64 docker.io/library/busybox:latest

Exit codes: 0 done, 1 failed, 2 not valid, 3 not found, 4 incomplete, 5 corrupt, 6 not allowed,
7 not reachable or held by another process, 8 no space or over a limit, 9 exists already, 130 interrupted.`
