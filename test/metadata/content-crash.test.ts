import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { copyBlob, readBlob } from '../../src/content/blob.ts'
import { FsStore } from '../../src/content/fs-store.ts'
import { Database } from '../../src/metadata/database.ts'
import { openLevel } from '../../src/metadata/level-kv.ts'
import { Metadata } from '../../src/metadata/scope.ts'
import { all, providerOf, randomBytes, targetOf } from '../support/bytes.ts'
import { temporaryDirectory } from '../support/tmp.ts'

const child = path.join(import.meta.dirname, '../support/copy-until-killed.js')
const blobs = Object.entries({ one: 300_000, two: 300_000, small: 3_000 }).map(([name, size]) => ({
  name,
  bytes: randomBytes(name, size),
}))
/** Steps of the small blob, which is the last. */
const smallSteps = 10

/** The lines that the child has printed until it was killed or done. */
const run = async (root: string, step: number): Promise<string[]> => {
  const lines = (text: unknown) => String(text).split('\n').filter(Boolean)
  try {
    return lines((await promisify(execFile)(process.execPath, [child, root, String(step)])).stdout)
  } catch (error) {
    if (error instanceof Error && 'signal' in error && error.signal === 'SIGKILL' && 'stdout' in error) {
      return lines(error.stdout)
    }
    throw error
  }
}

test('a process killed at any step of a copy into a namespace loses nothing that it acknowledged', async t => {
  const steps = Number((await run(await temporaryDirectory(t), 0)).at(-1))
  t.true(steps > 50, `${steps} steps`)
  // The first blob takes half of them and meets fresh directories; the second stands for the rest of its size.
  const stride = (step: number) => (step > steps - smallSteps ? 1 : step < steps / 2 ? 3 : 2)
  for (let step = 1; step <= steps; step += stride(step)) {
    const root = await temporaryDirectory(t)
    const acknowledged = await run(root, step)
    const database = new Database(await openLevel(path.join(root, 'metadata')))
    const backend = new FsStore(path.join(root, 'content'))
    const { content } = new Metadata({ database, backend }).scope({ namespace: 'default' })
    const known = new Map((await all(content.list())).map(info => [String(info.digest), info]))
    for (const digest of acknowledged) t.true(known.has(digest), `step ${step}: ${digest} was acknowledged`)
    for (const { name, bytes } of blobs) {
      const info = known.get(targetOf(bytes).digest)
      if (info !== undefined) {
        t.deepEqual({ ...info.labels }, { name }, `step ${step}: a record comes with its labels`)
        t.true(bytes.equals(await readBlob(content, targetOf(bytes))), `step ${step}: a record has its bytes`)
      }
      await copyBlob(providerOf(bytes), content, targetOf(bytes), { labels: { name } })
      t.true(bytes.equals(await readBlob(content, targetOf(bytes))), `step ${step}: the copy was finished`)
    }
    t.deepEqual(await all(content.statuses()), [])
    t.deepEqual(await database.view(view => all(view.range('v1/default/ingest/'))), [])
    await database.close()
  }
})
