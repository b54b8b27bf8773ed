import path from 'node:path'
import { startOrlop } from './run.ts'
import { type Teardown, temporaryDirectory } from './tmp.ts'

/** An `orlop serve` that runs. */
export interface Serving {
  readonly root: string
  /** Its socket. */
  readonly address: string
  readonly pid: number
  /** Ends it with SIGTERM and gives its exit code. */
  stop(): Promise<number | null>
}

/** Starts `orlop serve` on a root of its own, or a given one, and waits until it says that it serves. */
export async function startServing(
  t: Teardown,
  given?: string,
  args: readonly string[] = [],
): Promise<Serving> {
  const root = given ?? path.join(await temporaryDirectory(t), 'root')
  const { child, outcome } = startOrlop(['serve', '--root', root, ...args], { deadline: 3_600_000 })
  t.teardown(async () => {
    child.kill('SIGKILL')
    await outcome
  })
  const address = await Promise.race([
    new Promise<string>(resolve => {
      let text = ''
      child.stdout?.on('data', (chunk: Buffer) => {
        text += chunk.toString()
        const [, found] = / on (.*)\n/.exec(text) ?? []
        if (found !== undefined) resolve(found)
      })
    }),
    outcome.then(({ stderr }) => Promise.reject(new Error(`orlop serve did not start:\n${stderr}`))),
  ])
  return {
    root,
    address,
    pid: child.pid ?? 0,
    stop: async () => {
      child.kill('SIGTERM')
      return (await outcome).code
    },
  }
}
