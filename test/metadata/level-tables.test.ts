import fs from 'node:fs/promises'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { crc32c } from '../../src/metadata/crc32c.ts'
import { openLevel } from '../../src/metadata/level-kv.ts'
import { tablesIn, verifyTables } from '../../src/metadata/level-tables.ts'
import { unsnappy } from '../../src/metadata/snappy.ts'
import { temporaryDirectory } from '../support/tmp.ts'

/** A closed database whose records are in a table; the values differ, or repeat so that blocks are compressed. */
async function closedDatabase(t: ExecutionContext, records = 300): Promise<string> {
  const directory = path.join(await temporaryDirectory(t), 'metadata')
  {
    await using kv = await openLevel(directory)
    await kv.commit(
      Array.from({ length: records }, (_, at) => ({
        type: 'put',
        key: `v1/default/content/${at}`,
        value: { digest: `sha256:${(at * 7919).toString(16).repeat(8)}`, text: 'x'.repeat(at % 100) },
      })),
    )
  }
  // Opening moves the journal into a table.
  await (await openLevel(directory))[Symbol.asyncDispose]()
  return directory
}

test('verifyTables() takes tables as LevelDB writes them, large ones too', async t => {
  const directory = await closedDatabase(t, 20_000)
  const names = await tablesIn(directory)
  t.true(names.length > 0)
  await verifyTables(directory, names)
  await using kv = await openLevel(directory)
  await using view = kv.snapshot()
  t.truthy(await view.get('v1/default/content/19999'))
})

test('openLevel() refuses a table with a flipped bit, wherever it matters, and changes nothing', async t => {
  const directory = await closedDatabase(t)
  const [name = ''] = await tablesIn(directory)
  const file = path.join(directory, name)
  const good = await fs.readFile(file)
  // The footer, which has no checksum but little that could change without being noticed.
  const unguarded = 48
  let refused = 0
  for (let at = 0; at < good.byteLength - unguarded; at += 37) {
    const bad = Buffer.from(good)
    bad[at] = (bad[at] ?? 0) ^ 1
    await fs.writeFile(file, bad)
    const error = await t.throwsAsync(verifyTables(directory, [name]), { code: 'DATA_LOSS' }, `byte ${at}`)
    t.regex(error.message, /\.ldb: .*orlop rebuild/)
    refused++
  }
  t.true(refused > 50)
  await t.throwsAsync(openLevel(directory), { code: 'DATA_LOSS', message: /\.ldb: / })
  await fs.writeFile(file, good)
  await using kv = await openLevel(directory)
  await using view = kv.snapshot()
  t.truthy(await view.get('v1/default/content/299'))
})

const refuses = test.macro({
  async exec(t, change: (table: Buffer) => Buffer, text: RegExp) {
    const directory = await closedDatabase(t)
    const [name = ''] = await tablesIn(directory)
    const file = path.join(directory, name)
    await fs.writeFile(file, change(await fs.readFile(file)))
    await t.throwsAsync(verifyTables(directory, [name]), { code: 'DATA_LOSS', message: text })
  },
  title: (what = '') => `verifyTables() refuses ${what}`,
})

test('an empty table', refuses, () => Buffer.alloc(0), /no footer/)
test('a table that is cut off', refuses, table => table.subarray(0, table.byteLength - 10), /no footer/)
test('a table without its first half', refuses, table => table.subarray(table.byteLength >> 1), /block|index/)
test(
  'a table of zeros with a footer',
  refuses,
  table => Buffer.from(table).fill(0, 0, table.byteLength - 48),
  /index|checksum/,
)

test('verifyTables() passes over a table that was merged into another meanwhile', async t => {
  const directory = await closedDatabase(t)
  await t.notThrowsAsync(verifyTables(directory, ['999999.ldb']))
})

test('crc32c() gives the sums that RFC 3720 has', t => {
  t.is(crc32c(Buffer.alloc(32)), 0x8a9136aa)
  t.is(crc32c(Buffer.alloc(32, 0xff)), 0x62a8ab43)
  t.is(crc32c(Buffer.from(Array.from({ length: 32 }, (_, at) => at))), 0x46dd794e)
  t.is(crc32c(Buffer.from('123456789')), 0xe3069283)
  t.is(crc32c(Buffer.alloc(0)), 0)
})

test('unsnappy() unpacks literals and copies, those too that overlap what they write', t => {
  const text = (...bytes: readonly number[]): string => unsnappy(Buffer.from(bytes)).toString()
  t.is(text(0), '')
  t.is(text(3, 2 << 2, 97, 98, 99), 'abc')
  t.is(text(8, 0, 97, ((7 - 4) << 2) | 1, 1), 'aaaaaaaa')
  t.is(text(6, 2 << 2, 97, 98, 99, (2 << 2) | 2, 3, 0), 'abcabc')
  t.is(text(6, 2 << 2, 97, 98, 99, (2 << 2) | 3, 3, 0, 0, 0), 'abcabc')
  t.is(text(61, 60 << 2, 60, ...Buffer.alloc(61, 120)), 'x'.repeat(61))
})

const noSnappy = test.macro({
  exec(t, bytes: readonly number[]) {
    t.throws(() => unsnappy(Buffer.from(bytes)), { instanceOf: RangeError })
  },
  title: (_, bytes: readonly number[]) => `unsnappy() refuses ${JSON.stringify(bytes)}`,
})

test(noSnappy, [])
test(noSnappy, [0x80, 0x80, 0x80, 0x80, 0x80])
test(noSnappy, [3, 2 << 2, 97])
test(noSnappy, [1, 2 << 2, 97, 98, 99])
test(noSnappy, [9, 2 << 2, 97, 98, 99])
test(noSnappy, [8, 0, 97, ((7 - 4) << 2) | 1, 2])
test(noSnappy, [8, 0, 97, ((7 - 4) << 2) | 1, 0])
test(noSnappy, [3, 60 << 2])
