import http from 'node:http'
import net from 'node:net'
import test from 'ava'
import { startRegistry } from '../../support/registry.ts'
import { quickResolver } from '../../support/resolver.ts'

test('a proxy of the environment is used, but not for this machine', async t => {
  const registry = await startRegistry(t)
  const { manifest } = registry.image('a', 'v1')
  const asked: string[] = []
  const proxy = http.createServer()
  proxy.on('connect', (request, socket) => {
    asked.push(request.url ?? '')
    const [, port] = registry.host.split(':')
    const through = net.connect(Number(port), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      through.pipe(socket).pipe(through)
    })
    through.on('error', () => socket.destroy())
    socket.on('error', () => through.destroy())
    t.teardown(() => void through.destroy())
  })
  proxy.listen(0, '127.0.0.1')
  await new Promise(resolve => proxy.once('listening', resolve))
  t.teardown(() => void proxy.close())
  process.env.HTTP_PROXY = `http://127.0.0.1:${(proxy.address() as net.AddressInfo).port}`
  t.teardown(() => {
    delete process.env.HTTP_PROXY
  })
  const { resolver } = quickResolver(t, { plainHttp: true })
  t.deepEqual(await resolver.resolve('registry.test:5000/a:v1'), manifest)
  t.deepEqual(asked, ['registry.test:5000'])
  t.deepEqual(await resolver.resolve(`${registry.host}/a:v1`), manifest)
  t.is(asked.length, 1)
})
