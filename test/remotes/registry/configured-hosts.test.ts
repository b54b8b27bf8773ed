import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { configuredHosts } from '../../../src/remotes/registry/configured-hosts.ts'
import { credentialFor, firstCredential } from '../../../src/remotes/registry/credentials.ts'
import type { Hosts } from '../../../src/remotes/registry/hosts.ts'
import { withInsecure } from '../../../src/remotes/registry/insecure-hosts.ts'
import { startDockerRegistry } from '../../support/docker-registry.ts'
import { directoryWith } from '../../support/files.ts'
import { image } from '../../support/image.ts'
import { testWith } from '../../support/programs.ts'
import { push } from '../../support/push.ts'
import { absentDigest, startRegistry } from '../../support/registry.ts'
import { status } from '../../support/registry-faults.ts'
import { collect, quickResolver } from '../../support/resolver.ts'
import { testAuthority } from '../../support/tls.ts'

const { ca, server, client } = testAuthority

/** The hosts of a machine with these files: `containers/registries.conf`, `certs/…`, `containerd/…`. */
async function machine(t: ExecutionContext, files: Readonly<Record<string, string>>) {
  const root = await directoryWith(t, files)
  const options = {
    env: { HOME: path.join(root, 'home') },
    systemDirectory: path.join(root, 'containers'),
    certsDirectories: [path.join(root, 'certs')],
    hostsDirectories: [path.join(root, 'containerd')],
  }
  return { root, options, hosts: configuredHosts(options) }
}

const conf = 'containers/registries.conf'
const names = async (hosts: Hosts, domain: string) =>
  (await hosts({ domain, path: 'x', tag: 'v1' })).map(h => h.name)

test('registries.conf decides, else a hosts.toml, else the registry is its own host', async t => {
  const { hosts } = await machine(t, {
    [conf]: '[[registry]]\nlocation = "a.test"\n[[registry.mirror]]\nlocation = "one.test"',
    'containerd/a.test/hosts.toml': '[host."https://two.test"]',
    'containerd/b.test/hosts.toml': '[host."https://two.test"]',
  })
  t.deepEqual(await names(hosts, 'a.test'), ['one.test', 'a.test'])
  t.deepEqual(await names(hosts, 'b.test'), ['two.test', 'b.test'])
  t.deepEqual(await names(hosts, 'c.test'), ['c.test'])
})

test('what is named is the only configuration that counts', async t => {
  const { root, options } = await machine(t, {
    [conf]: '[[registry]]\nlocation = "a.test"\n[[registry.mirror]]\nlocation = "one.test"',
    'other.conf': '[[registry]]\nlocation = "b.test"\n[[registry.mirror]]\nlocation = "three.test"',
    'containerd/b.test/hosts.toml': '[host."https://two.test"]',
    'certs/b.test/ca.crt': ca,
  })
  const directory = path.join(root, 'containerd')
  const byDirectory = configuredHosts({ ...options, hostsDirectory: directory })
  t.deepEqual(await names(byDirectory, 'a.test'), ['a.test'])
  t.deepEqual(await names(byDirectory, 'b.test'), ['two.test', 'b.test'])
  const [, itself] = await byDirectory({ domain: 'b.test' })
  t.is(itself?.connection, undefined)
  const { hostsDirectories: _, ...rest } = options
  const byFile = configuredHosts({ ...rest, registriesConf: path.join(root, 'other.conf') })
  t.deepEqual(await names(byFile, 'a.test'), ['a.test'])
  t.deepEqual(await names(byFile, 'b.test'), ['three.test', 'b.test'])
  await t.throwsAsync(configuredHosts({ hostsDirectory: path.join(root, 'no') })({ domain: 'a.test' }), {
    code: 'NOT_FOUND',
    message: /hosts directory .*\/no: no such directory/,
  })
  await t.throwsAsync(
    configuredHosts({ ...options, registriesConf: path.join(root, 'no') })({ domain: 'a.test' }),
    {
      code: 'NOT_FOUND',
    },
  )
})

test('certificates come from the first certs.d that has a directory for the host, with its port', async t => {
  const { root, options } = await machine(t, {
    'one/a.test:5000/ca.crt': ca,
    'two/a.test:5000/client.cert': client.cert,
    'two/a.test:5000/client.key': client.key,
    'two/a.test/client.cert': client.cert,
    'two/a.test/client.key': client.key,
    'two/lonely.test/client.cert': client.cert,
    'two/keyed.test/client.key': client.key,
    'two/empty.test/readme': '',
  })
  const hosts = configuredHosts({
    ...options,
    certsDirectories: ['one', 'two'].map(name => path.join(root, name)),
  })
  const connection = async (domain: string) => (await hosts({ domain }))[0]?.connection
  t.deepEqual(await connection('a.test:5000'), { ca: [ca] })
  t.deepEqual(await connection('a.test'), { certificates: [client] })
  t.deepEqual(await connection('empty.test'), {})
  t.is(await connection('b.test'), undefined)
  const code = 'FAILED_PRECONDITION'
  await t.throwsAsync(connection('lonely.test'), {
    code,
    message: /client\.cert: client\.key is missing beside it/,
  })
  await t.throwsAsync(connection('keyed.test'), {
    code,
    message: /client\.key: client\.cert is missing beside it/,
  })
})

test('a blocked registry is asked nothing, its mirrors neither', async t => {
  const mirror = await startRegistry(t)
  mirror.image('x', 'v1')
  const { root, hosts } = await machine(t, {
    [conf]: `[[registry]]\nlocation = "a.test/x"\nblocked = true\n[[registry.mirror]]\nlocation = "${mirror.host}/x"`,
  })
  const { resolver } = quickResolver(t, { hosts })
  await t.throwsAsync(resolver.resolve('a.test/x:v1'), {
    code: 'PERMISSION_DENIED',
    message: `registry a.test/x is blocked in ${path.join(root, conf)}`,
  })
  t.deepEqual(mirror.requests, [])
  t.deepEqual(await names(hosts, 'b.test'), ['b.test'])
})

test('a place that is blocked is passed over, and when every one is, so is the registry', async t => {
  const { root, hosts } = await machine(t, {
    [conf]: `
      [[registry]]
      location = "a.test"
      [[registry.mirror]]
      location = "bad.test"
      [[registry.mirror]]
      location = "good.test"
      [[registry]]
      prefix = "b.test"
      location = "bad.test/b"
      [[registry]]
      location = "bad.test"
      blocked = true`,
  })
  t.deepEqual(await names(hosts, 'a.test'), ['good.test', 'a.test'])
  await t.throwsAsync(names(hosts, 'b.test'), {
    code: 'PERMISSION_DENIED',
    message: `registry bad.test is blocked in ${path.join(root, conf)}`,
  })
})

test('a repository is asked for where registries.conf places it, by tag and by digest', async t => {
  const [tags, digests, home] = [await startRegistry(t), await startRegistry(t), await startRegistry(t)]
  const { manifest } = home.image('moved/x', 'v1')
  const { hosts } = await machine(t, {
    [conf]: `[[registry]]
      prefix = "a.test/team"
      location = "${home.host}/moved"
      [[registry.mirror]]
      location = "${tags.host}/t"
      pull-from-mirror = "tag-only"
      [[registry.mirror]]
      location = "${digests.host}/d"
      pull-from-mirror = "digest-only"`,
  })
  const { resolver } = quickResolver(t, { hosts })
  t.deepEqual(await resolver.resolve('a.test/team/x:v1'), manifest)
  t.deepEqual(await resolver.resolve(`a.test/team/x@${manifest.digest}`), manifest)
  const paths = (registry: typeof home) => registry.requests.map(({ path: asked }) => asked)
  t.deepEqual(paths(tags), ['/v2/t/x/manifests/v1'])
  t.is(paths(digests)[0], `/v2/d/x/manifests/${manifest.digest}`)
  t.is(paths(home)[0], '/v2/moved/x/manifests/v1')
})

test('a mirror gets its own credentials, never those of the registry that it mirrors', async t => {
  const auth = { type: 'basic', username: 'me', password: 'of the mirror' } as const
  const mirror = await startRegistry(t, { auth })
  const home = await startRegistry(t)
  const { manifest } = home.image('x', 'v1')
  mirror.image('x', 'v1')
  const { hosts } = await machine(t, {
    [conf]: `[[registry]]\nprefix = "a.test"\nlocation = "${home.host}"\n[[registry.mirror]]\nlocation = "${mirror.host}"`,
  })
  const ofHome = ['a.test', home.host].map(name =>
    credentialFor(name, { username: 'me', password: 'of home' }),
  )
  const { resolver } = quickResolver(t, { hosts, credentials: firstCredential(...ofHome) })
  t.deepEqual(await resolver.resolve('a.test/x:v1'), manifest)
  t.true(mirror.requests.length > 0)
  t.true(mirror.requests.every(({ headers }) => headers.authorization === undefined))
  t.true(home.requests.length > 0)
})

test('an insecure registry may have any certificate, or none; a secure one may not', async t => {
  const tls = await startRegistry(t, { tls: server })
  const { manifest } = tls.image('x', 'v1')
  const [, port] = tls.host.split(':')
  // A name that is this machine and not known for it, so that only the configuration says what is insecure.
  const dispatch = { name: `registry.test:${port}`, address: tls.host }
  const { hosts } = await machine(t, {
    [conf]: `[[registry]]\nlocation = "${dispatch.name}"\ninsecure = true`,
  })
  const found = await hosts({ domain: dispatch.name, path: 'x', tag: 'v1' })
  t.deepEqual(
    found.map(({ schemes, connection }) => ({ schemes, connection })),
    [{ schemes: ['https', 'http'], connection: { skipVerify: true } }],
  )
  const here: Hosts = async (place, abort) =>
    (await hosts(place, abort)).map(host => ({ ...host, address: dispatch.address }))
  const { resolver } = quickResolver(t, { hosts: here })
  t.deepEqual(await resolver.resolve(`${dispatch.name}/x:v1`), manifest)
  const plain = await startRegistry(t)
  plain.image('x', 'v1')
  const there: Hosts = async (place, abort) =>
    (await hosts(place, abort)).map(host => ({ ...host, address: plain.host }))
  t.deepEqual(await quickResolver(t, { hosts: there }).resolver.resolve(`${dispatch.name}/x:v1`), manifest)
})

const secures = test.macro({
  exec: async (
    t,
    list: readonly string[],
    domain: string,
    addresses: readonly string[],
    insecure: boolean,
  ) => {
    const asked: string[] = []
    const lookup = async (name: string) => {
      asked.push(name)
      return addresses
    }
    const hosts = withInsecure(
      configuredHosts({ hostsDirectories: [], systemDirectory: '/none', env: { HOME: '/none' } }),
      list,
      {
        lookup,
      },
    )
    const [host] = await hosts({ domain })
    t.is(host?.connection?.skipVerify ?? false, insecure)
    t.is(host?.schemes.includes('http'), insecure)
    if (addresses.length === 0) t.deepEqual(asked, [])
  },
  title: (_, list: readonly string[], domain: string, addresses: readonly string[]) =>
    `with ${list.join(', ') || 'none'} insecure, ${domain} at ${addresses.join(', ') || 'no address'}`,
})

// CRI-O, isSecureIndex: hosts by their exact name, networks by every address.
test(secures, [], 'a.test', [], false)
test(secures, ['a.test'], 'a.test', [], true)
test(secures, ['a.test'], 'a.test:5000', [], false)
test(secures, ['a.test:5000'], 'a.test:5000', [], true)
test(secures, ['a.test'], 'b.a.test', [], false)
test(secures, ['10.0.0.0/8'], '10.1.2.3:5000', [], true)
test(secures, ['10.0.0.0/8'], '11.1.2.3:5000', [], false)
test(secures, ['10.0.0.0/8'], 'a.test', ['11.0.0.1', '10.1.1.1'], true)
test(secures, ['10.0.0.0/8'], 'a.test', ['11.0.0.1'], false)
test(secures, ['10.0.0.0/8'], 'a.test', ['::ffff:10.1.1.1'], true)
test(secures, ['fd00::/8'], 'a.test', ['fd12::1'], true)
test(secures, ['fd00::/8'], '[fd12::1]:5000', [], true)
test(secures, ['10.0.0.0/99'], '10.1.2.3', [], false)

test('an insecure name that cannot be looked up is secure', async t => {
  const hosts = withInsecure(configuredHosts({ hostsDirectories: [] }), ['10.0.0.0/8'], {
    lookup: async () => [],
  })
  const [host] = await hosts({ domain: 'none.test' })
  t.deepEqual(host?.schemes, ['https'])
})

const debian = testWith('docker-registry')

debian('a pull by registries.conf goes to a mirror over TLS by the certificates in certs.d', async t => {
  const upstream = await startDockerRegistry(t)
  const root = image('linux/amd64', 'one', 'two')
  await push(upstream.url, 'library/a', 'v1', root)
  const mirror = await startDockerRegistry(t, { tls: { ...server, clientCa: ca }, proxyOf: upstream.url })
  const { hosts } = await machine(t, {
    [conf]: `[[registry]]\nprefix = "docker.io"\nlocation = "127.0.0.1:1"\n[[registry.mirror]]\nlocation = "${mirror.host}"`,
    [`certs/${mirror.host}/ca.crt`]: ca,
    [`certs/${mirror.host}/client.cert`]: client.cert,
    [`certs/${mirror.host}/client.key`]: client.key,
  })
  const tlsOnly: Hosts = async (place, abort) =>
    (await hosts(place, abort)).map(host => ({ ...host, schemes: ['https'] }))
  const { resolver } = quickResolver(t, { hosts: tlsOnly })
  t.like(await resolver.resolve('a:v1'), { digest: root.desc.digest })
  const fetcher = await resolver.fetcher('a:v1')
  t.deepEqual(await collect(fetcher.read(root.desc)), Buffer.from(root.bytes))
})

test('a digest that is nowhere is not found, and what the mirror said is not lost', async t => {
  const [mirror, home] = [await startRegistry(t), await startRegistry(t)]
  mirror.always(/./, status(404))
  const { hosts } = await machine(t, {
    [conf]: `[[registry]]\nprefix = "a.test"\nlocation = "${home.host}"\n[[registry.mirror]]\nlocation = "${mirror.host}"`,
  })
  const { resolver } = quickResolver(t, { hosts })
  await t.throwsAsync(resolver.resolve(`a.test/x@${absentDigest}`), { code: 'NOT_FOUND' })
})
