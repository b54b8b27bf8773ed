import fs from 'node:fs/promises'
import net from 'node:net'
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js'
import test, { type ExecutionContext } from 'ava'
import { openWriter } from '../../src/content/blob.ts'
import { remoteStore } from '../../src/service/client/store.ts'
import { all, targetOf } from '../support/bytes.ts'
import { openRemote } from '../support/remote.ts'
import { startServing } from '../support/serving.ts'

/** A client without manners: any path, any bytes, no limits. */
function rawClient(t: ExecutionContext, address: string): Client {
  const client = new Client(`unix:${address}`, credentials.createInsecure(), {
    'grpc.max_send_message_length': -1,
    'grpc.max_receive_message_length': -1,
    'grpc.use_local_subchannel_pool': 1,
  })
  t.teardown(() => client.close())
  return client
}

const bytes = (value: Buffer): Buffer => value
const headers = (values: Readonly<Record<string, string>> = { 'containerd-namespace': 'test' }): Metadata => {
  const metadata = new Metadata()
  for (const [name, value] of Object.entries(values)) metadata.set(name, value)
  return metadata
}

const ask = (
  client: Client,
  path: string,
  message: Buffer,
  metadata = headers(),
): Promise<ServiceError | null> =>
  new Promise(resolve => {
    client.makeUnaryRequest(path, bytes, bytes, message, metadata, error => resolve(error))
  })

const content = '/containerd.services.content.v1.Content'

test('a message over 16 MiB is RESOURCE_EXHAUSTED, and the next call is served', async t => {
  const { address } = await openRemote(t)
  const client = rawClient(t, address)
  t.is((await ask(client, `${content}/Info`, Buffer.alloc(17 * 1024 * 1024)))?.code, 8)
  t.is((await ask(client, `${content}/ListStatuses`, Buffer.alloc(0)))?.code, undefined)
})

test('bytes that are no message are refused, and no text of ours gives way', async t => {
  const { address } = await openRemote(t)
  const client = rawClient(t, address)
  for (const wrong of ['\xff\xff\xff\xff', '\x0a\xff\xff\xff\x0f', '\x0a\x02\xc3\x28', '\x0b'.repeat(5000)]) {
    const error = await ask(client, `${content}/Info`, Buffer.from(wrong, 'latin1'))
    t.is(error?.code, 13, JSON.stringify(wrong.slice(0, 20)))
    t.false(/\n|\.js|node_modules/.test(error?.details ?? ''))
  }
  t.is(await ask(client, `${content}/ListStatuses`, Buffer.alloc(0)), null)
})

test('what is not served is UNIMPLEMENTED', async t => {
  const { address } = await openRemote(t)
  const client = rawClient(t, address)
  const paths = [
    `${content}/Nothing`,
    '/containerd.services.diff.v1.Diff/Apply',
    '/containerd.services.snapshots.v1.Snapshots/Prepare',
    '/grpc.health.v1.Health/Watch',
    '/x',
    '/__proto__/constructor',
  ]
  for (const path of paths) t.is((await ask(client, path, Buffer.alloc(0)))?.code, 12, path)
})

const namespaced = [
  `${content}/Info`,
  `${content}/ListStatuses`,
  `${content}/List`,
  '/containerd.services.images.v1.Images/List',
  '/containerd.services.leases.v1.Leases/List',
  '/containerd.services.containers.v1.Containers/List',
  '/containerd.services.transfer.v1.Transfer/Transfer',
  '/containerd.services.events.v1.Events/Publish',
]

for (const path of namespaced) {
  test(`${path} needs a namespace, and one that is an identifier`, async t => {
    const { address } = await openRemote(t)
    const client = rawClient(t, address)
    const none = await ask(client, path, Buffer.alloc(0), headers({}))
    t.is(none?.code, 9)
    t.regex(none?.details ?? '', /namespace is required/)
    for (const bad of ['a b', 'a/b', '../x', 'x'.repeat(77)]) {
      const error = await ask(client, path, Buffer.alloc(0), headers({ 'containerd-namespace': bad }))
      t.is(error?.code, 3, bad)
    }
  })
}

test('the health, version and introspection services need no namespace', async t => {
  const { address } = await openRemote(t)
  const client = rawClient(t, address)
  for (const path of [
    '/grpc.health.v1.Health/Check',
    '/containerd.services.version.v1.Version/Version',
    '/containerd.services.introspection.v1.Introspection/Server',
    '/containerd.services.namespaces.v1.Namespaces/List',
  ]) {
    t.is(await ask(client, path, Buffer.alloc(0), headers({})), null, path)
  }
})

for (const text of [
  'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
  '\0'.repeat(1000),
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nrubbish'.repeat(9),
]) {
  test(`a connection that begins with ${JSON.stringify(text.slice(0, 16))} is closed, others are served`, async t => {
    const { address, store, log } = await openRemote(t)
    const socket = net.connect(address)
    socket.on('error', () => undefined)
    const closed = new Promise<void>(resolve => socket.once('close', () => resolve()))
    socket.write(text)
    socket.resume()
    await closed
    t.deepEqual(await all(store.namespaces.list()), [])
    t.deepEqual(log, [])
  })
}

test('clients that never read keep little waiting, and others are served', async t => {
  const { address, pid } = await startServing(t)
  const store = remoteStore(address)
  t.teardown(() => store[Symbol.asyncDispose]())
  const scope = store.scope('test')
  const blob = Buffer.alloc(64 * 1024 * 1024, 'all work and no play ')
  const lease = await scope.leases.create()
  const writer = await scope.under(lease.id).content.writer({ ref: 'big' })
  await writer.write(blob)
  await writer.commit()
  const before = await residentBytes(pid)
  const client = rawClient(t, address)
  const request = Buffer.concat([Buffer.from([0x0a, 71]), Buffer.from(targetOf(blob).digest)])
  const calls = Array.from({ length: 100 }, () =>
    client.makeServerStreamRequest(`${content}/Read`, bytes, bytes, request, headers()),
  )
  // Each has begun, and is not read on.
  await Promise.all(
    calls.map(call => {
      call.on('error', () => undefined)
      return new Promise<void>(resolve => call.once('metadata', () => resolve()))
    }),
  )
  for (let turn = 0; turn < 50; turn++) await all(scope.content.list())
  const grown = (await residentBytes(pid)) - before
  t.true(grown < 300 * 1024 * 1024, `${Math.round(grown / 1024 / 1024)} MiB more for 6400 MiB that wait`)
  for (const call of calls) call.cancel()
  t.is((await scope.content.info(targetOf(blob).digest)).size, blob.byteLength)
})

const residentBytes = async (pid: number): Promise<number> => {
  const [, kilobytes = '0'] = /VmRSS:\s+(\d+)/.exec(await fs.readFile(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kilobytes) * 1024
}

test('1,000 streams that stay open leave room for other clients', async t => {
  const { address, store } = await openRemote(t)
  const client = rawClient(t, address)
  const open = (path: string) =>
    client.makeServerStreamRequest(path, bytes, bytes, Buffer.alloc(0), headers())
  const calls = Array.from({ length: 1000 }, () => open('/containerd.services.events.v1.Events/Subscribe'))
  for (const call of calls) call.on('error', () => undefined)
  let heard = 0
  for (const call of calls) call.once('data', () => heard++)
  // Nothing tells when a subscription has begun, so events go on until each has had one.
  let created = 0
  while (heard < calls.length && created < 10_000) await store.namespaces.create(`n${created++}`)
  t.is(heard, calls.length)
  t.is((await all(store.namespaces.list())).length, created)
  for (const call of calls) call.cancel()
})

test('a Write that never ends holds its ref alone, until its client has gone', async t => {
  const { address, store } = await openRemote(t)
  const idle = remoteStore(address)
  const writer = await idle.scope('test').content.writer({ ref: 'r' })
  await writer.write(Buffer.from('half'))
  const { content } = store.scope('test')
  await t.throwsAsync(content.writer({ ref: 'r' }), { code: 'UNAVAILABLE' })
  await using other = await content.writer({ ref: 'other' })
  t.is(other.offset, 0)
  await idle[Symbol.asyncDispose]()
  await using again = await openWriter(content, { ref: 'r' })
  t.is(again.offset, 4)
})
