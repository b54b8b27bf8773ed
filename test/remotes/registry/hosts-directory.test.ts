import test, { type ExecutionContext } from 'ava'
import { credentialFor, firstCredential } from '../../../src/remotes/registry/credentials.ts'
import type { Host, Hosts } from '../../../src/remotes/registry/hosts.ts'
import { hostsInDirectory } from '../../../src/remotes/registry/hosts-directory.ts'
import { startDockerRegistry } from '../../support/docker-registry.ts'
import { directoryWith } from '../../support/files.ts'
import { image } from '../../support/image.ts'
import { testWith } from '../../support/programs.ts'
import { push } from '../../support/push.ts'
import { startRegistry } from '../../support/registry.ts'
import { redirect, status } from '../../support/registry-faults.ts'
import { collect, quickResolver } from '../../support/resolver.ts'
import { testAuthority, testCertificate } from '../../support/tls.ts'

const { ca, server, client } = testAuthority

const hostsOf = async (t: ExecutionContext, domain: string, files: Readonly<Record<string, string>>) =>
  hostsInDirectory(await directoryWith(t, files), { domain })

const finds = test.macro({
  exec: async (t, domain: string, names: readonly string[], expected: string | undefined) => {
    const files = names.map(name => [`${name}/hosts.toml`, `server = "https://${names.indexOf(name)}.test"`])
    const hosts = await hostsOf(t, domain, Object.fromEntries(files))
    t.is(hosts?.[0]?.address, expected === undefined ? undefined : `${names.indexOf(expected)}.test`)
  },
  title: (_, domain: string, names: readonly string[]) =>
    `of ${names.join(', ')} the directory for ${domain} is found`,
})

test(finds, 'a.test', ['b.test'], undefined)
test(finds, 'a.test', ['a.test', '_default'], 'a.test')
test(finds, 'a.test', ['b.test', '_default'], '_default')
test(finds, 'a.test:5000', ['a.test', '_default'], '_default')
test(finds, 'a.test:5000', ['a.test:5000', '_default'], 'a.test:5000')
test(finds, 'a.test:5000', ['a.test:5000', 'a.test_5000_'], 'a.test_5000_')

/** What of a host is told from the usual. */
const brief = ({ capabilities, ...host }: Host) => ({ ...host, capabilities: [...capabilities].join(' ') })

test('a hosts.toml names mirrors, and the registry itself comes last', async t => {
  const hosts = await hostsOf(t, 'docker.io', {
    'docker.io/hosts.toml': `
      capabilities = ["pull"]
      [host."http://m.test/cache"]
      capabilities = ["pull"]
      header = { X-Key = "k" }
      [host."https://docker.io"]
    `,
  })
  const hub = { name: 'docker.io', address: 'registry-1.docker.io', schemes: ['https'], path: '/v2' }
  t.deepEqual(hosts?.map(brief), [
    {
      name: 'm.test',
      address: 'm.test',
      schemes: ['http'],
      path: '/cache/v2',
      capabilities: 'pull',
      standsFor: 'docker.io',
      headers: { 'x-key': 'k' },
    },
    { ...hub, capabilities: 'pull resolve push referrers' },
    { ...hub, capabilities: 'pull resolve push referrers' },
  ] as unknown as ReturnType<typeof brief>[])
})

const schemes = test.macro({
  exec: async (t, domain: string, text: string, expected: string) => {
    const hosts = await hostsOf(t, domain, { '_default/hosts.toml': text })
    t.is(hosts?.[0]?.schemes.join(' '), expected)
  },
  title: (_, domain, text, expected) =>
    `${domain} with ${JSON.stringify(text)} is spoken to over ${expected}`,
})

test(schemes, 'a.test', 'server = "a.test"', 'https')
test(schemes, 'a.test', 'server = "http://a.test"', 'http')
test(schemes, 'a.test', 'server = "http://a.test"\nskip_verify = true', 'https http')
test(schemes, 'a.test', 'server = "http://a.test:5000"\nskip_verify = false', 'https http')
test(schemes, 'a.test', 'server = "http://a.test:80"\nskip_verify = true', 'http')
test(schemes, 'a.test', 'skip_verify = true', 'https')
test(schemes, 'localhost:5000', 'capabilities = ["pull"]', 'http https')
test(schemes, 'localhost:5000', 'skip_verify = true', 'https http')

test('a directory without hosts.toml holds certificates, as in certs.d of Docker', async t => {
  const files = { 'a.test/ca.crt': ca, 'a.test/one.cert': client.cert, 'a.test/one.key': client.key }
  const [host] = (await hostsOf(t, 'a.test', files)) ?? []
  t.deepEqual(host?.connection, { ca: [ca], certificates: [client] })
})

test('an empty hosts.toml counts as none, and an empty directory says nothing special', async t => {
  const [host] = (await hostsOf(t, 'a.test', { 'a.test/ca.crt': ca, 'a.test/hosts.toml': '' })) ?? []
  t.deepEqual(host?.connection, { ca: [ca] })
  const [plain] = (await hostsOf(t, 'a.test', { 'a.test/readme': '' })) ?? []
  t.like(plain, { name: 'a.test', schemes: ['https'] })
})

test('a client certificate may hold its key, in every form of hosts.toml', async t => {
  const both = client.key + client.cert
  const files = { 'a.test/both.pem': both, 'a.test/c.cert': client.cert, 'a.test/c.key': client.key }
  for (const value of ['"both.pem"', '["both.pem"]', '[["c.cert", "c.key"]]']) {
    const toml = `client = ${value}\nca = "c.cert"`
    const [host] = (await hostsOf(t, 'a.test', { ...files, 'a.test/hosts.toml': toml })) ?? []
    const pair = value.includes('both') ? { cert: both, key: both } : client
    t.deepEqual(host?.connection, { ca: [client.cert], certificates: [pair] })
  }
})

const refuses = test.macro({
  exec: async (t, toml: string, files: Readonly<Record<string, string>>, code: string, message: RegExp) => {
    const given = Object.entries(files).map(([name, text]) => [`a.test/${name}`, text])
    const all = { ...Object.fromEntries(given), ...(toml && { 'a.test/hosts.toml': toml }) }
    const error = await t.throwsAsync(hostsOf(t, 'a.test', all), { code, message })
    t.false(error?.message.includes('PRIVATE'))
  },
  title: (_, toml: string, files: Readonly<Record<string, string>>) =>
    `refused: ${JSON.stringify(toml)} with ${Object.keys(files).join(', ') || 'nothing'}`,
})

const wrong = 'FAILED_PRECONDITION'
test(refuses, 'server =', { 'ca.crt': ca }, wrong, /a\.test\/hosts\.toml:1:\d+: not TOML/)
test(refuses, 'ca = "none.pem"', {}, 'NOT_FOUND', /a\.test\/none\.pem: no such file/)
test(refuses, 'ca = "a.pem"', { 'a.pem': 'text' }, wrong, /a\.pem: no certificate in PEM/)
test(refuses, 'client = "a.pem"', { 'a.pem': client.cert }, wrong, /a\.pem: no private key in PEM/)
test(refuses, 'client = [["c", "k"]]', { c: client.cert, k: server.key }, wrong, /k: not the key of .*\/c$/)
test(refuses, '', { 'a.cert': client.cert }, wrong, /a\.cert: no private key in PEM/)
test(refuses, '', { 'a.crt': '' }, wrong, /a\.crt: no certificate/)
test(refuses, '', { 'a.cert': testCertificate.key, 'a.key': client.key }, wrong, /a\.cert: no certificate/)

const from =
  (directory: string): Hosts =>
  async (place, options) =>
    (await hostsInDirectory(directory, place, options)) ?? []

const debian = testWith('docker-registry')

debian(
  "a pull through Debian's docker-registry as mirror, over TLS by a hosts.toml, goes to the mirror alone",
  async t => {
    const upstream = await startDockerRegistry(t)
    const root = image('linux/amd64', 'one')
    await push(upstream.url, 'library/a', 'v1', root)
    const mirror = await startDockerRegistry(t, { tls: { ...server, clientCa: ca }, proxyOf: upstream.url })
    const directory = await directoryWith(t, {
      'docker.io/hosts.toml': `
      server = "http://127.0.0.1:1"
      [host."${mirror.url}"]
      ca = "ca.pem"
      client = [["client.cert", "client.key"]]
    `,
      'docker.io/ca.pem': ca,
      'docker.io/client.cert': client.cert,
      'docker.io/client.key': client.key,
    })
    const { resolver } = quickResolver(t, { hosts: from(directory) })
    t.like(await resolver.resolve('a:v1'), { digest: root.desc.digest })
    const fetcher = await resolver.fetcher('a:v1')
    t.deepEqual(await collect(fetcher.read(root.desc)), Buffer.from(root.bytes))
  },
)

test('a mirror that is away, or knows nothing, leaves the word to the registry itself', async t => {
  const home = await startRegistry(t)
  const mirror = await startRegistry(t)
  const { manifest, layers } = home.image('a', 'v1', 'one')
  const directory = await directoryWith(t, {
    '_default/hosts.toml': `server = "http://${home.host}"\n[host."http://127.0.0.1:1"]\n[host."http://${mirror.host}"]`,
  })
  const { resolver } = quickResolver(t, { hosts: from(directory) })
  t.deepEqual(await resolver.resolve('a.test/a:v1'), manifest)
  const fetcher = await resolver.fetcher('a.test/a:v1')
  t.is((await collect(fetcher.read(layers[0] ?? manifest))).toString(), 'one')
  t.true(mirror.requests.length > 0)
  t.true(mirror.requests.every(({ path }) => path.endsWith('?ns=a.test')))
})

test('headers of hosts.toml go to their host alone, and not along with a redirect', async t => {
  const elsewhere = await startRegistry(t)
  const mirror = await startRegistry(t)
  const home = await startRegistry(t)
  const { manifest, layers } = elsewhere.image('a', 'v1', 'one')
  home.image('a', 'v1', 'one')
  mirror.always(/manifests/, status(404))
  mirror.always(/blobs/, redirect(`http://${elsewhere.host}/v2/a/blobs/${layers[0]?.digest}`))
  const directory = await directoryWith(t, {
    '_default/hosts.toml': `server = "http://${home.host}"
      [host."http://${mirror.host}".header]
      Authorization = "Basic c2VjcmV0"
      X-Key = "secret"`,
  })
  const { resolver } = quickResolver(t, { hosts: from(directory) })
  t.deepEqual(await resolver.resolve('a.test/a:v1'), manifest)
  const fetcher = await resolver.fetcher('a.test/a:v1')
  t.is((await collect(fetcher.read(layers[0] ?? manifest))).toString(), 'one')
  t.true(mirror.requests.length > 1)
  for (const { headers } of mirror.requests)
    t.like(headers, { 'x-key': 'secret', authorization: 'Basic c2VjcmV0' })
  t.true(elsewhere.requests.length > 0 && home.requests.length > 0)
  t.false(JSON.stringify([elsewhere.requests, home.requests]).includes('secret'))
  t.false(JSON.stringify([elsewhere.requests, home.requests]).includes('c2VjcmV0'))
})

test('a mirror gets its own credentials and not those of the registry that it stands for', async t => {
  const auth = { type: 'basic', username: 'me', password: 'of the mirror' } as const
  const mirror = await startRegistry(t, { auth })
  const { manifest } = mirror.image('a', 'v1')
  const directory = await directoryWith(t, {
    '_default/hosts.toml': `server = "http://127.0.0.1:1"\n[host."http://${mirror.host}"]`,
  })
  const home = credentialFor('a.test', { username: 'me', password: 'of home' })
  const away = credentialFor(mirror.host, { username: 'me', password: 'of the mirror' })
  const both = quickResolver(t, { hosts: from(directory), credentials: firstCredential(home, away) }).resolver
  t.deepEqual(await both.resolve('a.test/a:v1'), manifest)
  const lone = quickResolver(t, { hosts: from(directory), credentials: home }).resolver
  await t.throwsAsync(lone.resolve('a.test/a:v1'))
  const sent = mirror.requests.map(({ headers }) => headers.authorization ?? '')
  t.false(sent.includes(`Basic ${Buffer.from('me:of home').toString('base64')}`))
})
