import fs from 'node:fs/promises'
import path from 'node:path'
import test from 'ava'
import { Runtime } from '../../src/runtime/runtime.ts'
import { collect } from '../support/image.ts'
import { orlop, projectRoot, start } from '../support/run.ts'
import { openRuntime } from '../support/store.ts'
import { temporaryDirectory } from '../support/tmp.ts'

test('Runtime.open() makes a root that is private to its user, parents too', async t => {
  const root = path.join(await temporaryDirectory(t), 'a/b/root')
  const runtime = await Runtime.open({ root })
  t.is((await fs.stat(root)).mode & 0o777, 0o700)
  t.is((await fs.stat(path.join(root, 'metadata'))).mode & 0o777, 0o700)
  t.is((await fs.stat(path.join(root, 'owner.json'))).mode & 0o777, 0o600)
  await runtime.close()
})

test('Runtime.open() finds again what was there', async t => {
  const root = await temporaryDirectory(t)
  {
    await using runtime = await Runtime.open({ root })
    await runtime.namespaces.create('one', { a: '1' })
  }
  await using again = await Runtime.open({ root })
  t.deepEqual(await collect(again.namespaces.list()), [{ name: 'one', labels: { a: '1' } }])
})

test('Runtime.open() refuses an empty root, which would be the current directory', async t => {
  await t.throwsAsync(Runtime.open({ root: '' }), { code: 'INVALID_ARGUMENT' })
})

test('Runtime.open() takes a relative root for what it is now', async t => {
  const directory = await temporaryDirectory(t)
  await using runtime = await Runtime.open({ root: path.relative(process.cwd(), directory) })
  t.is(runtime.root, directory)
})

test('Runtime.open() refuses a root that is a file, and leaves the file', async t => {
  const root = path.join(await temporaryDirectory(t), 'file')
  await fs.writeFile(root, 'mine')
  await t.throwsAsync(Runtime.open({ root }), { code: 'FAILED_PRECONDITION', message: /is a file/ })
  t.is(await fs.readFile(root, 'utf8'), 'mine')
})

test('Runtime.open() refuses a root below a file', async t => {
  const file = path.join(await temporaryDirectory(t), 'file')
  await fs.writeFile(file, 'mine')
  const error = await t.throwsAsync(Runtime.open({ root: path.join(file, 'root') }), {
    code: 'FAILED_PRECONDITION',
  })
  t.true(error?.message.includes(file))
})

const unlessRoot = process.getuid?.() === 0 ? test.skip : test

unlessRoot('Runtime.open() names a root that may not be made', async t => {
  const directory = await temporaryDirectory(t)
  await fs.chmod(directory, 0o500)
  t.teardown(() => fs.chmod(directory, 0o700))
  const root = path.join(directory, 'root')
  const error = await t.throwsAsync(Runtime.open({ root }), { code: 'PERMISSION_DENIED' })
  t.true(error?.message.includes(root))
})

test('Runtime.open() twice in one process says so', async t => {
  const { root } = await openRuntime(t)
  await t.throwsAsync(Runtime.open({ root }), { code: 'UNAVAILABLE', message: /in this process already/ })
})

test('Runtime.open() that was aborted touches nothing', async t => {
  const root = path.join(await temporaryDirectory(t), 'root')
  const reason = new Error('no')
  t.is(await t.throwsAsync(Runtime.open({ root }, { signal: AbortSignal.abort(reason) })), reason)
  await t.throwsAsync(fs.stat(root), { code: 'ENOENT' })
})

/** A process that holds a root until it is killed. */
const holder = `
  const { Runtime } = await import(process.env.RUNTIME)
  const runtime = await Runtime.open({ root: process.env.ROOT })
  console.log('open')
  setInterval(() => runtime, 1000)
`

const hold = async (root: string) => {
  const running = start(
    process.execPath,
    ['--input-type=module', '-e', holder, 'images', 'pull', '--user', 'x:secret'],
    {
      env: { ROOT: root, RUNTIME: path.join(projectRoot, 'dist/src/runtime/runtime.js') },
    },
  )
  await new Promise<void>((resolve, reject) => {
    running.child.stdout?.once('data', () => resolve())
    running.child.once('exit', () => reject(new Error('did not open')))
  })
  return running
}

test('Runtime.open() of a root that another process holds names that process, without its secrets', async t => {
  const root = await temporaryDirectory(t)
  const { child, outcome } = await hold(root)
  const { code, stderr, stdout } = await orlop(['--root', root, 'images', 'list'])
  t.is(code, 7)
  t.is(stdout, '')
  t.regex(
    stderr,
    new RegExp(`^orlop: store ${root}: held by process ${child.pid} \\(.*\\) since 20\\S+; .*\\n$`),
  )
  t.false((await fs.readFile(path.join(root, 'owner.json'), 'utf8')).includes('secret'))
  child.kill('SIGKILL')
  await outcome
  // Killed: the lock is gone with the process, the file is not.
  await using runtime = await Runtime.open({ root })
  t.is(JSON.parse(await fs.readFile(path.join(root, 'owner.json'), 'utf8')).pid, process.pid)
  t.is(runtime.root, root)
})

const garbage = test.macro({
  async exec(t, text: string) {
    const root = await temporaryDirectory(t)
    const { child, outcome } = await hold(root)
    await fs.writeFile(path.join(root, 'owner.json'), text)
    await t.throwsAsync(Runtime.open({ root }), { code: 'UNAVAILABLE', message: /held by another process/ })
    child.kill('SIGKILL')
    await outcome
  },
  title: (_, text) => `Runtime.open() does not trust an owner.json of ${JSON.stringify(text)}`,
})

test(garbage, '')
test(garbage, 'null')
test(garbage, '{"pid":"1"}')
test(garbage, '{"pid":2147483647,"command":"gone"}')

test('close() removes owner.json, and may be called again', async t => {
  const { root, close } = await openRuntime(t).then(runtime => ({
    root: runtime.root,
    close: () => runtime.close(),
  }))
  await close()
  await t.throwsAsync(fs.stat(path.join(root, 'owner.json')), { code: 'ENOENT' })
  await t.notThrowsAsync(close())
})

test('close() leaves the owner.json of another process', async t => {
  const runtime = await openRuntime(t)
  const file = path.join(runtime.root, 'owner.json')
  await fs.writeFile(file, '{"pid":1,"command":"init","since":"x"}')
  await runtime.close()
  t.is(JSON.parse(await fs.readFile(file, 'utf8')).pid, 1)
})

test('a store that is closed says so, whatever is asked of it', async t => {
  const runtime = await openRuntime(t)
  const { images, content, leases } = runtime.scope()
  await runtime.close()
  const closed = { code: 'UNAVAILABLE', message: /closed/ }
  await t.throwsAsync(images.get('x'), closed)
  await t.throwsAsync(collect(images.list()), closed)
  await t.throwsAsync(collect(content.list()), closed)
  await t.throwsAsync(leases.create({}), closed)
  await t.throwsAsync(content.writer({ ref: 'r' }), closed)
  await t.throwsAsync(collect(runtime.namespaces.list()), closed)
})

test('scope() refuses what is no namespace', async t => {
  const runtime = await openRuntime(t)
  t.throws(() => runtime.scope('a/b'), { code: 'INVALID_ARGUMENT' })
  t.throws(() => runtime.scope(''), { code: 'FAILED_PRECONDITION' })
})

test('scope() keeps namespaces apart', async t => {
  const runtime = await openRuntime(t)
  const [one, two] = [runtime.scope('one'), runtime.scope('two')]
  await using writer = await one.content.writer({ ref: 'r' })
  await writer.write(Buffer.from('x'))
  const digest = await writer.commit()
  t.is((await one.content.info(digest)).size, 1)
  await t.throwsAsync(two.content.info(digest), { code: 'NOT_FOUND' })
})

test('disk.info() has the size of the file, and misses what has no file', async t => {
  const runtime = await openRuntime(t)
  const { content, disk } = runtime.scope()
  await using writer = await content.writer({ ref: 'r' })
  await writer.write(Buffer.from('four'))
  const digest = await writer.commit()
  const file = path.join(runtime.root, 'content/blobs', ...digest.split(':'))
  t.is((await disk.info(digest)).size, 4)
  await fs.chmod(file, 0o600)
  await fs.truncate(file, 2)
  t.is((await disk.info(digest)).size, 2)
  await fs.rm(file)
  await t.throwsAsync(disk.info(digest), { code: 'NOT_FOUND' })
})

test('under() holds what is written by the lease', async t => {
  const runtime = await openRuntime(t)
  const scope = runtime.scope()
  const { id } = await scope.leases.create({})
  await using writer = await scope.under(id).content.writer({ ref: 'r' })
  await writer.write(Buffer.from('x'))
  const digest = await writer.commit()
  t.deepEqual(await collect(scope.leases.resources(id)), [{ type: 'content', id: digest }])
})

test('a namespace can be removed with the records it had', async t => {
  const runtime = await openRuntime(t)
  await runtime.scope('gone').leases.create({})
  await runtime.namespaces.delete('gone')
  t.deepEqual(await collect(runtime.namespaces.list()), [])
})
