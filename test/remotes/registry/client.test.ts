import http from 'node:http'
import net from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { Agent } from 'undici'
import { HttpClient } from '../../../src/remotes/registry/client.ts'
import { type Fault, startRegistry } from '../../support/registry.ts'
import { endless, silence, stallAfter, status } from '../../support/registry-faults.ts'
import { collect, quickResolver } from '../../support/resolver.ts'

/** A server whose open connections can be waited for. */
async function withFault(t: ExecutionContext, fault: Fault) {
  const registry = await startRegistry(t)
  const target = registry.blob('a', Buffer.alloc(1_000_000))
  const sockets = new Set<net.Socket>()
  let closed: () => void = () => {}
  const gone = new Promise<void>(resolve => (closed = resolve))
  registry.always(/./, exchange => {
    const { socket } = exchange.request
    sockets.add(socket)
    socket.once('close', closed)
    fault(exchange)
  })
  const { resolver } = quickResolver(t)
  return { registry, target, resolver, gone, fetcher: await resolver.fetcher(`${registry.host}/a`) }
}

const aborts = test.macro({
  exec: async (t, fault: Fault) => {
    const { fetcher, target, gone, registry } = await withFault(t, fault)
    const stop = new AbortController()
    const reason = new Error('enough')
    const reading = (async () => {
      for await (const _ of fetcher.read(target, { signal: stop.signal }))
        if (fault !== silence) stop.abort(reason)
    })()
    if (fault === silence) {
      while (registry.requests.length === 0) await new Promise(resolve => setImmediate(resolve))
      stop.abort(reason)
    }
    t.is(await t.throwsAsync(reading), reason)
    await gone
  },
  title: title => `an abort frees the socket ${title}`,
})

test('of a body that stalls', aborts, stallAfter(100_000))
test('of a body that never ends', aborts, endless)
test('of a server that never answers', aborts, silence)

test('an abort while waiting for the next try returns with its reason', async t => {
  const registry = await startRegistry(t)
  registry.always(/./, status(503, { 'retry-after': '100' }))
  const stop = new AbortController()
  const reason = new Error('enough')
  const { resolver } = quickResolver(t, {
    onProgress: ({ type }) => type === 'retry' && setImmediate(() => stop.abort(reason)),
    retry: {
      sleep: (_, { signal }) =>
        new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new Error('other')))),
    },
  })
  t.is(await t.throwsAsync(resolver.resolve(`${registry.host}/a:b`, { signal: stop.signal })), reason)
})

test('a signal that fired already sends nothing', async t => {
  const registry = await startRegistry(t)
  const { resolver } = quickResolver(t)
  const reason = new Error('enough')
  t.is(
    await t.throwsAsync(resolver.resolve(`${registry.host}/a:b`, { signal: AbortSignal.abort(reason) })),
    reason,
  )
  t.deepEqual(registry.requests, [])
})

test('leaving the loop frees the socket', async t => {
  const { fetcher, target, gone } = await withFault(t, stallAfter(100_000))
  for await (const _ of fetcher.read(target)) break
  await gone
  t.pass()
})

test('close() drops connections in use, and what is under way fails', async t => {
  const { fetcher, target, gone, resolver } = await withFault(t, stallAfter(100_000))
  const reading = fetcher.read(target)[Symbol.asyncIterator]()
  await reading.next()
  await resolver.close()
  await gone
  await t.throwsAsync(reading.next())
})

test('a client can be used again after close()', async t => {
  const registry = await startRegistry(t)
  const target = registry.blob('a', 'bytes')
  const { resolver } = quickResolver(t)
  for (let round = 0; round < 2; round++) {
    t.is(String(await collect((await resolver.fetcher(`${registry.host}/a`)).read(target))), 'bytes')
    await resolver.close()
  }
})

test('responses that are refused give their connection back', async t => {
  const registry = await startRegistry(t)
  const { resolver } = quickResolver(t)
  const ports = new Set<number | undefined>()
  registry.always(/./, exchange => {
    ports.add(exchange.request.socket.remotePort)
    status(404, {}, '{"errors":[]}')(exchange)
  })
  for (let round = 0; round < 5; round++)
    await t.throwsAsync(resolver.resolve(`${registry.host}/a:b`), { code: 'NOT_FOUND' })
  t.true(ports.size <= 2, `${ports.size} connections`)
})

test('HttpClient gives up on headers that do not come', async t => {
  const registry = await startRegistry(t)
  registry.always(/./, silence)
  await using client = new HttpClient({ timeouts: { headersMs: 50 } })
  await t.throwsAsync(client.send({ method: 'GET', url: new URL(`http://${registry.host}/`) }), {
    code: 'UNAVAILABLE',
    message: /never answered/,
  })
})

test('HttpClient says that a host refuses connections, and where', async t => {
  const server = net.createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as net.AddressInfo
  await new Promise(resolve => server.close(resolve))
  const { resolver, waits } = quickResolver(t)
  await t.throwsAsync(resolver.resolve(`127.0.0.1:${port}/a:b`), {
    code: 'UNAVAILABLE',
    message: new RegExp(`127.0.0.1:${port} refuses connections`),
  })
  t.is(waits.length, 2)
})

test('HttpClient says that a host is unknown after a few quick tries', async t => {
  const { resolver, waits } = quickResolver(t)
  const error = await t.throwsAsync(resolver.resolve('no-such-host.invalid/a:b'), { code: 'UNAVAILABLE' })
  t.regex(error?.message ?? '', /host no-such-host\.invalid is unknown|name server did not answer/)
  t.true(waits.length <= 4)
})

test('HttpClient sends through a dispatcher that it is given, and leaves it open', async t => {
  const registry = await startRegistry(t)
  const target = registry.blob('a', 'bytes')
  const dispatcher = new Agent()
  t.teardown(() => dispatcher.destroy())
  const { resolver } = quickResolver(t, { dispatcher, userAgent: 'mine/1' })
  const fetcher = await resolver.fetcher(`${registry.host}/a`)
  t.is(String(await collect(fetcher.read(target))), 'bytes')
  await resolver.close()
  t.false(dispatcher.closed)
  t.is(registry.requests[0]?.headers['user-agent'], 'mine/1')
})

test('HttpClient never sends user and password of a URL', async t => {
  const registry = await startRegistry(t)
  await using client = new HttpClient()
  const response = await client.send({
    method: 'GET',
    url: new URL(`http://user:hunter2@${registry.host}/v2/`),
  })
  await response.body.dump()
  t.false(JSON.stringify(registry.requests).includes('hunter2'))
  t.is(registry.requests[0]?.headers.authorization, undefined)
})

test('a server that does not speak HTTP is UNAVAILABLE', async t => {
  const server = net
    .createServer(socket => socket.on('error', () => {}).end('SSH-2.0-OpenSSH\r\n'))
    .listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  t.teardown(() => void server.close())
  const { resolver } = quickResolver(t, { plainHttp: true })
  const { port } = server.address() as net.AddressInfo
  await t.throwsAsync(resolver.resolve(`127.0.0.1:${port}/a:b`), { code: 'UNAVAILABLE' })
})

test('a registry on this machine that says it speaks TLS is asked so', async t => {
  const seen: string[] = []
  const server = http.createServer((_, response) => {
    response.writeHead(400).end('Client sent an HTTP request to an HTTPS server.')
  })
  server.on('clientError', (error, socket) => {
    seen.push(String(Reflect.get(error, 'code')))
    socket.destroy()
  })
  server.listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  t.teardown(() => void server.close())
  const { port } = server.address() as net.AddressInfo
  const { resolver } = quickResolver(t)
  await t.throwsAsync(resolver.resolve(`127.0.0.1:${port}/a:b`))
  // The bytes of a TLS hello are no request.
  t.true(seen.length > 0)
})
