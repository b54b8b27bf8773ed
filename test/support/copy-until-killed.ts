import path from 'node:path'
import { copyBlob } from '../../src/content/copy.ts'
import { FsStore } from '../../src/content/fs-store.ts'
import { Database } from '../../src/metadata/database.ts'
import { openLevel } from '../../src/metadata/level-kv.ts'
import { Metadata } from '../../src/metadata/scope.ts'
import { providerOf, randomBytes, targetOf } from './bytes.ts'
import { killAtStep, watchFiles } from './kill-at-step.ts'

/**
 * A child process: copies two blobs and a small one into a namespace and kills itself at its `step`-th call of the file system or commit
 * of records.
 *
 * Prints the digest of each blob when it is acknowledged, and how many calls there were. Arguments: the root, the step.
 */
const [root = '', step = ''] = process.argv.slice(2)
const steps = killAtStep(Number(step))
const kv = await openLevel(path.join(root, 'metadata'))
steps.watch(kv, ['commit'])
await watchFiles(steps)

const backend = new FsStore(path.join(root, 'content'))
const database = new Database(kv)
const { content } = new Metadata({ database, backend }).scope({ namespace: 'default' })
for (const [name, size] of Object.entries({ one: 300_000, two: 300_000, small: 3_000 })) {
  const bytes = randomBytes(name, size)
  await copyBlob(providerOf(bytes), content, targetOf(bytes), { labels: { name } })
  process.stdout.write(`${targetOf(bytes).digest}\n`)
}
process.stdout.write(`${steps.count()}`)
await database.close()
