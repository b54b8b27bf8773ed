import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { readBlob } from '../../src/content/blob.ts'
import { copyBlob } from '../../src/content/copy.ts'
import { FsStore } from '../../src/content/fs-store.ts'
import { all, providerOf, randomBytes, targetOf } from '../support/bytes.ts'
import { temporaryDirectory } from '../support/tmp.ts'

const child = path.join(import.meta.dirname, '../support/commit-until-killed.js')
const bytes = randomBytes('killed', 600_000)
const target = targetOf(bytes)

/** What the child has printed until it was killed or done. */
const run = async (...args: readonly string[]): Promise<string> => {
  try {
    return (await promisify(execFile)(process.execPath, [child, ...args])).stdout
  } catch (error) {
    if (error instanceof Error && 'signal' in error && error.signal === 'SIGKILL') return ''
    throw error
  }
}

test('a process killed before any step of an ingest leaves a store that goes on', async t => {
  const steps = Number(/\d+$/.exec(await run(await temporaryDirectory(t), '0'))?.[0])
  t.true(steps > 30, `${steps} steps`)
  for (let step = 1; step <= steps; step++) {
    const root = await temporaryDirectory(t)
    t.is(await run(root, String(step)), '', `step ${step}: killed before it could acknowledge`)
    const store = new FsStore(root)
    for (const { digest, size } of await all(store.list())) {
      t.is(digest, target.digest)
      t.is(size, target.size)
      t.true(bytes.equals(await readBlob(store, target)), `step ${step}: what is listed is whole`)
    }
    await copyBlob(providerOf(bytes, 100_000), store, target, { ref: 'r' })
    t.true(bytes.equals(await readBlob(store, target)), `step ${step}: the ingest was finished`)
    t.deepEqual(await all(store.statuses()), [], `step ${step}: nothing is left over`)
  }
})
