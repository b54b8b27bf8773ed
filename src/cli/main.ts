import process from 'node:process'
import { CommanderError } from 'commander'
import { fromErrno } from '../errors.ts'
import { type Context, type GlobalOptions, namespaceOf, rootOf } from './context.ts'
import { watchDiagnostics } from './debug.ts'
import { exitCodeOf, exitCodes } from './exit-code.ts'
import type { Opened } from './open.ts'
import { createOutput } from './output.ts'
import { newProgram } from './program.ts'
import { describeError } from './report.ts'
import { stopOnSignals } from './signals.ts'
import { stderr } from './stderr.ts'

/**
 * Runs `orlop` with the arguments of this process and sets its exit code.
 *
 * SIGINT and SIGTERM stop the work at once and keep what was downloaded; a second one ends the process.
 */
export async function main(argv: readonly string[] = process.argv.slice(2)): Promise<void> {
  const out = createOutput(process.stdout, { write: text => stderr().write(text) })
  leaveWhenNothingTakesOurData(() => program.opts<GlobalOptions>(), out.note)
  const stop = stopOnSignals()
  const session = new Session()
  const options = (): GlobalOptions => program.opts<GlobalOptions>()
  const context: Context = {
    out,
    signal: stop.signal,
    get options() {
      return options()
    },
    verbs: async () => (await session.open(options(), stop.signal)).verbs,
    store: async () => (await session.open(options(), stop.signal)).store,
    scope: async () => {
      const namespace = namespaceOf(options())
      return (await session.open(options(), stop.signal)).store.scope(namespace)
    },
    collect: async () => {
      const namespace = namespaceOf(options())
      return (await session.open(options(), stop.signal)).collect(namespace, { signal: stop.signal })
    },
    fail: exitCode => {
      process.exitCode = exitCode
    },
  }
  const program = newProgram(context)
  using _ = watchDiagnostics({ options, note: out.note })
  try {
    await program.parseAsync([...argv], { from: 'user' })
  } catch (error) {
    const exitCode = report(error, options(), out.note)
    process.exitCode = stop.exitCode ?? exitCode
  } finally {
    await session.close(stop.signal).catch((error: unknown) => {
      process.exitCode ||= report(error, options(), out.note)
    })
    stop[Symbol.dispose]()
  }
}

/** The store of this run, opened once. */
class Session {
  #opened: Promise<Opened> | undefined

  open(options: GlobalOptions, signal: AbortSignal): Promise<Opened> {
    this.#opened ??= open(options, signal)
    return this.#opened
  }

  async close(signal: AbortSignal): Promise<void> {
    const opened = await this.#opened?.catch(() => undefined)
    await opened?.close({ signal })
  }
}

async function open(options: GlobalOptions, signal: AbortSignal): Promise<Opened> {
  const { openStore } = await import('./open.ts')
  return openStore(rootOf(options), options, { signal })
}

/** Commander has printed its errors itself. */
function report(error: unknown, options: GlobalOptions, note: (text: string) => void): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.invalid
  note(describeError(error, options))
  return exitCodeOf(error)
}

/**
 * `orlop … | head` closes our stdout: there is nobody left to tell, so we leave quietly. Data that cannot be written, as to
 * a full disk, is a failure.
 */
function leaveWhenNothingTakesOurData(options: () => GlobalOptions, note: (text: string) => void): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') process.exitCode = report(fromErrno(error, 'stdout'), options(), note)
    process.exit()
  })
}
