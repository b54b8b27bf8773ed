import fs from 'node:fs/promises'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { openLevel } from '../../src/metadata/level-kv.ts'
import { temporaryDirectory } from '../support/tmp.ts'

/** A closed database with records in its tables and in its journal. */
const closedDatabase = async (t: ExecutionContext): Promise<string> => {
  const directory = path.join(await temporaryDirectory(t), 'metadata')
  for (let batch = 0; batch < 6; batch++) {
    await using kv = await openLevel(directory)
    const value = 'x'.repeat(4000)
    await kv.commit(Array.from({ length: 500 }, (_, at) => ({ type: 'put', key: `${batch}/${at}`, value })))
  }
  return directory
}

const without = async (directory: string, pattern: RegExp): Promise<readonly string[]> => {
  for (const name of await fs.readdir(directory)) {
    if (pattern.test(name)) await fs.rm(path.join(directory, name))
  }
  return (await fs.readdir(directory)).sort()
}

const refuses = test.macro({
  async exec(t, pattern: RegExp) {
    const directory = await closedDatabase(t)
    const left = await without(directory, pattern)
    t.true(left.some(name => name.endsWith('.ldb')))
    await t.throwsAsync(openLevel(directory), { code: 'DATA_LOSS', message: /orlop rebuild/ })
    t.deepEqual((await fs.readdir(directory)).sort(), left, 'nothing was touched')
  },
  title: (_, pattern) => `openLevel() refuses a database without ${pattern}, and deletes nothing of it`,
})

test(refuses, /^CURRENT$/)
test(refuses, /\.log$/)
test(refuses, /^CURRENT$|\.log$/)

test('openLevel() refuses a journal without CURRENT', async t => {
  const directory = await closedDatabase(t)
  const left = await without(directory, /^CURRENT$|\.ldb$/)
  t.true(left.some(name => name.endsWith('.log')))
  await t.throwsAsync(openLevel(directory), { code: 'DATA_LOSS', message: /CURRENT is missing/ })
})

test('openLevel() takes a directory in which a crash ended the making of a database', async t => {
  const directory = path.join(await temporaryDirectory(t), 'metadata')
  await fs.mkdir(directory)
  await fs.writeFile(path.join(directory, 'LOCK'), '')
  await fs.writeFile(path.join(directory, 'MANIFEST-000001'), 'half')
  await using kv = await openLevel(directory)
  await kv.commit([{ type: 'put', key: 'a', value: 1 }])
  await using view = kv.snapshot()
  t.is(await view.get('a'), 1)
})
