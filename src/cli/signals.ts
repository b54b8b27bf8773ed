import process from 'node:process'
import { exitCodes } from './exit-code.ts'

/** What the signals have said so far. */
export interface Stop extends Disposable {
  /** Fires at the first SIGINT, SIGTERM or SIGHUP. */
  readonly signal: AbortSignal
  /** The exit code that the signal asks for; `undefined` while none came. */
  readonly exitCode: number | undefined
}

const codes = { SIGINT: exitCodes.interrupted, SIGTERM: exitCodes.terminated, SIGHUP: 129 } as const

/** Turns the first signal into an abort, so that writers close and keep their bytes; the second ends the process. */
export function stopOnSignals(): Stop {
  const controller = new AbortController()
  let exitCode: number | undefined
  const onSignal = (name: NodeJS.Signals): void => {
    const code = codes[name as keyof typeof codes] ?? exitCodes.failure
    if (exitCode !== undefined) process.exit(code)
    exitCode = code
    controller.abort(new DOMException(`interrupted by ${name}`, 'AbortError'))
  }
  for (const name of Object.keys(codes)) process.on(name, onSignal)
  return {
    signal: controller.signal,
    get exitCode() {
      return exitCode
    },
    [Symbol.dispose]: () => {
      for (const name of Object.keys(codes)) process.off(name, onSignal)
    },
  }
}
