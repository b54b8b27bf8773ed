import fs, { type FileHandle } from 'node:fs/promises'

/**
 * Makes this process kill itself before its `step`-th call of what is watched; from 1, and 0 never.
 *
 * For child processes of tests: nothing after the call happens, no clean-up, no flush.
 */
export function killAtStep(step: number) {
  let count = 0
  return {
    /** Calls so far. */
    count: () => count,
    /** Counts the calls of these methods of an object. */
    watch(object: object, names: readonly string[]): void {
      for (const name of names) {
        const work = Reflect.get(object, name)
        Reflect.set(object, name, function (this: unknown, ...args: unknown[]): unknown {
          if (++count === step) process.kill(process.pid, 'SIGKILL')
          return Reflect.apply(work, this, args)
        })
      }
    },
  }
}

/** Counts what can change the disk, and what looks at it in between. */
export async function watchFiles({ watch }: Pick<ReturnType<typeof killAtStep>, 'watch'>): Promise<void> {
  const handle = await fs.open(import.meta.filename)
  const prototype: FileHandle = Object.getPrototypeOf(handle)
  await handle.close()
  watch(prototype, ['write', 'sync', 'truncate', 'chmod', 'utimes', 'close'])
  watch(fs, ['open', 'mkdir', 'rename', 'writeFile', 'rm', 'unlink', 'stat', 'readFile'])
}
