import fs from 'node:fs/promises'
import path from 'node:path'
import { isInstalled } from './installed.ts'
import { start } from './run.ts'
import { type Teardown, temporaryDirectory } from './tmp.ts'

/** Debian's containerd, running in directories of its own. */
export interface Containerd {
  /** Its socket. */
  readonly address: string
  readonly pid: number
}

/** True where containerd can be run: it wants to be root. */
export const canRunContainerd = (): boolean => isInstalled('containerd') && process.getuid?.() === 0

/** Starts containerd and waits until it serves; stops it in teardown. */
export async function startContainerd(t: Teardown): Promise<Containerd> {
  const directory = await temporaryDirectory(t)
  const address = path.join(directory, 'c.sock')
  const file = path.join(directory, 'config.toml')
  await fs.writeFile(file, configuration(directory, address))
  const { child, outcome } = start('containerd', ['--config', file], { deadline: 3_600_000 })
  t.teardown(async () => {
    child.kill('SIGKILL')
    await outcome
  })
  await Promise.race([
    new Promise<void>(resolve => {
      let log = ''
      child.stderr?.on('data', (chunk: Buffer) => {
        log += chunk.toString()
        if (log.includes('successfully booted')) resolve()
      })
    }),
    outcome.then(({ stderr }) => Promise.reject(new Error(`containerd did not start:\n${stderr}`))),
  ])
  return { address, pid: child.pid ?? 0 }
}

/** Without the plugins that need a system to change. */
const configuration = (directory: string, address: string): string => `
version = 2
root = "${directory}/root"
state = "${directory}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
address = "${address}"
`
