import fs from 'node:fs/promises'
import path from 'node:path'
import { run } from './run.ts'
import { type Teardown, temporaryDirectory } from './tmp.ts'

/** A file system in memory that holds `bytes` at most, unmounted in teardown; undefined when we may not mount. */
export async function smallFileSystem(t: Teardown, bytes: number): Promise<string | undefined> {
  const directory = await temporaryDirectory(t)
  return (await mount(t, ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', directory])) ? directory : undefined
}

/** Gives a file system of `smallFileSystem` more room; true when it worked. */
export async function growFileSystem(directory: string, bytes: number): Promise<boolean> {
  return (await run('mount', ['-o', `remount,size=${bytes}`, directory])).code === 0
}

/** A directory as it is, but read-only, also for root; undefined when we may not mount. */
export async function readOnlyView(t: Teardown, directory: string): Promise<string | undefined> {
  const view = path.join(await temporaryDirectory(t), 'view')
  await fs.mkdir(view)
  if (!(await mount(t, ['--bind', directory, view]))) return undefined
  const { code } = await run('mount', ['-o', 'remount,ro,bind', view])
  return code === 0 ? view : undefined
}

const mount = async (t: Teardown, args: readonly string[]): Promise<boolean> => {
  const at = args.at(-1) ?? ''
  const { code } = await run('mount', args).catch(() => ({ code: 1 }))
  if (code !== 0) return false
  t.teardown(async () => {
    await run('umount', ['--lazy', at])
  })
  return true
}
