import fs from 'node:fs/promises'
import path from 'node:path'
import test from 'ava'
import { FsLayout } from '../../src/content/fs-layout.ts'
import { FsStore } from '../../src/content/fs-store.ts'
import { contentFiles, treeBytes } from '../../src/content/fs-usage.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { commitBytes } from '../support/commit.ts'
import { allocatedByDu, bytesByDu } from '../support/du.ts'
import { temporaryDirectory } from '../support/tmp.ts'

test('contentFiles() gives each blob, each ingest with its small files, and what is neither', async t => {
  const root = await temporaryDirectory(t)
  const store = new FsStore(root)
  const digest = await commitBytes(store, Buffer.alloc(5000, 'a'))
  await using writer = await store.writer({ ref: 'half', expected: { size: 100 } })
  await writer.write(Buffer.alloc(33))
  await writer[Symbol.asyncDispose]()
  await fs.writeFile(path.join(root, 'blobs/sha256/stray'), 'xyz')
  await fs.writeFile(path.join(root, 'notes'), '12')
  const { blobs, ingests, others, total } = await contentFiles(root)
  t.deepEqual([...blobs.keys()], [digest])
  t.is(blobs.get(digest)?.bytes, 5000)
  const name = path.basename(new FsLayout(root).ingest('half'))
  t.deepEqual([...ingests.keys()], [name])
  t.is(ingests.get(name)?.bytes, await bytesByDu(path.join(root, 'ingest')))
  t.is(others.bytes, 5)
  t.is(total.bytes, await bytesByDu(root))
  t.is(total.allocated, await allocatedByDu(root))
})

test('contentFiles() of a directory that is not there is empty', async t => {
  const { blobs, ingests, total } = await contentFiles(path.join(await temporaryDirectory(t), 'none'))
  t.deepEqual([blobs.size, ingests.size, total], [0, 0, { bytes: 0, allocated: 0 }])
})

test('contentFiles() does not follow links, so a link in a circle ends', async t => {
  const root = await temporaryDirectory(t)
  await fs.mkdir(path.join(root, 'blobs/sha256'), { recursive: true })
  await fs.symlink('..', path.join(root, 'blobs/sha256/up'))
  await fs.symlink('/etc/hostname', path.join(root, `blobs/sha256/${digestOf('x').slice(7)}`))
  const { total } = await contentFiles(root)
  t.is(total.allocated, await allocatedByDu(root))
})

test('contentFiles() stops when its signal has fired', async t => {
  const reason = new Error('enough')
  await t.throwsAsync(contentFiles(await temporaryDirectory(t), { signal: AbortSignal.abort(reason) }), {
    is: reason,
  })
})

test('treeBytes() counts all files of a tree, as du does', async t => {
  const root = await temporaryDirectory(t)
  await fs.mkdir(path.join(root, 'a/b'), { recursive: true })
  await fs.writeFile(path.join(root, 'a/b/c'), Buffer.alloc(10_000, 1))
  t.deepEqual(await treeBytes(root), { bytes: 10_000, allocated: await allocatedByDu(root) })
})
