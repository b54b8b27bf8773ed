import { copyBlob } from '../../src/content/copy.ts'
import { FsStore } from '../../src/content/fs-store.ts'
import { providerOf, randomBytes, targetOf } from './bytes.ts'
import { killAtStep, watchFiles } from './kill-at-step.ts'

/**
 * A child process: ingests a blob in two attempts and kills itself at its `step`-th call of the file system.
 *
 * Prints how many calls there were once the commit has resolved. Arguments: the content directory, the step.
 */
const [root = '', step = ''] = process.argv.slice(2)
const bytes = randomBytes('killed', 600_000)
const steps = killAtStep(Number(step))
await watchFiles(steps)

const store = new FsStore(root)
const first = await store.writer({ ref: 'r', expected: targetOf(bytes) })
await first.write(bytes.subarray(0, 300_000))
await first[Symbol.asyncDispose]()
await copyBlob(providerOf(bytes, 100_000), store, targetOf(bytes), { ref: 'r' })
process.stdout.write(`${steps.count()}`)
