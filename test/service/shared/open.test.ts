import fs from 'node:fs/promises'
import net from 'node:net'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { digestOf } from '../../../src/oci/digest.ts'
import { openShared, type SharedStore } from '../../../src/service/shared/open.ts'
import { defaultAddress } from '../../../src/service/socket.ts'
import { contentSuite } from '../../suites/content.ts'
import { imageStoreSuite } from '../../suites/image-store.ts'
import { leaseSuite } from '../../suites/leases.ts'
import { startSharing } from '../../support/shared.ts'
import { temporaryDirectory } from '../../support/tmp.ts'

const newRoot = async (t: ExecutionContext): Promise<string> => path.join(await temporaryDirectory(t), 'root')

const open = async (t: ExecutionContext, root: string): Promise<SharedStore> => {
  const store = await openShared({ root })
  t.teardown(() => store.close({ signal: AbortSignal.abort() }))
  return store
}

/** An owner, and a guest in this process too. */
async function openTwo(t: ExecutionContext) {
  const root = await newRoot(t)
  const owner = await open(t, root)
  const guest = await open(t, root)
  return { root, owner, guest }
}

const guestScope = async (t: ExecutionContext) => (await openTwo(t)).guest.scope('test')

contentSuite(test, 'a guest', async t => (await guestScope(t)).content, { labels: true })
imageStoreSuite(test, 'a guest', async t => (await guestScope(t)).images)
leaseSuite(test, 'a guest', async t => (await guestScope(t)).leases)

test('openShared(): the first owns the root, the second is its guest, and takes over when the first ends', async t => {
  const { owner, guest } = await openTwo(t)
  t.true(owner.isOwner)
  t.false(guest.isOwner)
  await guest.namespaces.create('a', { k: 'v' })
  t.deepEqual(await owner.namespaces.labels('a'), { k: 'v' })
  await owner.close()
  t.deepEqual(await guest.namespaces.labels('a'), { k: 'v' })
  t.true(guest.isOwner)
})

test('openShared(): nobody else may enter the root or its socket, which goes with its owner', async t => {
  const { root, owner } = await openTwo(t)
  const modeOf = async (file: string): Promise<number> => (await fs.stat(file)).mode & 0o777
  t.is(await modeOf(root), 0o700)
  t.is(await modeOf(path.join(root, 'orlop.sock')), 0o600)
  await owner.close()
  await t.throwsAsync(fs.stat(path.join(root, 'orlop.sock')), { code: 'ENOENT' })
})

test('openShared(): who has the store for a moment makes no socket, and others get it when he has gone', async t => {
  const root = path.join(await temporaryDirectory(t), 'root')
  const first = await openShared({ root, shareAfter: 3_600_000 })
  t.deepEqual((await fs.readdir(root)).includes('orlop.sock'), false)
  const second = openShared({ root })
  await first.close()
  await using store = await second
  t.true(store.isOwner)
})

test('openShared(): who has the store for longer lets others in', async t => {
  const root = path.join(await temporaryDirectory(t), 'root')
  await using _ = await openShared({ root, shareAfter: 20 })
  await using store = await openShared({ root })
  t.false(store.isOwner)
})

test('openShared(): a root whose path is too long for a socket has it in a private directory', async t => {
  const root = path.join(await temporaryDirectory(t), 'x'.repeat(120), 'root')
  const [owner, guest] = [await open(t, root), await open(t, root)]
  t.deepEqual([owner.isOwner, guest.isOwner], [true, false])
  const address = defaultAddress(root)
  t.is((await fs.stat(address)).mode & 0o777, 0o600)
  t.is((await fs.stat(path.dirname(address))).mode & 0o777, 0o700)
})

test('openShared(): the socket of a dead owner stops nobody', async t => {
  const root = await newRoot(t)
  const { child, outcome } = await startSharing(t, root)
  child.kill('SIGKILL')
  await outcome
  t.true((await fs.lstat(path.join(root, 'orlop.sock'))).isSocket())
  const [owner, guest] = [await open(t, root), await open(t, root)]
  t.deepEqual([owner.isOwner, guest.isOwner], [true, false])
  await guest.namespaces.create('a')
})

test('openShared(): where something else lies in the place of the socket, the store opens and is not shared', async t => {
  const root = await newRoot(t)
  await (await openShared({ root })).close()
  await fs.writeFile(path.join(root, 'orlop.sock'), 'precious')
  const lines: string[] = []
  await using store = await openShared({ root, log: line => lines.push(line) })
  t.true(store.isOwner)
  t.regex(lines[0] ?? '', /is not shared: .*something else is there/)
  t.is(await fs.readFile(path.join(root, 'orlop.sock'), 'utf8'), 'precious')
})

test('openShared(): calls of a guest whose owner is killed are answered by the next owner', async t => {
  const root = await newRoot(t)
  const { child, outcome, isOwner } = await startSharing(t, root)
  t.true(isOwner)
  const guest = await open(t, root)
  const { content, images } = guest.scope('a')
  await using writer = await content.writer({ ref: 'r', expected: { size: 6 } })
  await writer.write(Buffer.from('hello\n'))
  const target = { digest: digestOf('hello\n'), size: 6, mediaType: 'text/plain' }
  await images.create({ name: 'before', target })
  child.kill('SIGKILL')
  await outcome
  const made = Array.from({ length: 20 }, (_, at) => images.create({ name: `after-${at}`, target }))
  t.is((await Promise.all(made)).length, 20)
  t.is((await images.get('before')).target.digest, target.digest)
  t.true(guest.isOwner)
  await t.throwsAsync(images.create({ name: 'after-1', target }), { code: 'ALREADY_EXISTS' })
})

test('openShared(): events reach a guest, and go on with the next owner', async t => {
  const { owner, guest } = await openTwo(t)
  const control = new AbortController()
  const arrivals = guest.events.subscribe(['topic=="/namespaces/create"'], { signal: control.signal })
  const seen: unknown[] = []
  const all = (async () => {
    for await (const { event } of arrivals) seen.push(event.name)
  })()
  const createUntilSeen = async (store: SharedStore, prefix: string): Promise<void> => {
    for (let at = 0; !seen.some(name => String(name).startsWith(prefix)); at++) {
      await store.namespaces.create(`${prefix}${at}`)
    }
  }
  await createUntilSeen(owner, 'first')
  await owner.close()
  await createUntilSeen(guest, 'second')
  control.abort()
  await all
  t.true(guest.isOwner)
})

test('verbs.collect() of a guest collects in its owner', async t => {
  const { owner, guest } = await openTwo(t)
  const { content } = owner.scope('a')
  await using writer = await content.writer({ ref: 'r' })
  await writer.write(Buffer.from('garbage'))
  const digest = await writer.commit()
  t.is((await guest.verbs.collect()).bytes, 7)
  await t.throwsAsync(guest.scope('a').content.info(digest), { code: 'NOT_FOUND' })
  t.is((await owner.verbs.collect()).bytes, 0)
})

test('disk.info() of a guest sees that the file of a blob is gone', async t => {
  const { root, guest } = await openTwo(t)
  const { content, disk } = guest.scope('a')
  await using writer = await content.writer({ ref: 'r' })
  await writer.write(Buffer.from('hello\n'))
  const digest = await writer.commit()
  t.is((await disk.info(digest)).size, 6)
  await fs.rm(path.join(root, 'content/blobs/sha256', digest.slice('sha256:'.length)))
  await t.throwsAsync(disk.info(digest), { code: 'NOT_FOUND' })
})

test('close() of an owner does not wait for a client that never ends its call, once it is told to', async t => {
  const { owner, guest } = await openTwo(t)
  await using writer = await guest.scope('a').content.writer({ ref: 'r', expected: { size: 10 } })
  await writer.write(Buffer.from('hello'))
  const control = new AbortController()
  const closed = owner.close({ signal: control.signal })
  control.abort()
  await closed
  // What the owner had taken was kept, and the writer goes on with it.
  await writer.write(Buffer.from('hello'))
  t.is(await writer.commit(), digestOf('hellohello'))
  t.true(guest.isOwner)
})

test('close() of an owner does not wait for a client that says nothing', async t => {
  const root = await newRoot(t)
  const store = await openShared({ root })
  const socket = net.connect(defaultAddress(root))
  await new Promise(resolve => socket.once('connect', resolve))
  const ended = new Promise(resolve => socket.once('close', resolve))
  await store.close()
  await ended
  t.pass()
})

test('openShared() refuses an empty root', async t => {
  await t.throwsAsync(openShared({ root: '' }), { code: 'INVALID_ARGUMENT' })
})

test('scope() of a guest refuses a name that is no namespace', async t => {
  const { owner, guest } = await openTwo(t)
  t.throws(() => owner.scope('b@d'), { code: 'INVALID_ARGUMENT' })
  await t.throwsAsync(guest.scope('b@d').images.get('x'), { code: 'INVALID_ARGUMENT' })
})
