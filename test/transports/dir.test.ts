import fs from 'node:fs/promises'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { copyBlob } from '../../src/content/copy.ts'
import type { Signature } from '../../src/images/signature.ts'
import { openDirDestination, openDirSource } from '../../src/transports/dir.ts'
import { Blobs, config, dockerManifest, flat, image, index, layer, type Node } from '../support/image.ts'
import { collect } from '../support/resolver.ts'
import { temporaryDirectory } from '../support/tmp.ts'

/** What looks like a packet of OpenPGP. */
const simple = (text: string): Signature => ({
  format: 'simple-signing',
  bytes: Buffer.from(`\x90${text}`, 'latin1'),
})

const one = image('linux/amd64', 'base', 'one')
const two = image('linux/arm64', 'base', 'two')
const both = index(one, two)

async function write(
  directory: string,
  root: Node,
  signatures: Readonly<Record<string, readonly Signature[]>> = {},
) {
  await using destination = await openDirDestination({ transport: 'dir', path: directory })
  for (const { desc } of flat(root).toReversed()) await copyBlob(new Blobs(root), destination.blobs, desc)
  await destination.put(root.desc)
  for (const { desc } of flat(root)) {
    const found = signatures[desc.digest]
    if (found) await destination.putSignatures?.(desc.digest, found)
  }
}

const fresh = async (t: ExecutionContext): Promise<string> => path.join(await temporaryDirectory(t), 'image')

const sorted = (names: readonly string[]): readonly string[] => [...new Set(names)].sort()

const hexOf = ({ desc }: Node): string => desc.digest.slice(7)

test('dir: has files as containers/image names them', async t => {
  const directory = await fresh(t)
  await write(directory, both, {
    [both.desc.digest]: [simple('s')],
    [one.desc.digest]: [simple('i')],
  })
  const leaves = flat(both).filter(({ below }) => below.length === 0)
  t.deepEqual(
    (await fs.readdir(directory)).sort(),
    sorted([
      ...['version', 'manifest.json', 'signature-1', `${hexOf(one)}.signature-1`],
      ...[one, two].map(node => `${hexOf(node)}.manifest.json`),
      ...leaves.map(hexOf),
    ]),
  )
  t.is(await fs.readFile(path.join(directory, 'version'), 'utf8'), 'Directory Transport Version: 1.1\n')
  t.deepEqual(await fs.readFile(path.join(directory, 'manifest.json')), Buffer.from(both.bytes))
})

test('what is written to a directory is read from it', async t => {
  const directory = await fresh(t)
  const signatures = {
    [both.desc.digest]: [simple('s1'), simple('s2')],
    [two.desc.digest]: [simple('i')],
  }
  await write(directory, both, signatures)
  const source = await openDirSource({ transport: 'dir', path: directory })
  const { mediaType, digest, size } = both.desc
  t.deepEqual(await source.resolve(), { mediaType, digest, size })
  for (const { desc, bytes } of flat(both)) {
    t.deepEqual(await collect(source.blobs.read(desc)), Buffer.from(bytes))
    const found = await source.signatures?.(desc.digest)
    t.deepEqual(found, signatures[desc.digest] ?? [])
  }
})

test('the media type of the root is told by what it says', async t => {
  const root = dockerManifest(
    config({ mediaType: 'application/vnd.docker.container.image.v1+json' }),
    layer('x'),
  )
  const directory = await fresh(t)
  await write(directory, root)
  const source = await openDirSource({ transport: 'dir', path: directory })
  t.is((await source.resolve()).mediaType, root.desc.mediaType)
})

test('another image takes the place of the one before, its signatures too, and strange files stay', async t => {
  const directory = await fresh(t)
  await write(directory, both, {
    [both.desc.digest]: [simple('s')],
    [one.desc.digest]: [simple('i')],
  })
  await fs.writeFile(path.join(directory, 'notes.txt'), 'mine')
  await write(directory, two)
  t.deepEqual(
    (await fs.readdir(directory)).sort(),
    sorted(['version', 'manifest.json', 'notes.txt', ...two.below.map(hexOf)]),
  )
})

test('an image stays whole until the next one is complete', async t => {
  const directory = await fresh(t)
  await write(directory, one)
  {
    await using destination = await openDirDestination({ transport: 'dir', path: directory })
    for (const { desc } of two.below) await copyBlob(new Blobs(two), destination.blobs, desc)
  }
  const source = await openDirSource({ transport: 'dir', path: directory })
  t.is((await source.resolve()).digest, one.desc.digest)
  for (const { desc, bytes } of flat(one))
    t.deepEqual(await collect(source.blobs.read(desc)), Buffer.from(bytes))
})

test('a directory with files and no version is not taken', async t => {
  const directory = await temporaryDirectory(t)
  await fs.writeFile(path.join(directory, 'notes.txt'), 'mine')
  await t.throwsAsync(openDirDestination({ transport: 'dir', path: directory }), {
    code: 'FAILED_PRECONDITION',
    message: /no "version"/,
  })
  t.deepEqual(await fs.readdir(directory), ['notes.txt'])
})

test('a directory of a version that is not known is neither read nor written', async t => {
  const directory = await fresh(t)
  await write(directory, one)
  await fs.writeFile(path.join(directory, 'version'), 'Directory Transport Version: 2.0\n')
  for (const open of [openDirSource, openDirDestination])
    await t.throwsAsync(open({ transport: 'dir', path: directory }), { code: 'FAILED_PRECONDITION' })
})

test('a directory without manifest.json has no image', async t => {
  const directory = await temporaryDirectory(t)
  await t.throwsAsync(openDirSource({ transport: 'dir', path: directory }), { code: 'NOT_FOUND' })
})

test('a link out of a directory is not followed', async t => {
  const directory = await fresh(t)
  await write(directory, one)
  const [, blob] = flat(one)
  if (blob === undefined) throw new Error('no blob')
  const outside = path.join(await temporaryDirectory(t), 'outside')
  await fs.rename(path.join(directory, hexOf(blob)), outside)
  await fs.symlink(outside, path.join(directory, hexOf(blob)))
  const source = await openDirSource({ transport: 'dir', path: directory })
  await t.throwsAsync(collect(source.blobs.read(blob.desc)), {
    code: 'FAILED_PRECONDITION',
    message: /link out/,
  })
})

test('more than 128 signatures are refused', async t => {
  const directory = await fresh(t)
  await write(directory, one)
  for (let at = 1; at <= 129; at++)
    await fs.writeFile(path.join(directory, `signature-${at}`), Buffer.from([0x90]))
  const source = await openDirSource({ transport: 'dir', path: directory })
  await t.throwsAsync(async () => source.signatures?.(one.desc.digest), { code: 'RESOURCE_EXHAUSTED' })
})
