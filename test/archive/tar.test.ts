import fs from 'node:fs/promises'
import path from 'node:path'
import test from 'ava'
import fc from 'fast-check'
import { FileSource } from '../../src/archive/file-source.ts'
import { readTar } from '../../src/archive/tar.ts'
import { decodeAll, encodeText } from '../../src/archive/tar-text.ts'
import { type TarPart, tarHeader, writeTar } from '../../src/archive/tar-writer.ts'
import type { ByteSource, TarEntry, TarHeader } from '../../src/archive/types.ts'
import { collect } from '../support/image.ts'
import { output } from '../support/run.ts'
import { gnuLong, inChunks, paxEntry, type RawEntry, rawEntry, rawHeader, rawTar } from '../support/tar.ts'
import { temporaryDirectory } from '../support/tmp.ts'

interface Read extends TarHeader {
  readonly text: string
}

/** All entries with their bodies. */
async function readAll(source: ByteSource | Uint8Array, maxEntries?: number): Promise<Read[]> {
  const bytes = source instanceof Uint8Array ? inChunks(source) : source
  const found: Read[] = []
  for await (const entry of readTar(bytes, { maxEntries })) {
    found.push({ ...entry, text: Buffer.concat(await collect(entry.body())).toString('latin1') })
  }
  return found
}

const namesOf = async (source: ByteSource | Uint8Array): Promise<readonly string[]> =>
  (await readAll(source)).map(({ name }) => name)

for (const format of ['v7', 'ustar', 'gnu', 'oldgnu', 'pax']) {
  test(`readTar() reads what GNU tar writes as ${format}`, async t => {
    const dir = await temporaryDirectory(t)
    const tree = path.join(dir, 'tree')
    const long = format === 'v7' ? 'd' : `${'d'.repeat(60)}/${'e'.repeat(60)}`
    await fs.mkdir(path.join(tree, long), { recursive: true })
    await fs.writeFile(path.join(tree, 'a'), 'first')
    await fs.writeFile(path.join(tree, long, 'b'), 'second'.repeat(1000))
    await fs.symlink(`../${'x'.repeat(format === 'v7' ? 10 : 90)}`, path.join(tree, 'link'))
    await fs.link(path.join(tree, 'a'), path.join(tree, 'z'))
    await fs.utimes(path.join(tree, 'a'), 1_000_000_000, 1_000_000_000)
    const file = path.join(dir, 'x.tar')
    await output('tar', ['-C', tree, '--sort=name', `--format=${format}`, '-cf', file, '.'])
    const entries = await readAll(new FileSource(file))
    const by = new Map(entries.map(entry => [entry.name, entry]))
    t.is(by.get('./a')?.text, 'first')
    t.is(by.get('./a')?.modifiedAt, 1_000_000_000)
    t.is(by.get(`./${long}/b`)?.text, 'second'.repeat(1000))
    t.is(by.get('./link')?.linkName, `../${'x'.repeat(format === 'v7' ? 10 : 90)}`)
    t.is(by.get('./z')?.type, 'link')
    t.is(by.get('./z')?.linkName, './a')
    t.is(by.get('./')?.type, 'directory')
  })
}

test('readTar() gives the offset at which a body lies', async t => {
  const tar = rawTar({ name: 'a', body: 'one' }, paxEntry(['path=b']), { body: 'two' })
  for await (const { offset, size, name } of readTar(inChunks(tar))) {
    t.is(tar.toString('latin1', offset, offset + size), name === 'a' ? 'one' : 'two')
  }
})

test('readTar() passes over bodies that are not read, in a file without reading them', async t => {
  const dir = await temporaryDirectory(t)
  const file = path.join(dir, 'x.tar')
  const handle = await fs.open(file, 'w')
  const size = 8 ** 11 - 1
  await handle.write(rawHeader({ name: 'hole', size }), 0, 512, 0)
  await handle.write(rawTar({ name: 'after', body: 'x' }), 0, undefined, 512 + size + 1)
  await handle.close()
  const found: string[] = []
  for await (const { name } of readTar(new FileSource(file))) found.push(name)
  t.deepEqual(found, ['hole', 'after'])
})

test('readTar() leaves the rest of a body whose reader stops in the middle', async t => {
  const tar = rawTar({ name: 'a', body: 'x'.repeat(5000) }, { name: 'b', body: 'y' })
  const names: string[] = []
  for await (const entry of readTar(inChunks(tar, 700))) {
    names.push(entry.name)
    for await (const _ of entry.body()) break
  }
  t.deepEqual(names, ['a', 'b'])
})

test('readTar() closes its source when its loop is left', async t => {
  let closed = false
  const source = (async function* () {
    try {
      for (;;) yield rawEntry({ name: 'a' })
    } finally {
      closed = true
    }
  })()
  for await (const _ of readTar(source)) break
  t.true(closed)
})

test('a body is read once, and not after the next entry was asked for', async t => {
  const tar = readTar(inChunks(rawTar({ name: 'a', body: 'x'.repeat(2000) }, { name: 'b', body: 'y' }), 512))
  const a = (await tar.next()).value as TarEntry
  const body = a.body()
  await body.next()
  await t.throwsAsync(collect(a.body()), { code: 'FAILED_PRECONDITION', message: /second time/ })
  await tar.next()
  await t.throwsAsync(collect(body), { code: 'FAILED_PRECONDITION', message: /after the next/ })
})

test('readTar() stops for its signal', async t => {
  const stop = new AbortController()
  const endless = (async function* () {
    for (;;) yield rawEntry({ name: 'a' })
  })()
  const reason = new Error('enough')
  await t.throwsAsync(
    async () => {
      for await (const _ of readTar(endless, { signal: stop.signal })) stop.abort(reason)
    },
    { is: reason },
  )
})

test('names that are not UTF-8 stay apart, and come back as the same bytes', async t => {
  const bytes = Buffer.from([0x61, 0xe9, 0x62, 0xc3, 0xa9, 0xff, 0xed, 0xa0, 0x80])
  const [entry] = await readAll(rawTar({ name: bytes }))
  t.is(entry?.name, 'a\udce9bé\udcff\udced\udca0\udc80')
  t.deepEqual(encodeText(entry?.name ?? ''), bytes)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), any => encodeText(decodeAll(any)).equals(any)),
    { numRuns: 1000 },
  )
})

test('pax records and GNU long names say more than the header', async t => {
  const records = [
    'path=dir/ä',
    'size=3',
    'uid=4000000000',
    'mtime=12.5',
    'SCHILY.xattr.user.x=a\0b',
    'gname=g',
  ]
  const [file, link] = await readAll(
    rawTar(
      Buffer.concat([paxEntry(records), rawEntry({ body: 'abc', size: 9 })]),
      Buffer.concat([
        gnuLong('L', 'n'.repeat(300)),
        gnuLong('K', 't'.repeat(200)),
        rawEntry({ flag: '2', linkName: 'x' }),
      ]),
    ),
  )
  t.is(file?.name, 'dir/ä')
  t.is(file?.text, 'abc')
  t.is(file?.uid, 4_000_000_000)
  t.is(file?.modifiedAt, 12.5)
  t.is(file?.groupName, 'g')
  t.is(file?.pax.get('SCHILY.xattr.user.x'), 'a\0b')
  t.is(link?.name, 'n'.repeat(300))
  t.is(link?.linkName, 't'.repeat(200))
})

const isRead = test.macro<[RawEntry, Partial<TarHeader>]>({
  async exec(t, raw, expected) {
    const [entry] = await readAll(rawTar(raw))
    for (const [key, value] of Object.entries(expected)) t.deepEqual(Reflect.get(entry ?? {}, key), value)
  },
  title: (title = '') => `readTar() takes ${title}`,
})

test(
  'a size in base 256',
  isRead,
  { size: Buffer.from([0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]), body: 'ab' },
  { size: 2 },
)
test('an empty size', isRead, { size: Buffer.alloc(12) }, { size: 0 })
test('spaces around an octal number', isRead, { mode: '   755 \0' }, { mode: 0o755 })
test('an old tar without magic', isRead, { magic: '', prefix: 'junk' }, { name: 'file' })
test('a prefix', isRead, { prefix: 'a/b' }, { name: 'a/b/file' })
test('a directory by its slash', isRead, { name: 'd/', flag: '\0' }, { type: 'directory' })
test('a directory with a size', isRead, { name: 'd', flag: '5', size: 4096 }, { size: 0 })
test('a hard link with a size', isRead, { flag: '1', linkName: 'x', size: 4096 }, { size: 0, type: 'link' })
test('a kind it does not know', isRead, { flag: 'V', body: 'x' }, { type: 'other', size: 1 })
test('a contiguous file', isRead, { flag: '7', body: 'x' }, { type: 'file' })
test('a time before 1970', isRead, { patch: block => block.fill(0xff, 136, 148) }, { modifiedAt: -1 })
test(
  'a device',
  isRead,
  { flag: '3', patch: block => void block.write('0000005\x000000001\0', 329) },
  { type: 'character-device', deviceMajor: 5, deviceMinor: 1 },
)
test('readTar() takes a checksum over signed bytes', async t => {
  const block = rawHeader({ name: 'é' })
  const sum = block.reduce(
    (total, byte, at) => total + (at >= 148 && at < 156 ? 32 : byte > 127 ? byte - 256 : byte),
    0,
  )
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  t.deepEqual(await namesOf(rawTar(block)), ['é'])
})

test('readTar() takes a tar that ends without zeros, or with one block of them', async t => {
  const entry = rawEntry({ name: 'a', body: 'x' })
  t.deepEqual(await namesOf(entry), ['a'])
  t.deepEqual(await namesOf(Buffer.concat([entry, Buffer.alloc(512)])), ['a'])
  t.deepEqual(await namesOf(Buffer.concat([entry, Buffer.alloc(10_240), Buffer.from('junk')])), ['a'])
  t.deepEqual(await namesOf(new Uint8Array(0)), [])
})

test('readTar() says of a sparse file how large it is, and does not read it', async t => {
  const dir = await temporaryDirectory(t)
  const file = path.join(dir, 'sparse')
  const handle = await fs.open(file, 'w')
  // So many holes that GNU's old header needs further blocks for them.
  for (let at = 0; at < 40; at++) await handle.write('x', at * 100_000)
  await handle.close()
  await fs.writeFile(path.join(dir, 'z'), 'after')
  for (const format of [
    'gnu',
    'pax --sparse-version=0.0',
    'pax --sparse-version=0.1',
    'pax --sparse-version=1.0',
  ]) {
    const tar = path.join(dir, 'x.tar')
    await output('tar', ['-C', dir, '-S', ...`--format=${format}`.split(' '), '-cf', tar, 'sparse', 'z'])
    const found = await collect(readTar(new FileSource(tar)))
    t.deepEqual(
      found.map(({ name, size, isSparse }) => ({ name, size, isSparse })),
      [
        { name: 'sparse', size: 3_900_001, isSparse: true },
        { name: 'z', size: 5, isSparse: false },
      ],
    )
  }
  for await (const entry of readTar(new FileSource(path.join(dir, 'x.tar')))) {
    if (entry.isSparse)
      await t.throwsAsync(collect(entry.body()), { code: 'UNIMPLEMENTED', message: /sparse/ })
  }
})

const isRefused = test.macro<[Buffer, string, RegExp]>({
  async exec(t, tar, code, message) {
    for (const length of [tar.byteLength || 1, 100, 1]) {
      await t.throwsAsync(readAll(inChunks(tar, length)), { code, message }, `chunks of ${length}`)
    }
  },
  title: (title = '') => `readTar() refuses ${title}`,
})

const x = (entry: RawEntry): Buffer => rawTar(entry)
const after = (...before: readonly Buffer[]): Buffer => rawTar(...before, { name: 'x' })
test(
  'a first checksum that is wrong',
  isRefused,
  x({ checksum: '000000\0 ' }),
  'INVALID_ARGUMENT',
  /not a tar/,
)
test('a checksum that is wrong', isRefused, rawTar({}, { checksum: '000000\0 ' }), 'DATA_LOSS', /checksum/)
test('text', isRefused, Buffer.from('x'.repeat(600)), 'INVALID_ARGUMENT', /not a tar/)
test('less than a block', isRefused, Buffer.from('<html>'), 'INVALID_ARGUMENT', /not a tar/)
test(
  'a header that is cut off',
  isRefused,
  Buffer.concat([rawEntry({}), rawEntry({}).subarray(0, 300)]),
  'DATA_LOSS',
  /cut off/,
)
test(
  'a body that is cut off',
  isRefused,
  rawEntry({ body: 'x'.repeat(2000) }).subarray(0, 1500),
  'DATA_LOSS',
  /cut off/,
)
test(
  'a body whose padding is cut off',
  isRefused,
  rawEntry({ body: 'x' }).subarray(0, 600),
  'DATA_LOSS',
  /cut off/,
)
test(
  'a body that is longer than its size',
  isRefused,
  Buffer.concat([rawHeader({ size: 3 }), Buffer.alloc(1024, 'x')]),
  'DATA_LOSS',
  /checksum/,
)
test('a size that is no number', isRefused, x({ size: '12x4' }), 'INVALID_ARGUMENT', /octal/)
test('a negative size', isRefused, x({ size: Buffer.alloc(12, 0xff) }), 'INVALID_ARGUMENT', /size of -1/)
test(
  'a size past 2^53',
  isRefused,
  x({ size: Buffer.from([0x80, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]) }),
  'INVALID_ARGUMENT',
  /more than/,
)
test('an entry without name', isRefused, x({ name: '' }), 'INVALID_ARGUMENT', /without name/)
test('a link to nothing', isRefused, x({ flag: '2' }), 'INVALID_ARGUMENT', /link to nothing/)
test(
  'a name of 10 kB by GNU',
  isRefused,
  after(gnuLong('L', 'n'.repeat(10_240))),
  'INVALID_ARGUMENT',
  /10240 bytes/,
)
test(
  'a name of 10 kB by pax',
  isRefused,
  after(paxEntry([`path=${'n'.repeat(10_240)}`])),
  'INVALID_ARGUMENT',
  /10240 bytes/,
)
test(
  'a link of 10 kB',
  isRefused,
  rawTar(gnuLong('K', 'n'.repeat(10_240)), { flag: '1', linkName: 'y' }),
  'INVALID_ARGUMENT',
  /link of 10240/,
)
test('a NUL in a pax name', isRefused, after(paxEntry(['path=a\0b'])), 'INVALID_ARGUMENT', /NUL/)
test(
  'a pax size that is no number',
  isRefused,
  after(paxEntry(['size=0x10'])),
  'INVALID_ARGUMENT',
  /pax size/,
)
test('a negative pax size', isRefused, after(paxEntry(['size=-1'])), 'INVALID_ARGUMENT', /pax size/)
test('a pax size for all', isRefused, after(paxEntry(['size=1'], 'g')), 'INVALID_ARGUMENT', /all entries/)
test('a pax record without key', isRefused, after(paxEntry(['=x'])), 'INVALID_ARGUMENT', /no key/)
test('a pax record without =', isRefused, after(paxEntry(['path'])), 'INVALID_ARGUMENT', /no key/)
test(
  'a pax record that is too long',
  isRefused,
  after(rawEntry({ flag: 'x', body: '99 path=x\n' })),
  'INVALID_ARGUMENT',
  /do not end/,
)
test(
  'a pax record that is too short',
  isRefused,
  after(rawEntry({ flag: 'x', body: '3 path=x\n' })),
  'INVALID_ARGUMENT',
  /do not end/,
)
test(
  'a pax record without length',
  isRefused,
  after(rawEntry({ flag: 'x', body: 'path=x\n' })),
  'INVALID_ARGUMENT',
  /no length/,
)
test(
  'more than 1 MiB of names',
  isRefused,
  after(rawHeader({ flag: 'L', size: 2 ** 20 + 1 })),
  'RESOURCE_EXHAUSTED',
  /1048577/,
)
test('a name that no entry follows', isRefused, rawTar(gnuLong('L', 'x')), 'DATA_LOSS', /no entry follows/)
test('records that no entry follows', isRefused, paxEntry(['path=x']), 'DATA_LOSS', /no entry follows/)
test(
  'bytes between the zeros of its end',
  isRefused,
  Buffer.concat([rawEntry({}), Buffer.alloc(512), rawEntry({})]),
  'DATA_LOSS',
  /goes on/,
)

test('readTar() ends a stream of endless tiny entries at its cap', async t => {
  let given = 0
  const endless = (async function* () {
    const many = Buffer.concat(Array.from({ length: 100 }, () => rawEntry({ name: 'a' })))
    for (;;) {
      given += 100
      yield many
    }
  })()
  await t.throwsAsync(readAll(endless, 10_000), {
    code: 'RESOURCE_EXHAUSTED',
    message: /more than 10000 entries/,
  })
  t.true(given <= 10_200)
})

test('readTar() counts long names and records as entries, so that they do not go on for ever', async t => {
  const endless = (async function* () {
    for (;;) yield gnuLong('L', 'x')
  })()
  await t.throwsAsync(readAll(endless, 1000), { code: 'RESOURCE_EXHAUSTED' })
})

test('writeTar() is read back, whatever the names and bodies', async t => {
  const name = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 300 })
    .filter(text => !text.includes('\0'))
  const part = fc.record({
    name,
    mode: fc.integer({ min: 0, max: 0o7777 }),
    text: fc.string({ maxLength: 2000 }),
  })
  await fc.assert(
    fc.asyncProperty(
      fc.array(part, { maxLength: 5 }),
      fc.integer({ min: 1, max: 3000 }),
      async (parts, length) => {
        const written = Buffer.concat(
          await collect(
            writeTar(
              parts.map(
                ({ text, ...entry }): TarPart => ({
                  ...entry,
                  size: Buffer.byteLength(text),
                  body: text === '' ? [] : [Buffer.from(text)],
                }),
              ),
            ),
          ),
        )
        const read = await readAll(inChunks(written, length))
        t.deepEqual(
          read.map(({ name, mode, text }) => ({ name, mode, text: Buffer.from(text, 'latin1').toString() })),
          parts,
        )
      },
    ),
    { numRuns: 200 },
  )
})

test('GNU tar lists what writeTar() writes', async t => {
  const file = path.join(await temporaryDirectory(t), 'x.tar')
  const long = `blobs/sha512/${'f'.repeat(128)}`
  const parts: TarPart[] = [
    { name: 'blobs/', type: 'directory', mode: 0o755 },
    { name: long, mode: 0o444, size: 3, body: [Buffer.from('abc')] },
    { name: `${'p'.repeat(140)}/${'n'.repeat(90)}`, mode: 0o444 },
    { name: 'ä', mode: 0o644, type: 'symlink', linkName: 'l'.repeat(150) },
    { name: 'old', mode: 0o644, modifiedAt: -5.5 },
  ]
  await fs.writeFile(file, Buffer.concat(await collect(writeTar(parts))))
  const listed = await output('tar', ['--quoting-style=literal', '-tf', file])
  t.deepEqual(
    listed.trim().split('\n'),
    parts.map(({ name }) => name),
  )
  t.is(await output('tar', ['-xOf', file, long]), 'abc')
})

test('writeTar() writes a size that needs a pax record', async t => {
  const header = tarHeader({ name: 'big', mode: 0o444, size: 8 ** 11 })
  const [entry] = await collect(readTar(inChunks(header))).catch(() => [])
  t.is(entry, undefined)
  t.true(Buffer.from(header).includes('19 size=8589934592\n'))
})

test('writeTar() refuses a body with more or fewer bytes than its entry says', async t => {
  const of = (size: number) => collect(writeTar([{ name: 'a', mode: 0, size, body: [Buffer.from('abc')] }]))
  await t.throwsAsync(of(2), { code: 'DATA_LOSS', message: /longer/ })
  await t.throwsAsync(of(4), { code: 'DATA_LOSS', message: /3 of 4/ })
})

for (const [why, entry] of [
  ['no name', { name: '', mode: 0 }],
  ['a NUL in a name', { name: 'a\0', mode: 0 }],
  ['a negative size', { name: 'a', mode: 0, size: -1 }],
] as const) {
  test(`writeTar() refuses ${why}`, async t => {
    await t.throwsAsync(collect(writeTar([entry])), { code: 'INVALID_ARGUMENT' })
  })
}
