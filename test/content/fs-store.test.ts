import { execFileSync } from 'node:child_process'
import fs from 'node:fs/promises'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { readBlob } from '../../src/content/blob.ts'
import { copyBlob } from '../../src/content/copy.ts'
import { FsStore } from '../../src/content/fs-store.ts'
import { digestOf, parseDigest } from '../../src/oci/digest.ts'
import { put } from '../suites/content.ts'
import { all, collect, providerOf, randomBytes, targetOf } from '../support/bytes.ts'
import { temporaryDirectory } from '../support/tmp.ts'

const open = async (t: ExecutionContext) => {
  const root = await temporaryDirectory(t)
  return { root, store: new FsStore(root) }
}

const ingestOf = (root: string, ref: string, file = '') =>
  path.join(root, 'ingest', digestOf(ref).slice('sha256:'.length), file)

const blobOf = (root: string, bytes: Uint8Array | string) =>
  path.join(root, 'blobs', 'sha256', digestOf(bytes).slice('sha256:'.length))

const isRoot = process.getuid?.() === 0

test('a blob lies read-only where containerd looks for it', async t => {
  const { root, store } = await open(t)
  const bytes = Buffer.from('layout')
  const other = digestOf(bytes, 'sha512')
  await put(store, bytes)
  await put(store, bytes, { digest: other })
  const hex = other.slice('sha512:'.length)
  for (const file of [blobOf(root, bytes), path.join(root, 'blobs', 'sha512', hex)]) {
    t.is(await fs.readFile(file, 'utf8'), 'layout')
    t.is((await fs.stat(file)).mode & 0o777, 0o444 & ~process.umask())
  }
  t.deepEqual(await fs.readdir(path.join(root, 'ingest')), [])
  t.deepEqual((await fs.readdir(root)).toSorted(), ['blobs', 'ingest'])
})

test('an ingest lies where containerd looks for it', async t => {
  const { root, store } = await open(t)
  const writer = await store.writer({ ref: 'default/1/layer-x', expected: { size: 9 } })
  await writer.write(Buffer.from('bytes'))
  await writer[Symbol.asyncDispose]()
  const text = (file: string) => fs.readFile(ingestOf(root, 'default/1/layer-x', file), 'utf8')
  t.is(await text('ref'), 'default/1/layer-x')
  t.is(await text('data'), 'bytes')
  t.is(await text('total'), '9')
  for (const file of ['startedat', 'updatedat']) t.regex(await text(file), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
  t.deepEqual((await fs.readdir(ingestOf(root, 'default/1/layer-x'))).toSorted(), [
    'data',
    'ref',
    'startedat',
    'total',
    'updatedat',
  ])
})

test('an ingest that containerd has left goes on, its dates in nanoseconds', async t => {
  const { root, store } = await open(t)
  await fs.mkdir(ingestOf(root, 'theirs'), { recursive: true })
  await fs.writeFile(ingestOf(root, 'theirs', 'ref'), 'theirs')
  await fs.writeFile(ingestOf(root, 'theirs', 'data'), 'first ')
  await fs.writeFile(ingestOf(root, 'theirs', 'startedat'), '2026-01-02T03:04:05.123456789+02:00')
  await fs.writeFile(ingestOf(root, 'theirs', 'updatedat'), '2036-01-02T03:04:05Z')
  const status = await store.status('theirs')
  t.is(status.startedAt.toISOString(), '2026-01-02T01:04:05.123Z')
  t.is(status.updatedAt.toISOString(), '2036-01-02T03:04:05.000Z')
  t.is(status.total, undefined)
  await using writer = await store.writer({ ref: 'theirs' })
  t.is(writer.offset, 6)
  await writer.write(Buffer.from('second'))
  t.is(await writer.commit(), digestOf('first second'))
})

const garbage: Readonly<Record<string, (file: (name: string) => string) => Promise<void>>> = {
  'no ref': file => fs.rm(file('ref')),
  'an empty ref': file => fs.writeFile(file('ref'), ''),
  'another ref': file => fs.writeFile(file('ref'), 'other'),
  'a bad total': file => fs.writeFile(file('total'), 'many'),
  'a negative total': file => fs.writeFile(file('total'), '-1'),
  'no start': file => fs.rm(file('startedat')),
  'a bad start': file => fs.writeFile(file('startedat'), 'yesterday'),
}

for (const [what, spoil] of Object.entries(garbage)) {
  test(`an ingest with ${what} is begun anew and its bytes dropped`, async t => {
    const { root, store } = await open(t)
    const first = await store.writer({ ref: 'r', expected: { size: 100 } })
    await first.write(randomBytes(1, 80))
    await first[Symbol.asyncDispose]()
    await spoil(name => ingestOf(root, 'r', name))
    await t.throwsAsync(store.status('r'), { code: 'NOT_FOUND' })
    t.deepEqual(await all(store.statuses()), [])
    await using writer = await store.writer({ ref: 'r', expected: { size: 5 } })
    t.is(writer.offset, 0)
    await writer.write(Buffer.from('fresh'))
    t.is(await writer.commit({ size: 5 }), digestOf('fresh'))
    t.is(await fs.readFile(blobOf(root, 'fresh'), 'utf8'), 'fresh')
  })
}

test('an ingest of garbage only can be aborted', async t => {
  const { root, store } = await open(t)
  await fs.mkdir(ingestOf(root, 'r'), { recursive: true })
  await fs.writeFile(ingestOf(root, 'r', 'x'), '')
  await store.abort('r')
  await t.throwsAsync(store.abort('r'), { code: 'NOT_FOUND' })
})

test('what is on the disk counts when an ingest is resumed, be it more or less than was acknowledged', async t => {
  const { root, store } = await open(t)
  for (const [ref, size] of [
    ['shorter', 30],
    ['longer', 90],
  ] as const) {
    const bytes = randomBytes(ref, 100)
    const first = await store.writer({ ref, expected: targetOf(bytes) })
    await first.write(bytes.subarray(0, 60))
    await first[Symbol.asyncDispose]()
    await fs.writeFile(ingestOf(root, ref, 'data'), bytes.subarray(0, size))
    const writer = await store.writer({ ref, expected: targetOf(bytes) })
    t.is(writer.offset, size)
    t.is(writer.digest, digestOf(bytes.subarray(0, size)))
    await writer[Symbol.asyncDispose]()
    await copyBlob(providerOf(bytes), store, targetOf(bytes), { ref })
    t.true(bytes.equals(await readBlob(store, targetOf(bytes))))
  }
})

test('commit() refuses a data file that was changed under its writer', async t => {
  const { root, store } = await open(t)
  const writer = await store.writer({ ref: 'r' })
  await writer.write(randomBytes(1, 300_000))
  await fs.appendFile(ingestOf(root, 'r', 'data'), 'x'.repeat(300_000))
  await t.throwsAsync(writer.commit(), { code: 'DATA_LOSS' })
  t.deepEqual(await all(store.list()), [])
})

test('a data file that a crash has left read-only is resumed', async t => {
  const { root, store } = await open(t)
  const first = await store.writer({ ref: 'r' })
  await first.write(Buffer.from('whole'))
  await first[Symbol.asyncDispose]()
  await fs.chmod(ingestOf(root, 'r', 'data'), 0o444)
  await using writer = await store.writer({ ref: 'r' })
  t.is(await writer.commit(), digestOf('whole'))
})

test('a blob that was cut short is replaced by a whole one', async t => {
  const { root, store } = await open(t)
  const bytes = randomBytes('cut', 5_000)
  await put(store, bytes)
  await fs.chmod(blobOf(root, bytes), 0o644)
  await fs.truncate(blobOf(root, bytes), 100)
  await copyBlob(providerOf(bytes), store, targetOf(bytes))
  t.true(bytes.equals(await readBlob(store, targetOf(bytes))))
  t.is((await fs.stat(blobOf(root, bytes))).mode & 0o222, 0)
  await t.throwsAsync(put(store, bytes), { code: 'ALREADY_EXISTS' })
})

test('list() skips what is no blob', async t => {
  const { root, store } = await open(t)
  const digest = await put(store, Buffer.from('x'))
  const hex = 'a'.repeat(64)
  for (const name of ['short', hex.toUpperCase(), `${hex}a`, `${digest.slice(7)}.tmp`, '-']) {
    await fs.writeFile(path.join(root, 'blobs', 'sha256', name), '')
  }
  await fs.mkdir(path.join(root, 'blobs', 'sha256', hex))
  await fs.mkdir(path.join(root, 'blobs', 'md5'))
  await fs.writeFile(path.join(root, 'blobs', 'md5', 'a'.repeat(32)), '')
  await fs.writeFile(path.join(root, 'blobs', 'file'), '')
  await fs.mkdir(path.join(root, 'ingest', 'x'), { recursive: true })
  await fs.writeFile(path.join(root, 'ingest', 'y'), '')
  t.deepEqual(
    (await all(store.list())).map(info => info.digest),
    [digest],
  )
  t.deepEqual(await all(store.statuses()), [])
  await t.throwsAsync(store.info(parseDigest(`sha256:${hex}`)), { code: 'NOT_FOUND' })
})

test('digests() tells every blob once, and bears that they are deleted meanwhile', async t => {
  const { root, store } = await open(t)
  t.deepEqual(await all(store.digests()), [])
  const put512 = await put(store, Buffer.from('one'), { digest: digestOf('one', 'sha512') })
  const digests = [
    put512,
    ...(await Promise.all(['two', 'three'].map(text => put(store, Buffer.from(text))))),
  ]
  await fs.writeFile(path.join(root, 'blobs', 'sha256', 'README'), 'no blob')
  const found: string[] = []
  for await (const digest of store.digests()) {
    found.push(digest)
    await store.delete(digest)
  }
  t.deepEqual(found.toSorted(), digests.map(String).toSorted())
})

test('text that is no digest never becomes a path', async t => {
  const { root, store } = await open(t)
  await fs.writeFile(path.join(root, 'secret'), 'secret')
  const digest = JSON.parse('"sha256:../../secret"')
  const target = { digest, size: 6, mediaType: '' }
  await t.throwsAsync(collect(store.read(target)), { code: 'INVALID_ARGUMENT' })
  await t.throwsAsync(store.info(digest), { code: 'INVALID_ARGUMENT' })
  await t.throwsAsync(store.delete(digest), { code: 'INVALID_ARGUMENT' })
  await t.throwsAsync(store.writer({ ref: 'r', expected: { digest } }), { code: 'INVALID_ARGUMENT' })
  t.is(await fs.readFile(path.join(root, 'secret'), 'utf8'), 'secret')
})

test('two stores of one process on one directory respect each other', async t => {
  const { root, store } = await open(t)
  const other = new FsStore(path.join(root, '..', path.basename(root)))
  const writer = await store.writer({ ref: 'r' })
  await t.throwsAsync(other.writer({ ref: 'r' }), { code: 'UNAVAILABLE' })
  await writer.write(Buffer.from('x'))
  t.is((await other.status('r')).offset, 1)
  await writer.commit()
  t.is((await other.info(digestOf('x'))).size, 1)
})

test('createdAt is the time of the commit, by the clock given', async t => {
  const now = new Date('2025-05-06T07:08:09.123Z')
  const store = new FsStore(await temporaryDirectory(t), { now: () => now })
  const info = await store.info(await put(store, Buffer.from('dated')))
  t.deepEqual(info.createdAt, now)
})

test('a root that is a file makes a clear error', async t => {
  const { root } = await open(t)
  const file = path.join(root, 'file')
  await fs.writeFile(file, '')
  const store = new FsStore(file)
  await t.throwsAsync(store.writer({ ref: 'r' }), {
    code: 'FAILED_PRECONDITION',
    message: /file.*not a directory/,
  })
  await t.throwsAsync(all(store.list()), { code: 'FAILED_PRECONDITION' })
  await t.throwsAsync(store.info(digestOf('x')), { code: 'FAILED_PRECONDITION' })
})

test('a root that is absent is made when something is written', async t => {
  const root = path.join(await temporaryDirectory(t), 'a', 'b')
  const store = new FsStore(root)
  t.deepEqual(await all(store.list()), [])
  await t.throwsAsync(fs.stat(root), { code: 'ENOENT' })
  await put(store, Buffer.from('x'))
  t.is((await all(store.list())).length, 1)
})

/** A small file system in memory; undefined, with a word in the log, where this machine allows none. */
async function mounted(t: ExecutionContext, options: string): Promise<string | undefined> {
  const directory = await temporaryDirectory(t)
  if (!isRoot || process.platform !== 'linux') {
    t.log('skipped: mounting needs root on Linux')
    t.pass()
    return undefined
  }
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'none', directory], { stdio: 'pipe' })
  } catch (error) {
    t.log(`skipped: cannot mount: ${error}`)
    t.pass()
    return undefined
  }
  t.teardown(() => void execFileSync('umount', ['-l', directory]))
  return directory
}

test('a full device makes RESOURCE_EXHAUSTED, and what was accepted stays', async t => {
  const root = await mounted(t, 'size=2m')
  if (root === undefined) return
  const store = new FsStore(root)
  const bytes = randomBytes('full', 4_000_000)
  const target = targetOf(bytes)
  const source = providerOf(bytes, 100_000)
  await t.throwsAsync(copyBlob(source, store, target, { ref: 'r' }), {
    code: 'RESOURCE_EXHAUSTED',
    message: /space/,
  })
  const { offset } = await store.status('r')
  t.true(offset > 1_000_000 && offset < 4_000_000, String(offset))
  t.deepEqual(await all(store.list()), [])
  execFileSync('mount', ['-o', 'remount,size=8m', root])
  await copyBlob(source, store, target, { ref: 'r' })
  t.is(source.reads.at(-1), offset, 'goes on where the space ended')
  t.true(bytes.equals(await readBlob(store, target)))
})

test('a writer tells what the device took when it is full, and can go on from there', async t => {
  const root = await mounted(t, 'size=1m')
  if (root === undefined) return
  const store = new FsStore(root)
  const bytes = randomBytes('go on', 3_000_000)
  await using writer = await store.writer({ ref: 'r' })
  const writeOn = async (chunk: number) => {
    while (writer.offset < bytes.byteLength)
      await writer.write(bytes.subarray(writer.offset, writer.offset + chunk))
  }
  await t.throwsAsync(writeOn(10_000), { code: 'RESOURCE_EXHAUSTED' })
  t.is(writer.offset, (await fs.stat(ingestOf(root, 'r', 'data'))).size)
  t.is(writer.digest, digestOf(bytes.subarray(0, writer.offset)))
  await t.throwsAsync(writeOn(1_000_000), { code: 'RESOURCE_EXHAUSTED' })
  t.is(writer.digest, digestOf(bytes.subarray(0, writer.offset)))
  execFileSync('mount', ['-o', 'remount,size=8m', root])
  await writeOn(70_000)
  t.is(await writer.commit(targetOf(bytes)), digestOf(bytes))
  t.true(bytes.equals(await collect(store.read(targetOf(bytes)))))
})

test('a read-only root can be read, and makes PERMISSION_DENIED of writing', async t => {
  const root = await mounted(t, 'size=1m')
  if (root === undefined) return
  const digest = await put(new FsStore(root), Buffer.from('x'))
  execFileSync('mount', ['-o', 'remount,ro', root])
  const store = new FsStore(root)
  t.is((await store.info(digest)).size, 1)
  t.is((await all(store.list())).length, 1)
  t.is((await collect(store.read(targetOf(Buffer.from('x'))))).toString(), 'x')
  const denied = { code: 'PERMISSION_DENIED', message: /read-only/ }
  await t.throwsAsync(store.writer({ ref: 'r' }), denied)
  await t.throwsAsync(store.delete(digest), denied)
})

test('writer() stops hashing what it resumes when its signal fires, and frees the ref', async t => {
  const { root, store } = await open(t)
  const first = await store.writer({ ref: 'r' })
  await first.write(Buffer.from('x'))
  await first[Symbol.asyncDispose]()
  await fs.truncate(ingestOf(root, 'r', 'data'), 256 * 1024 * 1024)
  const reason = new Error('enough')
  const stop = new AbortController()
  const opening = store.writer({ ref: 'r' }, { signal: stop.signal })
  setImmediate(() => stop.abort(reason))
  t.is(await t.throwsAsync(opening), reason)
  t.is((await store.status('r')).offset, 256 * 1024 * 1024)
  await store.abort('r')
  await using writer = await store.writer({ ref: 'r' })
  t.is(writer.offset, 0)
})
