import fs, { type FileHandle } from 'node:fs/promises'
import { copyBlob } from '../../src/content/copy.ts'
import { FsStore } from '../../src/content/fs-store.ts'
import { providerOf, randomBytes, targetOf } from './bytes.ts'

/**
 * A child process: ingests a blob in two attempts and kills itself at its `step`-th call of the file system.
 *
 * Prints how many calls there were once the commit has resolved. Arguments: the content directory, the step.
 */
const [root = '', step = ''] = process.argv.slice(2)
const bytes = randomBytes('killed', 600_000)
let count = 0

const patch = (object: object, names: readonly string[]): void => {
  for (const name of names) {
    const work = Reflect.get(object, name)
    Reflect.set(object, name, function (this: unknown, ...args: unknown[]): unknown {
      if (++count === Number(step)) process.kill(process.pid, 'SIGKILL')
      return Reflect.apply(work, this, args)
    })
  }
}

const handle = await fs.open(import.meta.filename)
const prototype: FileHandle = Object.getPrototypeOf(handle)
await handle.close()
patch(prototype, ['write', 'sync', 'truncate', 'chmod', 'utimes', 'close'])
patch(fs, ['open', 'mkdir', 'rename', 'writeFile', 'rm', 'unlink', 'stat', 'readFile'])

const store = new FsStore(root)
const first = await store.writer({ ref: 'r', expected: targetOf(bytes) })
await first.write(bytes.subarray(0, 300_000))
await first[Symbol.asyncDispose]()
await copyBlob(providerOf(bytes, 100_000), store, targetOf(bytes), { ref: 'r' })
process.stdout.write(`${count}`)
