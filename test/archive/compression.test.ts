import fs from 'node:fs/promises'
import path from 'node:path'
import zlib from 'node:zlib'
import test from 'ava'
import { decompressed } from '../../src/archive/compression.ts'
import { FileSource } from '../../src/archive/file-source.ts'
import { readTar } from '../../src/archive/tar.ts'
import { collect } from '../support/image.ts'
import { testWith } from '../support/programs.ts'
import { output } from '../support/run.ts'
import { inChunks, rawTar } from '../support/tar.ts'
import { temporaryDirectory } from '../support/tmp.ts'

const text = Buffer.from('some text, more than once. '.repeat(1000))

for (const length of [1, 7, 100_000]) {
  test(`decompressed() undoes gzip in chunks of ${length}`, async t => {
    const { compression, bytes } = await decompressed(inChunks(zlib.gzipSync(text), length))
    t.is(compression, 'gzip')
    t.deepEqual(Buffer.concat(await collect(bytes)), text)
  })
}

for (const content of ['', 'x', 'nine byte', 'something longer than what tells a compression']) {
  test(`decompressed() gives ${content.length} plain bytes as they are`, async t => {
    const { compression, bytes } = await decompressed(inChunks(Buffer.from(content), 3))
    t.is(compression, 'none')
    t.is(Buffer.concat(await collect(bytes)).toString(), content)
  })
}

testWith('zstd')('decompressed() undoes zstd', async t => {
  const file = path.join(await temporaryDirectory(t), 'x')
  await fs.writeFile(file, text)
  await output('zstd', ['-q', file])
  const { compression, bytes } = await decompressed(new FileSource(`${file}.zst`))
  t.is(compression, 'zstd')
  t.deepEqual(Buffer.concat(await collect(bytes)), text)
})

test('decompressed() lets a plain file be skipped in', async t => {
  const file = path.join(await temporaryDirectory(t), 'x')
  await fs.writeFile(file, rawTar({ name: 'a', body: 'x'.repeat(3_000_000) }, { name: 'b', body: 'y' }))
  const { bytes } = await decompressed(new FileSource(file))
  const names: string[] = []
  for await (const { name } of readTar(bytes)) names.push(name)
  t.deepEqual(names, ['a', 'b'])
  t.true(bytes.skip !== undefined)
})

test('decompressed() stops a bomb of gzip before it takes more than it may', async t => {
  const bomb = zlib.gzipSync(Buffer.alloc(30_000_000))
  const { bytes } = await decompressed(inChunks(bomb), {
    what: 'x.tgz',
    limits: { free: 1_000_000, ratio: 100 },
  })
  let given = 0
  const read = async () => {
    for await (const chunk of bytes) given += chunk.byteLength
  }
  await t.throwsAsync(read(), { code: 'RESOURCE_EXHAUSTED', message: /^x\.tgz: .*bomb/ })
  t.true(given <= 1_000_000 + 100 * bomb.byteLength)
})

test('decompressed() says that compressed bytes are cut off or damaged', async t => {
  const packed = zlib.gzipSync(text)
  const cut = await decompressed(inChunks(packed.subarray(0, -10)))
  await t.throwsAsync(collect(cut.bytes), { code: 'DATA_LOSS' })
  const damaged = Buffer.from(packed)
  damaged.fill(0xff, 40, 60)
  const wrong = await decompressed(inChunks(damaged))
  await t.throwsAsync(collect(wrong.bytes), { code: 'DATA_LOSS' })
})

test('a FileSource says which file is not there, or is a directory', async t => {
  const dir = await temporaryDirectory(t)
  const missing = path.join(dir, 'missing')
  await t.throwsAsync(collect(new FileSource(missing)), {
    code: 'NOT_FOUND',
    message: `file ${missing}: no such file or directory`,
  })
  await t.throwsAsync(collect(new FileSource(dir)), { code: 'INVALID_ARGUMENT', message: /is a directory/ })
})
