import http from 'node:http'
import net from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { defaultHost, type Hosts } from '../../../src/remotes/registry/hosts.ts'
import { proxyFor } from '../../../src/remotes/registry/proxy.ts'
import { startRegistry } from '../../support/registry.ts'
import { collect, quickResolver } from '../../support/resolver.ts'
import { testAuthority } from '../../support/tls.ts'
import type { Teardown } from '../../support/tmp.ts'

const all = { HTTP_PROXY: 'http://plain.test:1', HTTPS_PROXY: 'http://secure.test:2' }

const chooses = test.macro({
  exec(t, url: string, env: NodeJS.ProcessEnv, expected: string | undefined) {
    t.is(proxyFor(new URL(url), env)?.href, expected)
  },
  title: (_, url, env) => `proxyFor() ${url} with ${JSON.stringify(env)}`,
})

const [plain, secure] = ['http://plain.test:1/', 'http://secure.test:2/']

test(chooses, 'https://a.test/', {}, undefined)
test(chooses, 'https://a.test/', all, secure)
test(chooses, 'http://a.test/', all, plain)
test(chooses, 'https://a.test/', { HTTP_PROXY: 'http://plain.test:1' }, undefined)
test(chooses, 'https://a.test/', { HTTPS_PROXY: '', https_proxy: '' }, undefined)
test(chooses, 'https://a.test/', { HTTPS_PROXY: 'secure.test:2' }, secure)
test(chooses, 'https://a.test/', { https_proxy: 'socks5://secure.test:2' }, 'socks5://secure.test:2')
for (const host of ['localhost', 'localhost:5000', '127.0.0.1:5000', '127.9.9.9', '[::1]:5000'])
  test(chooses, `http://${host}/`, all, undefined)
test(chooses, 'http://127.0.0.1.a.test/', all, plain)
const exempt: readonly (readonly [url: string, noProxy: string, proxied: boolean])[] = [
  ['https://a.test/', '*', false],
  ['https://a.test/', 'b.test,a.test', false],
  ['https://a.test/', 'b.test, a.test', false],
  ['https://A.test/', 'a.TEST', false],
  ['https://x.a.test/', 'a.test', false],
  ['https://xa.test/', 'a.test', true],
  ['https://a.test/', '.a.test', true],
  ['https://x.a.test/', '.a.test', false],
  ['https://x.a.test/', '*.a.test', false],
  ['https://a.test/', 'a.test:443', false],
  ['https://a.test:5000/', 'a.test:443', true],
  ['https://a.test:5000/', 'a.test:5000', false],
  ['https://10.1.2.3/', '10.0.0.0/8', false],
  ['https://11.1.2.3/', '10.0.0.0/8', true],
  ['https://10.1.2.3/', '10.0.0.0/99', true],
  ['https://10.a.test/', '10.0.0.0/8', true],
  ['https://10.1.2.3/', '10.1.2.3', false],
  ['https://[fd00::7]/', 'fd00::/8', false],
  ['https://[fd00::7]/', '[fd00::7]', false],
  ['https://a.test/', '', true],
]
for (const [url, NO_PROXY, proxied] of exempt)
  test(chooses, url, { ...all, NO_PROXY }, proxied ? secure : undefined)

test('CVE-2016-5386: in a CGI program HTTP_PROXY is a header of the client, and not taken', t => {
  const url = new URL('http://a.test/')
  t.is(proxyFor(url, { REQUEST_METHOD: 'GET', HTTP_PROXY: 'http://plain.test:1' }), undefined)
  t.is(proxyFor(url, { REQUEST_METHOD: 'GET', http_proxy: 'http://plain.test:1' })?.href, plain)
})

for (const value of ['http://', 'ftp://a.test', 'http://a.test:99999', 'http://user:secret@:x'])
  test(`proxyFor() refuses ${value} and does not tell it`, t => {
    const error = t.throws(() => proxyFor(new URL('https://a.test/'), { HTTPS_PROXY: value }), {
      code: 'INVALID_ARGUMENT',
    })
    t.false(error?.message.includes('secret'))
  })

/** A proxy that writes down what it is asked for, and brings everything to one registry. */
async function startProxy(t: Teardown, registry: string) {
  const asked: string[] = []
  const [, port] = registry.split(':')
  const proxy = http.createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    const { method, headers, url = '' } = request
    const { pathname, search } = new URL(url)
    const path = pathname + search
    const forwarded = http.request({ host: '127.0.0.1', port, method, headers, path }, answer => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    forwarded.on('error', () => response.destroy())
    request.pipe(forwarded)
  })
  proxy.on('connect', (request, socket) => {
    asked.push(`CONNECT ${request.url} ${request.headers['proxy-authorization'] ?? ''}`.trim())
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
  t.teardown(() => {
    proxy.closeAllConnections()
    proxy.close()
  })
  return { asked, address: `127.0.0.1:${(proxy.address() as net.AddressInfo).port}` }
}

function setProxy(t: ExecutionContext, name: string, value: string): void {
  process.env[name] = value
  t.teardown(() => {
    delete process.env[name]
  })
}

test.serial('plain HTTP goes to the proxy of the environment, but not for this machine', async t => {
  const registry = await startRegistry(t)
  const { manifest } = registry.image('a', 'v1')
  const { asked, address } = await startProxy(t, registry.host)
  setProxy(t, 'HTTP_PROXY', `http://${address}`)
  const { resolver } = quickResolver(t, { plainHttp: true })
  t.deepEqual(await resolver.resolve('registry.test:5000/a:v1'), manifest)
  t.deepEqual(asked, ['HEAD http://registry.test:5000/v2/a/manifests/v1'])
  t.deepEqual(await resolver.resolve(`${registry.host}/a:v1`), manifest)
  t.is(asked.length, 1)
})

test.serial('TLS goes through the proxy in a tunnel, by the certificates of its host', async t => {
  const { ca, server, client } = testAuthority
  const tls = { key: server.key, cert: server.cert, ca, requestCert: true, rejectUnauthorized: false }
  const registry = await startRegistry(t, { tls })
  const { manifest } = registry.image('a', 'v1')
  const { asked, address } = await startProxy(t, registry.host)
  setProxy(t, 'HTTPS_PROXY', `http://user:secret@${address}`)
  const hosts: Hosts = async ({ domain }) => [
    { ...defaultHost(domain), connection: { ca: [ca], certificates: [client] } },
  ]
  const { resolver } = quickResolver(t, { hosts })
  t.deepEqual(await resolver.resolve('registry.test/a:v1'), manifest)
  t.deepEqual(asked, ['CONNECT registry.test:443 Basic dXNlcjpzZWNyZXQ='])
  t.is(registry.requests[0]?.peer, 'orlop test client')
  await t.throwsAsync(quickResolver(t).resolver.resolve('registry.test/a:v1'), {
    message: /certificate of registry\.test is not trusted .* \(through the proxy http:\/\/127\.0\.0\.1:\d+;/,
  })
})

test.serial('foreign layers come through the proxy too, but none that is private', async t => {
  const registry = await startRegistry(t)
  const layer = registry.blob('layers', 'one')
  const { asked, address } = await startProxy(t, registry.host)
  setProxy(t, 'HTTP_PROXY', `http://${address}`)
  const { resolver } = quickResolver(t)
  const fetcher = await resolver.fetcher(`${registry.host}/empty`)
  const url = `http://layers.invalid/v2/layers/blobs/${layer.digest}`
  const bytes = await collect(fetcher.read({ ...layer, urls: [url] }))
  t.is(bytes.toString(), 'one')
  t.deepEqual(asked, [`GET ${url}`])
  const inside = { ...layer, urls: [`http://10.0.0.1/v2/layers/blobs/${layer.digest}`] }
  await t.throwsAsync(collect(fetcher.read(inside)), { code: 'PERMISSION_DENIED' })
  t.is(asked.length, 1)
})

test.serial(
  'a proxy that is not there is told apart from the registry, and without its password',
  async t => {
    setProxy(t, 'HTTPS_PROXY', 'http://user:secret@127.0.0.1:1')
    const error = await t.throwsAsync(quickResolver(t).resolver.resolve('registry.test/a:v1'), {
      code: 'UNAVAILABLE',
      message: /through the proxy http:\/\/127\.0\.0\.1:1;/,
    })
    t.false(error?.message.includes('secret'))
  },
)
