import fs from 'node:fs/promises'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { copyBlob } from '../../src/content/copy.ts'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { openOciDestination, openOciSource } from '../../src/transports/oci-layout.ts'
import type { Source } from '../../src/transports/types.ts'
import { Blobs, blob, config, flat, image, layer, manifestWith, type Node } from '../support/image.ts'
import { collect } from '../support/resolver.ts'
import { temporaryDirectory } from '../support/tmp.ts'

const node = image('linux/amd64', 'base', 'top')

/** Writes an image into a layout as a copy does. */
async function write(directory: string, root: Node, name?: string): Promise<void> {
  await using destination = await openOciDestination({
    transport: 'oci',
    path: directory,
    ...(name !== undefined && { image: name }),
  })
  for (const { desc } of flat(root).toReversed()) await copyBlob(new Blobs(root), destination.blobs, desc)
  await destination.put(root.desc)
}

async function layoutOf(t: ExecutionContext, root: Node = node, name?: string): Promise<string> {
  const directory = path.join(await temporaryDirectory(t), 'layout')
  await write(directory, root, name)
  return directory
}

const open = (directory: string): Promise<Source> => openOciSource({ transport: 'oci', path: directory })

const read = async (source: Source, desc: Descriptor): Promise<Buffer> => collect(source.blobs.read(desc))

const fileOf = (directory: string, { desc }: Node): string =>
  path.join(directory, 'blobs', ...desc.digest.split(':'))

test('what is written to a layout is read from it, and nothing else is left there', async t => {
  const directory = await layoutOf(t, node, 'v1')
  const source = await open(directory)
  const { mediaType, digest, size } = node.desc
  t.deepEqual(await source.resolve(), { mediaType, digest, size })
  for (const { desc, bytes } of flat(node)) t.deepEqual(await read(source, desc), Buffer.from(bytes))
  t.deepEqual((await fs.readdir(directory)).sort(), ['blobs', 'index.json', 'oci-layout'])
})

test('a part of a blob can be read', async t => {
  const source = await open(await layoutOf(t))
  const bytes = await collect(source.blobs.read(node.desc, { offset: 3, length: 5 }))
  t.deepEqual(bytes, Buffer.from(node.bytes).subarray(3, 8))
})

test('a second image goes beside the first', async t => {
  const directory = await layoutOf(t, node, 'v1')
  const other = image('linux/arm64', 'base', 'other')
  await write(directory, other, 'v2')
  for (const [name, expected] of [
    ['v1', node],
    ['v2', other],
  ] as const) {
    const source = await openOciSource({ transport: 'oci', path: directory, image: name })
    t.is((await source.resolve()).digest, expected.desc.digest)
  }
})

test('a blob that is there with wrong bytes of the right size is replaced', async t => {
  const directory = await layoutOf(t)
  const [, config] = flat(node)
  if (config === undefined) throw new Error('no config')
  const file = fileOf(directory, config)
  await fs.chmod(file, 0o644)
  await fs.writeFile(file, Buffer.alloc(config.bytes.byteLength, 'x'))
  await write(directory, node)
  t.deepEqual(await fs.readFile(file), Buffer.from(config.bytes))
})

test('a blob that is there is not written again', async t => {
  const directory = await layoutOf(t)
  const { ino } = await fs.stat(fileOf(directory, node))
  await write(directory, node)
  t.is((await fs.stat(fileOf(directory, node))).ino, ino)
})

test('a blob of sha512 is kept under its own algorithm', async t => {
  const { digestOf } = await import('../../src/oci/digest.ts')
  const directory = path.join(await temporaryDirectory(t), 'layout')
  const bytes = Buffer.from('long digest')
  const desc = { mediaType: 'text/plain', digest: digestOf(bytes, 'sha512'), size: bytes.byteLength }
  await using destination = await openOciDestination({ transport: 'oci', path: directory })
  await copyBlob(new Blobs().put({ desc, bytes }), destination.blobs, desc)
  t.deepEqual(await fs.readdir(path.join(directory, 'blobs')), ['sha512'])
  await t.throwsAsync(
    copyBlob(new Blobs().put({ desc, bytes }).damage({ desc, bytes, below: [] }), destination.blobs, {
      ...desc,
      digest: digestOf('other', 'sha512'),
    }),
  )
})

test('a copy that is broken off goes on where it stopped, and its ingest stays until then', async t => {
  const directory = path.join(await temporaryDirectory(t), 'layout')
  const big = blob('application/octet-stream', Buffer.alloc(600_000, 'y'))
  {
    await using destination = await openOciDestination({ transport: 'oci', path: directory })
    await using writer = await destination.blobs.writer({ ref: 'r', expected: big.desc })
    await writer.write(big.bytes.subarray(0, 400_000))
  }
  t.true((await fs.readdir(directory)).includes('ingest'))
  {
    await using destination = await openOciDestination({ transport: 'oci', path: directory })
    await using writer = await destination.blobs.writer({ ref: 'r', expected: big.desc })
    t.is(writer.offset, 400_000)
    await writer.write(big.bytes.subarray(400_000))
    await writer.commit({ digest: big.desc.digest })
  }
  t.deepEqual((await fs.readdir(directory)).sort(), ['blobs', 'oci-layout'])
})

test('referrers are found by their subject', async t => {
  const sbom = manifestWith(
    { subject: node.desc, artifactType: 'application/spdx+json', annotations: { k: 'v' } },
    config(),
    layer('sbom'),
  )
  const directory = await layoutOf(t, node, 'v1')
  await write(directory, sbom)
  const source = await openOciSource({ transport: 'oci', path: directory, image: 'v1' })
  const { mediaType, digest, size } = sbom.desc
  t.deepEqual(await source.referrers?.(node.desc, {}), [
    { mediaType, digest, size, artifactType: 'application/spdx+json', annotations: { k: 'v' } },
  ])
  t.deepEqual(await source.referrers?.(sbom.desc, {}), [])
})

test('a directory with other files is no place for a layout', async t => {
  const directory = await temporaryDirectory(t)
  await fs.writeFile(path.join(directory, 'notes.txt'), 'mine')
  await t.throwsAsync(openOciDestination({ transport: 'oci', path: directory }), {
    code: 'FAILED_PRECONDITION',
    message: /other files/,
  })
  t.deepEqual(await fs.readdir(directory), ['notes.txt'])
})

test('a file is no place for a layout', async t => {
  const file = path.join(await temporaryDirectory(t), 'file')
  await fs.writeFile(file, '')
  await t.throwsAsync(openOciDestination({ transport: 'oci', path: file }), { code: 'FAILED_PRECONDITION' })
})

test('a number is no place to write to', async t => {
  const directory = path.join(await temporaryDirectory(t), 'layout')
  await t.throwsAsync(openOciDestination({ transport: 'oci', path: directory, index: 0 }), {
    code: 'INVALID_ARGUMENT',
  })
})

test('an index.json that cannot be read is not replaced', async t => {
  const directory = await layoutOf(t)
  await fs.writeFile(path.join(directory, 'index.json'), '{"manifests":')
  await t.throwsAsync(openOciDestination({ transport: 'oci', path: directory }), { code: 'INVALID_ARGUMENT' })
  t.is(await fs.readFile(path.join(directory, 'index.json'), 'utf8'), '{"manifests":')
})

/** A layout that somebody has prepared. */
const hostile = test.macro<[string, (directory: string, outside: string) => Promise<void>, string, RegExp]>({
  async exec(t, _, prepare, code, message) {
    const directory = await layoutOf(t)
    const outside = path.join(await temporaryDirectory(t), 'outside')
    await fs.writeFile(outside, node.bytes)
    await prepare(directory, outside)
    await t.throwsAsync(
      async () => {
        const source = await open(directory)
        await read(source, await source.resolve())
      },
      { code, message },
    )
  },
  title: (_, what) => `a layout is refused: ${what}`,
})

const replaced = async (file: string, make: () => Promise<unknown>): Promise<void> => {
  await fs.rm(file, { recursive: true })
  await make()
}

test(
  hostile,
  'a blob that is a link out',
  (directory, outside) =>
    replaced(fileOf(directory, node), () => fs.symlink(outside, fileOf(directory, node))),
  'FAILED_PRECONDITION',
  /link out/,
)
test(
  hostile,
  'a directory of blobs that is a link out',
  async (directory, outside) => {
    const blobs = path.join(directory, 'blobs/sha256')
    await fs.cp(blobs, path.join(path.dirname(outside), 'moved'), { recursive: true })
    await replaced(blobs, () => fs.symlink(path.join(path.dirname(outside), 'moved'), blobs))
  },
  'FAILED_PRECONDITION',
  /link out/,
)
test(
  hostile,
  'an index.json that is a link out',
  (directory, outside) =>
    replaced(path.join(directory, 'index.json'), () =>
      fs.symlink(outside, path.join(directory, 'index.json')),
    ),
  'FAILED_PRECONDITION',
  /link out/,
)
test(
  hostile,
  'links that go round',
  async directory => {
    const file = fileOf(directory, node)
    await replaced(file, () => fs.symlink(`${file}2`, file))
    await fs.symlink(file, `${file}2`)
  },
  'FAILED_PRECONDITION',
  /symbolic links/,
)
test(
  hostile,
  'a blob that is a directory',
  directory => replaced(fileOf(directory, node), () => fs.mkdir(fileOf(directory, node))),
  'FAILED_PRECONDITION',
  /not a regular file/,
)
test(
  hostile,
  'a blob that is a pipe',
  directory =>
    replaced(fileOf(directory, node), async () => {
      const { execFileSync } = await import('node:child_process')
      execFileSync('mkfifo', [fileOf(directory, node)])
    }),
  'FAILED_PRECONDITION',
  /not a regular file/,
)
test(
  hostile,
  'a blob that is longer than its descriptor says',
  async directory => {
    await fs.chmod(fileOf(directory, node), 0o644)
    await fs.appendFile(fileOf(directory, node), 'more')
  },
  'DATA_LOSS',
  /bytes, expected/,
)
test(
  hostile,
  'a blob that is gone',
  directory => fs.rm(fileOf(directory, node)),
  'NOT_FOUND',
  /there is none in/,
)
test(
  hostile,
  'an index.json of 1 GB',
  directory => fs.truncate(path.join(directory, 'index.json'), 2 ** 30),
  'RESOURCE_EXHAUSTED',
  /1073741824 bytes/,
)
test(
  hostile,
  'another version of the layout',
  directory => fs.writeFile(path.join(directory, 'oci-layout'), '{"imageLayoutVersion":"2.0.0"}'),
  'FAILED_PRECONDITION',
  /version "2.0.0"/,
)
test(
  hostile,
  'no index.json',
  directory => fs.rm(path.join(directory, 'index.json')),
  'NOT_FOUND',
  /no index\.json/,
)

test('a link inside a layout is followed', async t => {
  const directory = await layoutOf(t)
  const file = fileOf(directory, node)
  await fs.rename(file, path.join(directory, 'moved'))
  await fs.symlink('../../moved', file)
  const source = await open(directory)
  t.deepEqual(await read(source, node.desc), Buffer.from(node.bytes))
})

test('nothing is written through a directory of blobs that is a link out', async t => {
  const directory = path.join(await temporaryDirectory(t), 'layout')
  const outside = await temporaryDirectory(t)
  await fs.mkdir(path.join(directory, 'blobs'), { recursive: true })
  await fs.symlink(outside, path.join(directory, 'blobs/sha256'))
  await t.throwsAsync(write(directory, node), { code: 'FAILED_PRECONDITION', message: /link out/ })
  t.deepEqual(await fs.readdir(outside), [])
})
