import { type ChildProcess, spawn } from 'node:child_process'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/** How a command ended and what it printed. */
export interface Outcome {
  /** Exit code; null when a signal ended it. */
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  /** The command line, for messages. */
  readonly command: string
}

/** Settings of `run` and `start`. */
export interface RunOptions {
  readonly cwd?: string
  /** Added to this process's environment; undefined removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Given to stdin, which is then closed. */
  readonly input?: string | Uint8Array
  /** A descriptor of this process that the command gets as its descriptor 3. */
  readonly descriptor?: number
  /** Milliseconds until the command is killed and `run` fails; default 60 000. */
  readonly deadline?: number
}

/** A command that runs: its process, and its end. */
export interface Running {
  readonly child: ChildProcess
  readonly outcome: Promise<Outcome>
}

/** The command line program of this build. */
export const orlopProgram = fileURLToPath(new URL('../../../bin/orlop.js', import.meta.url))

/** The root of the project: where package.json is. */
export const projectRoot = fileURLToPath(new URL('../../../', import.meta.url))

/** Runs a command to its end, whatever its exit code. Fails only when it cannot be started or misses its deadline. */
export const run = (command: string, args: readonly string[], options: RunOptions = {}): Promise<Outcome> =>
  start(command, args, options).outcome

/** Runs a command and gives what it printed on stdout. Fails, with its stderr, when its exit code is not 0. */
export async function output(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const outcome = await run(command, args, options)
  if (outcome.code === 0) return outcome.stdout
  throw new Error(`${outcome.command}: ended with ${outcome.code ?? outcome.signal}\n${outcome.stderr}`)
}

/**
 * Runs this build's `orlop`, without the settings and the credentials of whoever runs the tests.
 *
 * At most four run at a time: ava starts all tests of a file at once, and a hundred processes would starve each other.
 */
export async function orlop(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  if (slots.free === 0) await new Promise<void>(resolve => slots.waiting.push(resolve))
  else slots.free--
  try {
    return await startOrlop(args, options).outcome
  } finally {
    const next = slots.waiting.shift()
    if (next) next()
    else slots.free++
  }
}

const slots = { free: 4, waiting: [] as (() => void)[] }

/** As `orlop`, but gives the process while it runs. */
export const startOrlop = (args: readonly string[], options: RunOptions = {}): Running =>
  start(process.execPath, [orlopProgram, ...args], {
    ...options,
    env: { ...cleanEnvironment, ...options.env },
  })

/** Without the settings and the credentials of whoever runs the tests. */
export const cleanEnvironment = {
  HOME: '/nonexistent',
  // Shared by all tests, so that each start of orlop takes less.
  XDG_CACHE_HOME: path.join(projectRoot, 'dist/cache'),
  DOCKER_CONFIG: '/nonexistent/docker',
  DOCKER_AUTH_CONFIG: undefined,
  // An empty one; the machine's would say what short names mean.
  CONTAINERS_REGISTRIES_CONF: '/dev/null',
  REGISTRY_AUTH_FILE: undefined,
  XDG_CONFIG_HOME: undefined,
  XDG_RUNTIME_DIR: undefined,
  ORLOP_ROOT: undefined,
  ORLOP_NAMESPACE: undefined,
  ORLOP_ADDRESS: undefined,
  NODE_OPTIONS: undefined,
  FORCE_COLOR: undefined,
  NO_COLOR: '1',
} as const

const alive = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of alive) child.kill('SIGKILL')
})

/** Starts a command; nothing of it outlives this process. */
export function start(command: string, args: readonly string[], options: RunOptions = {}): Running {
  const { cwd, env, input, descriptor, deadline = 60_000 } = options
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: [
      input === undefined ? 'ignore' : 'pipe',
      ...(['pipe', 'pipe'] as const),
      ...(descriptor === undefined ? [] : [descriptor]),
    ],
  })
  alive.add(child)
  const line = [command, ...args].join(' ')
  const outcome = finish(child, line, deadline).finally(() => alive.delete(child))
  outcome.catch(() => {})
  child.stdin?.on('error', () => {})
  child.stdin?.end(input)
  return { child, outcome }
}

const finish = (child: ChildProcess, command: string, deadline: number): Promise<Outcome> =>
  new Promise((resolve, reject) => {
    const stdout: Buffer[] = []
    const stderr: Buffer[] = []
    child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk))
    child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk))
    let late = false
    const timer = setTimeout(() => {
      late = true
      child.kill('SIGKILL')
    }, deadline)
    child.once('error', error => {
      clearTimeout(timer)
      reject(new Error(`${command}: ${error.message}`, { cause: error }))
    })
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      const ended = { code, signal, stdout: text(stdout), stderr: text(stderr), command }
      if (late) reject(new Error(`${command}: not done after ${deadline} ms\n${ended.stdout}${ended.stderr}`))
      else resolve(ended)
    })
  })

const text = (chunks: readonly Buffer[]): string => Buffer.concat(chunks).toString('utf8')
