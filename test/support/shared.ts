import { fileURLToPath } from 'node:url'
import { type Running, start } from './run.ts'
import type { Teardown } from './tmp.ts'

const child = fileURLToPath(new URL('shared-child.js', import.meta.url))

/** A process that has a root open as `openShared` does, until SIGTERM or the test ends. Resolves when it has. */
export async function startSharing(
  t: Teardown,
  root: string,
): Promise<Running & { readonly isOwner: boolean }> {
  const running = start(process.execPath, [child, root], { deadline: 120_000 })
  t.teardown(async () => {
    running.child.kill('SIGKILL')
    await running.outcome
  })
  const said = await new Promise<string>((resolve, reject) => {
    running.child.stdout?.once('data', (chunk: Buffer) => resolve(chunk.toString()))
    running.outcome.then(({ stderr }) => reject(new Error(stderr)), reject)
  })
  return { ...running, isOwner: said === 'owner\n' }
}
