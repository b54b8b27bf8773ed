import { once } from 'node:events'
import fs from 'node:fs/promises'
import net from 'node:net'
import path from 'node:path'
import process from 'node:process'
import { setTimeout } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { remoteStore } from '../../src/service/client/store.ts'
import { linesOf } from '../support/cli.ts'
import { cleanEnvironment, orlop, orlopProgram, type Running, start, startOrlop } from '../support/run.ts'
import { startServing } from '../support/serving.ts'
import { startSharing } from '../support/shared.ts'
import { temporaryDirectory } from '../support/tmp.ts'

const newRoot = async (t: ExecutionContext): Promise<string> => path.join(await temporaryDirectory(t), 'root')

/** Resolves with all that came on a stream of a child when it has the text in it. */
const said = async (
  { child, outcome }: Running,
  stream: 'stdout' | 'stderr',
  text: string,
): Promise<string> => {
  let all = ''
  return await Promise.race([
    new Promise<string>(resolve => {
      child[stream]?.on('data', (chunk: Buffer) => {
        all += chunk.toString()
        if (all.includes(text)) resolve(all)
      })
    }),
    outcome.then(({ stdout, stderr }) => Promise.reject(new Error(`ended:\n${stdout}${stderr}`))),
  ])
}

test('orlop serve waits for a command that has the root, and others go on meanwhile', async t => {
  const root = await newRoot(t)
  const { child, isOwner } = await startSharing(t, root)
  t.true(isOwner)
  const service = startOrlop(['serve', '--root', root])
  t.teardown(() => void service.child.kill('SIGKILL'))
  const note = await said(service, 'stderr', '\n')
  t.regex(note, new RegExp(`^orlop: waiting for process ${child.pid} \\(.*\\), which has the store`))
  t.is((await orlop(['--root', root, 'namespaces', 'create', 'a'])).code, 0)
  const serves = said(service, 'stdout', 'serving')
  child.kill('SIGTERM')
  await serves
  t.deepEqual(linesOf(await orlop(['--root', root, 'namespaces', 'list', '-q'])), ['a'])
  service.child.kill('SIGTERM')
  t.is((await service.outcome).code, 0)
})

test('orlop serve that waits ends when it is told to', async t => {
  const root = await newRoot(t)
  await startSharing(t, root)
  const service = startOrlop(['serve', '--root', root])
  await said(service, 'stderr', 'waiting')
  service.child.kill('SIGTERM')
  const { code, stderr } = await service.outcome
  t.is(code, 143)
  t.regex(stderr, /interrupted by SIGTERM\n$/)
})

test('orlop serve --address: commands on the root work beside it, through the socket in the root', async t => {
  const root = await newRoot(t)
  const address = path.join(await temporaryDirectory(t), 'elsewhere.sock')
  const serving = await startServing(t, root, ['--address', address, '--socket-mode', '0660'])
  t.is(serving.address, address)
  t.is((await orlop(['--root', root, 'namespaces', 'create', 'a'])).code, 0)
  t.deepEqual(linesOf(await orlop(['--address', address, 'namespaces', 'list', '-q'])), ['a'])
  const mode = async (file: string): Promise<number> => (await fs.stat(file)).mode & 0o777
  t.deepEqual([await mode(address), await mode(path.join(root, 'orlop.sock'))], [0o660, 0o600])
  t.is(await serving.stop(), 0)
  for (const file of [address, path.join(root, 'orlop.sock')]) {
    await t.throwsAsync(fs.stat(file), { code: 'ENOENT' })
  }
})

/**
 * Starts `orlop serve` as systemd does: with a listening socket as descriptor 3, and its own pid in LISTEN_PID.
 *
 * @param pid  what LISTEN_PID says, in the words of a shell
 */
async function activate(
  t: ExecutionContext,
  root: string,
  env: Readonly<Record<string, string>>,
  pid = '$$',
) {
  const directory = await temporaryDirectory(t)
  const [address, first] = [path.join(directory, 'systemd.sock'), path.join(directory, 'first')]
  const server = net.createServer()
  server.listen(first)
  await once(server, 'listening')
  // Closing takes away the file of the name it was made by; the socket lives on in the child, under the other one.
  await fs.rename(first, address)
  const handle: { readonly fd: number } = Reflect.get(server, '_handle')
  const args = ['-c', `LISTEN_PID=${pid} exec "$@"`, 'sh', process.execPath, orlopProgram]
  const running = start('sh', [...args, 'serve', '--root', root], {
    env: { ...cleanEnvironment, LISTEN_FDS: '1', ...env },
    descriptor: handle.fd,
  })
  server.close()
  t.teardown(async () => {
    running.child.kill('SIGKILL')
    await running.outcome
  })
  return { ...running, address }
}

test('orlop serve takes over the socket of systemd, and says when it is ready', async t => {
  const root = await newRoot(t)
  const bin = await temporaryDirectory(t)
  const notified = path.join(bin, 'notified')
  await fs.writeFile(
    path.join(bin, 'systemd-notify'),
    `#!/bin/sh\necho "$NOTIFY_SOCKET $*" > ${notified}.new\nmv ${notified}.new ${notified}\n`,
    { mode: 0o700 },
  )
  const env = { NOTIFY_SOCKET: '/run/notify', PATH: `${bin}${path.delimiter}${process.env.PATH}` }
  const { child, outcome, address } = await activate(t, root, env)
  await using store = remoteStore(address)
  await store.namespaces.create('a')
  t.deepEqual(linesOf(await orlop(['--root', root, 'namespaces', 'list', '-q'])), ['a'])
  t.is(await textOf(notified), `/run/notify --ready --pid=${child.pid}\n`)
  child.kill('SIGTERM')
  const { code, stdout, stderr } = await outcome
  t.deepEqual([code, stdout, stderr], [0, `serving ${root} on fd 3\n`, ''])
})

const textOf = async (file: string): Promise<string> => {
  for (;;) {
    const text = await fs.readFile(file, 'utf8').catch(() => undefined)
    if (text !== undefined) return text
    await setTimeout(10)
  }
}

test('orlop serve leaves a socket alone that was passed to another process', async t => {
  const root = await newRoot(t)
  const running = await activate(t, root, {}, '1')
  t.is(await said(running, 'stdout', '\n'), `serving ${root} on ${path.join(root, 'orlop.sock')}\n`)
  running.child.kill('SIGTERM')
  t.is((await running.outcome).code, 0)
})

test('orlop serve refuses several sockets', async t => {
  const { outcome } = await activate(t, await newRoot(t), { LISTEN_FDS: '2' })
  const { code, stderr } = await outcome
  t.is(code, 2)
  t.is(stderr, 'orlop: LISTEN_FDS=2: one socket is expected\n')
})
