import fs from 'node:fs/promises'
import path from 'node:path'
import process from 'node:process'
import { startContainerd } from '../../test/support/containerd.ts'
import { output } from '../../test/support/run.ts'
import { startServing } from '../../test/support/serving.ts'
import { command } from './measure.ts'
import type { Bench, Contender, Sample } from './types.ts'

/** The words that start this build's orlop. */
export const orlopWords = (...args: readonly string[]): readonly string[] => [
  process.execPath,
  path.resolve('bin/orlop.js'),
  ...args,
]

/** A containerd that runs, and how `ctr` is run on it. */
export interface CtrPeer {
  readonly address: string
  readonly pid: number
  /** Runs a command of `ctr`, with the daemon's share. */
  ctr(
    args: readonly string[],
    options?: { readonly stdin?: string; readonly stdout?: string },
  ): Promise<Sample>
  /** Removes all images and content, and waits until it is gone. */
  clear(): Promise<void>
}

/** Starts Debian's containerd. */
export async function containerdPeer(bench: Bench): Promise<CtrPeer> {
  const { address, pid } = await startContainerd(bench)
  const words = (args: readonly string[]): readonly string[] => ['ctr', '--address', address, ...args]
  const quiet = (...args: readonly string[]): Promise<string> =>
    output('ctr', ['--address', address, ...args])
  return {
    address,
    pid,
    ctr: (args, options) => command(words(args), { ...options, daemon: pid }),
    clear: async () => {
      for (const name of lines(await quiet('images', 'ls', '-q'))) await quiet('images', 'rm', '--sync', name)
      for (const digest of lines(await quiet('content', 'ls', '-q'))) await quiet('content', 'rm', digest)
      // The records are gone, and the bytes with the collection that a lease asks for when it goes.
      await quiet('leases', 'create', '--id', 'clear')
      await quiet('leases', 'rm', '--sync', 'clear')
    },
  }
}

/** Starts `orlop serve` on a fresh root. */
export const servePeer = (bench: Bench): ReturnType<typeof startServing> => startServing(bench)

const lines = (text: string): readonly string[] => text.split('\n').filter(line => line !== '')

/** Reading, hashing, writing: what the machine allows for these files, one after the other on one core. */
export function limits(bench: Bench, files: readonly string[]): readonly Contender[] {
  const target = path.join(bench.directory, 'limit')
  return [
    {
      name: 'sha256, one core',
      kind: 'limit',
      run: () => command([process.execPath, path.resolve('dist/bench/inside/sha256.js'), ...files]),
    },
    {
      name: 'write and sync',
      kind: 'limit',
      prepare: () => fs.rm(target, { force: true }),
      run: () =>
        command(['sh', '-c', 'cat "$@" | dd of="$0" bs=1M conv=fsync iflag=fullblock', target, ...files]),
    },
  ]
}

/** Drops a directory and makes it anew. */
export async function fresh(directory: string): Promise<void> {
  await fs.rm(directory, { recursive: true, force: true })
  await fs.mkdir(directory, { recursive: true })
}
