import { spawn } from 'node:child_process'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import process from 'node:process'
import type { Sample } from './types.ts'

/** How a command is run. */
export interface CommandOptions {
  readonly cwd?: string
  /** A file for its stdin. */
  readonly stdin?: string
  /** A file for its stdout; default: away with it. */
  readonly stdout?: string
  /** A daemon that works for it, whose time and memory count as well. */
  readonly daemon?: number | undefined
}

/** Environment of all that is measured: without the settings of whoever runs it. */
const environment = {
  PATH: process.env.PATH,
  HOME: process.env.HOME,
  XDG_CACHE_HOME: path.resolve('dist/cache'),
}

/**
 * Runs a command to its end and gives what it took, by GNU time.
 *
 * @throws when it fails, with what it said
 */
export async function command(words: readonly string[], options: CommandOptions = {}): Promise<Sample> {
  const figures = path.join(os.tmpdir(), `orlop-bench-${process.pid}-${counter++}`)
  const before = await daemonUse(options.daemon)
  const started = performance.now()
  const child = await spawned(['time', '-o', figures, '-f', '%U %S %M %I %O', ...words], options)
  const wallMs = performance.now() - started
  if (child.code !== 0) throw new Error(`${words.join(' ')}: ended with ${child.code}\n${child.stderr}`)
  const after = await daemonUse(options.daemon)
  const text = (await fs.readFile(figures, 'utf8')).trim().split('\n').at(-1) ?? ''
  await fs.rm(figures)
  const [user = 0, system = 0, kilobytes = 0, blocksIn = 0, blocksOut = 0] = text.split(' ').map(Number)
  return {
    wallMs,
    cpuMs: (user + system) * 1000 + after.cpuMs - before.cpuMs,
    peakBytes: kilobytes * 1024 + after.peakBytes,
    readBytes: blocksIn * 512 + after.readBytes - before.readBytes,
    writtenBytes: blocksOut * 512 + after.writtenBytes - before.writtenBytes,
  }
}

let counter = 0

async function spawned(
  [program = '', ...args]: readonly string[],
  { cwd, stdin, stdout }: CommandOptions,
): Promise<{ readonly code: number | null; readonly stderr: string }> {
  const input = stdin === undefined ? undefined : await fs.open(stdin, 'r')
  const output = await fs.open(stdout ?? '/dev/null', 'w')
  try {
    const child = spawn(program, args, {
      cwd,
      env: environment,
      stdio: [input?.fd ?? 'ignore', output.fd, 'pipe'],
    })
    let stderr = ''
    child.stderr?.on('data', (chunk: Buffer) => {
      stderr = `${stderr}${chunk}`.slice(-4096)
    })
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', resolve)
    })
    return { code, stderr }
  } finally {
    await input?.close()
    await output.close()
  }
}

/** What a child of ours that measures itself prints as its last line; of one that uses a daemon, that one's memory and disk. */
export async function selfMeasured(
  script: string,
  args: readonly (string | number)[],
  options: CommandOptions = {},
): Promise<Sample> {
  const stdout = path.join(os.tmpdir(), `orlop-bench-out-${process.pid}-${counter++}`)
  const words = [process.execPath, path.resolve('dist/bench/inside', script), ...args.map(String)]
  const before = await daemonUse(options.daemon)
  const sample = await command(words, { stdout })
  const after = await daemonUse(options.daemon)
  const { wallMs, cpuMs, count, pauseMs } = JSON.parse(
    (await fs.readFile(stdout, 'utf8')).trim().split('\n').at(-1) ?? '',
  )
  await fs.rm(stdout)
  return {
    ...sample,
    wallMs,
    cpuMs: cpuMs + after.cpuMs - before.cpuMs,
    ...(options.daemon !== undefined && {
      peakBytes: after.peakBytes,
      readBytes: after.readBytes - before.readBytes,
      writtenBytes: after.writtenBytes - before.writtenBytes,
    }),
    count,
    pauseMs,
  }
}

type Use = Pick<Sample, 'cpuMs' | 'peakBytes' | 'readBytes' | 'writtenBytes'>

const ticksPerSecond = 100

/** What a daemon has used so far; its peak counts from the last call on. */
async function daemonUse(pid: number | undefined): Promise<Use> {
  if (pid === undefined) return { cpuMs: 0, peakBytes: 0, readBytes: 0, writtenBytes: 0 }
  const [stat, status, io] = await Promise.all(
    ['stat', 'status', 'io'].map(name => fs.readFile(`/proc/${pid}/${name}`, 'utf8')),
  )
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? []
  const number = (text: string | undefined, pattern: RegExp): number =>
    Number(pattern.exec(text ?? '')?.[1] ?? 0)
  // Starts the peak anew; only root may, and without it the peak is that of the daemon's life.
  await fs.writeFile(`/proc/${pid}/clear_refs`, '5').catch(() => undefined)
  return {
    cpuMs: ((Number(fields[11]) + Number(fields[12])) * 1000) / ticksPerSecond,
    peakBytes: number(status, /VmHWM:\s+(\d+)/) * 1024,
    readBytes: number(io, /\bread_bytes: (\d+)/),
    writtenBytes: number(io, /\bwrite_bytes: (\d+)/),
  }
}

/** Runs work of this process's own and gives what it took. */
export async function inProcess(
  work: () => Promise<number | undefined>,
): Promise<Pick<Sample, 'wallMs' | 'cpuMs' | 'count'>> {
  const before = process.cpuUsage()
  const started = performance.now()
  const count = await work()
  const wallMs = performance.now() - started
  const { user, system } = process.cpuUsage(before)
  return { wallMs, cpuMs: (user + system) / 1000, count }
}
