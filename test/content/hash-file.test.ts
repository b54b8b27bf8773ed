import fs from 'node:fs/promises'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { digestBlob } from '../../src/content/digest-blob.ts'
import { FsStore } from '../../src/content/fs-store.ts'
import { digestFile } from '../../src/content/hash-file.ts'
import { digestInThread } from '../../src/content/hash-threads.ts'
import { type Algorithm, type Digest, digestOf } from '../../src/oci/digest.ts'
import { randomBytes } from '../support/bytes.ts'
import { temporaryDirectory } from '../support/tmp.ts'

const mebibyte = 1024 * 1024

async function openFile(t: ExecutionContext, bytes: Uint8Array) {
  const name = path.join(await temporaryDirectory(t), 'data')
  await fs.writeFile(name, bytes)
  const file = await fs.open(name, 'r')
  t.teardown(() => file.close())
  return { name, file }
}

const hashes = test.macro({
  exec: async (t, size: number, algorithm: Algorithm) => {
    const bytes = randomBytes('file', size)
    const { file } = await openFile(t, bytes)
    t.deepEqual(await digestFile(file, algorithm), { digest: digestOf(bytes, algorithm), size })
  },
  title: (_, size: number, algorithm: Algorithm) => `${size} bytes of a file are hashed with ${algorithm}`,
})

for (const size of [0, 1, mebibyte, 4 * mebibyte, 9 * mebibyte + 5]) test(hashes, size, 'sha256')
test(hashes, 5 * mebibyte, 'sha384')
test(hashes, 5 * mebibyte, 'sha512')

test('many large files are hashed at once', async t => {
  const files = await Promise.all(
    Array.from({ length: 12 }, async (_, at) => {
      const bytes = randomBytes(`file ${at}`, 4 * mebibyte + at)
      return { bytes, file: (await openFile(t, bytes)).file }
    }),
  )
  const found = await Promise.all(files.map(({ file }) => digestFile(file, 'sha256')))
  t.deepEqual(
    found.map(({ digest }) => digest),
    files.map(({ bytes }) => digestOf(bytes)),
  )
})

test('a hash of a large file stops for its signal, and the file may be closed then', async t => {
  const { file } = await openFile(t, randomBytes('file', 32 * mebibyte))
  const stop = new AbortController()
  const reason = new Error('enough')
  const hashing = digestFile(file, 'sha256', { signal: stop.signal })
  setImmediate(() => stop.abort(reason))
  t.is(await t.throwsAsync(hashing), reason)
})

test('a signal that was given before stops it at once', async t => {
  const { file } = await openFile(t, randomBytes('file', 5 * mebibyte))
  await t.throwsAsync(digestFile(file, 'sha256', { signal: AbortSignal.abort(new Error('no')) }), {
    message: 'no',
  })
})

test('a thread is not asked for what was aborted before it listens', async t => {
  // Never read to its end.
  const file = await fs.open('/dev/zero', 'r')
  t.teardown(() => file.close())
  const signal = AbortSignal.abort(new Error('no'))
  await t.throwsAsync(digestInThread(file.fd, 'sha256', { signal }), { message: 'no' })
})

test('a large file that cannot be read fails with the error of the system', async t => {
  const name = path.join(await temporaryDirectory(t), 'data')
  await fs.writeFile(name, randomBytes('file', 5 * mebibyte))
  // Open for writing only.
  const file = await fs.open(name, 'a')
  t.teardown(() => file.close())
  await t.throwsAsync(digestFile(file, 'sha256'), { code: 'EBADF' })
})

const blobs = test.macro({
  exec: async (t, size: number) => {
    const root = await temporaryDirectory(t)
    const store = new FsStore(root)
    const bytes = randomBytes('blob', size)
    const target = { mediaType: 'application/octet-stream', digest: digestOf(bytes), size }
    const writer = await store.writer({ ref: 'x' })
    await writer.write(bytes)
    await writer.commit()
    t.deepEqual(await digestBlob(store, target), { digest: target.digest, size })

    const file = path.join(root, 'blobs', target.digest.replace(':', '/'))
    await fs.chmod(file, 0o644)
    const damaged = Uint8Array.from(bytes, (byte, at) => (at === size - 1 ? byte ^ 1 : byte))
    await fs.writeFile(file, damaged)
    t.deepEqual(await digestBlob(store, target), { digest: digestOf(damaged), size })

    await fs.truncate(file, size - 1)
    t.is((await digestBlob(store, target)).size, size - 1)

    await fs.rm(file)
    await t.throwsAsync(digestBlob(store, target), { code: 'NOT_FOUND' })
    const other = { ...target, digest: `sha512:${'0'.repeat(128)}` as Digest }
    await t.throwsAsync(digestBlob(store, other), { code: 'NOT_FOUND' })
  },
  title: (_, size: number) =>
    `a blob of ${size} bytes is hashed as it lies there, right, damaged, cut off, or gone`,
})

test(blobs, 1000)
test(blobs, 5 * mebibyte)
