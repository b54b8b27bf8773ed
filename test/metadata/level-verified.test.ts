import fs from 'node:fs/promises'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { openLevel } from '../../src/metadata/level-kv.ts'
import { tablesIn } from '../../src/metadata/level-tables.ts'
import { verifyStale } from '../../src/metadata/level-verified.ts'
import { temporaryDirectory } from '../support/tmp.ts'

/** A database with a table, and that table's file. */
async function databaseWithTable(t: ExecutionContext): Promise<{ directory: string; file: string }> {
  const directory = path.join(await temporaryDirectory(t), 'metadata')
  for (let round = 0; round < 2; round++) {
    // At its second opening LevelDB makes a table of the journal.
    await using database = await openLevel(directory)
    await database.commit([{ type: 'put', key: 'v1/default/sequence', value: `${round}`.repeat(1000) }])
  }
  const [name = ''] = await tablesIn(directory)
  return { directory, file: path.join(directory, name) }
}

/** Changes a byte in the middle, and nothing that the file system tells but the time of the change itself. */
async function flip(file: string): Promise<void> {
  const { atime, mtime } = await fs.stat(file)
  const bytes = await fs.readFile(file)
  bytes.writeUInt8(bytes.readUInt8(20) ^ 1, 20)
  const handle = await fs.open(file, 'r+')
  await handle.write(bytes, 0, bytes.byteLength, 0)
  await handle.close()
  await fs.utimes(file, atime, mtime)
}

const day = 24 * 3_600_000

test('a table that was found whole is not read again', async t => {
  const { directory, file } = await databaseWithTable(t)
  await verifyStale(directory, day)
  const looks = JSON.parse(await fs.readFile(path.join(directory, 'VERIFIED'), 'utf8'))
  await flip(file)
  // As if the change had left no trace at all.
  const { size, mtimeMs, ctimeMs, ino } = await fs.stat(file)
  looks[path.basename(file)].state = [size, mtimeMs, ctimeMs, ino].join(' ')
  await fs.writeFile(path.join(directory, 'VERIFIED'), JSON.stringify(looks))
  await t.notThrowsAsync(verifyStale(directory, day))
  await t.throwsAsync(verifyStale(directory, -1), { code: 'DATA_LOSS' })
})

test('a table that was changed since is read again', async t => {
  const { directory, file } = await databaseWithTable(t)
  await verifyStale(directory, day)
  await flip(file)
  await t.throwsAsync(verifyStale(directory, day), { code: 'DATA_LOSS' })
  await t.throwsAsync(openLevel(directory), { code: 'DATA_LOSS' })
})

const distrusted = test.macro(
  async (t, change: (looks: Record<string, { at: number }>, name: string) => unknown) => {
    const { directory, file } = await databaseWithTable(t)
    await verifyStale(directory, day)
    await flip(file)
    const name = path.basename(file)
    const { size, mtimeMs, ctimeMs, ino } = await fs.stat(file)
    const looks = { [name]: { state: [size, mtimeMs, ctimeMs, ino].join(' '), at: Date.now() } }
    await fs.writeFile(path.join(directory, 'VERIFIED'), String(change(looks, name)))
    await t.throwsAsync(verifyStale(directory, day), { code: 'DATA_LOSS' })
  },
)

test('a look of more than a day ago counts no more', distrusted, (looks, name) => {
  return JSON.stringify({ ...looks, [name]: { ...looks[name], at: Date.now() - day - 1000 } })
})
test('a look of tomorrow does not count', distrusted, (looks, name) => {
  return JSON.stringify({ ...looks, [name]: { ...looks[name], at: Date.now() + day } })
})
test('a torn note does not count', distrusted, looks => JSON.stringify(looks).slice(0, -3))
test('a note that is something else does not count', distrusted, () => '[1, null]')
test('a note of another shape does not count', distrusted, (_, name) =>
  JSON.stringify({ [name]: { state: 1, at: 'x' } }),
)

test('a table that an open database has not written to its end yet is passed over, and found later', async t => {
  const { directory, file } = await databaseWithTable(t)
  await fs.truncate(file, 30)
  await t.notThrowsAsync(verifyStale(directory, day, { settled: 60_000 }))
  const earlier = new Date(Date.now() - 61_000)
  await fs.utimes(file, earlier, earlier)
  await t.throwsAsync(verifyStale(directory, day, { settled: 60_000 }), {
    code: 'DATA_LOSS',
    message: /no footer/,
  })
})
