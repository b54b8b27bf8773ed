import fs from 'node:fs/promises'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { copyBlob } from '../../src/content/copy.ts'
import { FsStore } from '../../src/content/fs-store.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { copyPlaces } from '../support/copying.ts'
import { blob, config, layer, manifestWith, type Node } from '../support/image.ts'
import { putImage } from '../support/put-image.ts'
import { openRuntime } from '../support/store.ts'
import { temporaryDirectory } from '../support/tmp.ts'

const big = blob('application/octet-stream', Buffer.alloc(100_000, 'x'))

const fileOf = (root: string, { desc }: Node): string => path.join(root, 'blobs', ...desc.digest.split(':'))

/** Two stores on one file system, the first with a blob. */
async function twoStores(t: ExecutionContext) {
  const directory = await temporaryDirectory(t)
  const [a, b] = [path.join(directory, 'a'), path.join(directory, 'b')]
  const [from, to] = [new FsStore(a), new FsStore(b)]
  await copyBlob(
    {
      read: async function* () {
        yield big.bytes
      },
    },
    from,
    big.desc,
  )
  return { a, b, from, to }
}

test('a blob of one store is a second name of its file in another, and nothing is left of the way', async t => {
  const { a, b, from, to } = await twoStores(t)
  const before = await fs.stat(fileOf(a, big))
  await copyBlob(from, to, big.desc)
  const [source, shared] = await Promise.all([fs.stat(fileOf(a, big)), fs.stat(fileOf(b, big))])
  // Where the file system clones, it is a file of its own.
  if (shared.ino === source.ino) t.is(source.nlink, 2)
  t.is(shared.mode & 0o777, 0o444)
  t.is(source.mtimeMs, before.mtimeMs)
  t.deepEqual(await fs.readdir(path.join(b, 'ingest')), [])
})

test('a file that could be written to is not shared by a second name', async t => {
  const { a, b, from, to } = await twoStores(t)
  await fs.chmod(fileOf(a, big), 0o644)
  await copyBlob(from, to, big.desc)
  t.not((await fs.stat(fileOf(a, big))).ino, (await fs.stat(fileOf(b, big))).ino)
  t.deepEqual(await fs.readFile(fileOf(b, big)), Buffer.from(big.bytes))
})

test('a file with wrong bytes is not shared, and the copy says that they are wrong', async t => {
  const { a, b, from, to } = await twoStores(t)
  await fs.chmod(fileOf(a, big), 0o644)
  await fs.writeFile(fileOf(a, big), Buffer.alloc(big.bytes.byteLength, 'y'))
  await fs.chmod(fileOf(a, big), 0o444)
  t.false(await to.takeFile(fileOf(a, big), big.desc))
  await t.throwsAsync(copyBlob(from, to, big.desc), { code: 'DATA_LOSS' })
  await t.throwsAsync(fs.stat(fileOf(b, big)), { code: 'ENOENT' })
})

test('a file that is gone, or of another size, is no reason to fail', async t => {
  const { a, to } = await twoStores(t)
  t.false(await to.takeFile(path.join(a, 'none'), big.desc))
  t.false(await to.takeFile(fileOf(a, big), { ...big.desc, digest: digestOf('z') }))
  t.false(await to.takeFile(fileOf(a, big), { ...big.desc, size: 5 }))
})

test('a blob that is there is not taken again', async t => {
  const { a, b, from, to } = await twoStores(t)
  await copyBlob(
    {
      read: async function* () {
        yield big.bytes
      },
    },
    to,
    big.desc,
  )
  const { ino } = await fs.stat(fileOf(b, big))
  await copyBlob(from, to, big.desc)
  t.is((await fs.stat(fileOf(b, big))).ino, ino)
  t.is((await fs.stat(fileOf(a, big))).nlink, 1)
})

test('a layout and a store share the files of large blobs, both ways, and collections leave the other whole', async t => {
  const node = manifestWith({}, config(), layer(Buffer.alloc(50_000, 'a')), layer('small'))
  const runtime = await openRuntime(t)
  const store = runtime.scope()
  await putImage(store, 'docker.io/library/it:latest', node)
  const directory = await temporaryDirectory(t)
  const [, , large] = [node, ...node.below]
  if (large === undefined) throw new Error('no layer')
  await copyPlaces('store:it', `oci:${directory}/l`, {}, { store })
  const stored = path.join(runtime.root, 'content', 'blobs', ...large.desc.digest.split(':'))
  const linked = fileOf(`${directory}/l`, large)
  const [first, second] = await Promise.all([fs.stat(stored), fs.stat(linked)])
  t.is(first.size, second.size)

  const other = await openRuntime(t)
  const { totals } = await copyPlaces(`oci:${directory}/l`, 'store:back', {}, { store: other.scope() })
  t.true(totals.fetched < 50_000)
  const { labels } = await other.scope().content.info(node.desc.digest)
  t.is(Object.keys(labels).length, 3)
  await store.images.delete('docker.io/library/it:latest')
  await runtime.gc.collect()
  await t.throwsAsync(fs.stat(stored), { code: 'ENOENT' })
  t.is((await fs.readFile(linked)).byteLength, 50_000)
  await other.gc.collect()
  t.is((await other.scope().content.info(large.desc.digest)).size, 50_000)
})

test('namespaces that do not share take no files', async t => {
  const { a } = await twoStores(t)
  const runtime = await openRuntime(t, { sharing: 'isolated' })
  const { content } = runtime.scope()
  t.true('takeFile' in content)
  await copyBlob(new FsStore(a), content, big.desc)
  t.is((await fs.stat(fileOf(a, big))).nlink, 1)
  t.is((await content.info(big.desc.digest)).size, big.desc.size)
})
