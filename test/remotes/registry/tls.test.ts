import test from 'ava'
import { readBlob } from '../../../src/content/blob.ts'
import { MemoryStore } from '../../../src/content/memory-store.ts'
import { children } from '../../../src/handlers/children.ts'
import { copyGraph } from '../../../src/remotes/copy.ts'
import type { Connection } from '../../../src/remotes/registry/connection.ts'
import { defaultHost, type Hosts } from '../../../src/remotes/registry/hosts.ts'
import { secureContext } from '../../../src/remotes/registry/tls.ts'
import { startDockerRegistry } from '../../support/docker-registry.ts'
import { flat, image } from '../../support/image.ts'
import { testWith } from '../../support/programs.ts'
import { push } from '../../support/push.ts'
import { startRegistry } from '../../support/registry.ts'
import { redirect } from '../../support/registry-faults.ts'
import { quickResolver } from '../../support/resolver.ts'
import { testAuthority, testCertificate } from '../../support/tls.ts'

const debian = testWith('docker-registry')
const { ca, server, client } = testAuthority

/** Each registry over TLS and nothing else, connected to in one way. */
const over =
  (connection: Connection): Hosts =>
  async ({ domain }) => [{ ...defaultHost(domain), schemes: ['https'], connection }]

debian("RegistryResolver pulls from Debian's docker-registry over TLS, by its own authority", async t => {
  const { host, url } = await startDockerRegistry(t, { tls: server })
  const root = image('linux/amd64', 'one', 'two')
  await push(url, 'a/b', 'v1', root, { ca })
  const { resolver } = quickResolver(t, { hosts: over({ ca: [ca] }) })
  const reference = `${host}/a/b:v1`
  t.like(await resolver.resolve(reference), { digest: root.desc.digest })
  const from = await resolver.fetcher(reference)
  const store = new MemoryStore()
  await copyGraph(from, store, root.desc, children(from))
  for (const { desc, bytes } of flat(root))
    t.deepEqual(Buffer.from(await readBlob(store, desc)), Buffer.from(bytes))
  await t.throwsAsync(quickResolver(t, { hosts: over({}) }).resolver.resolve(reference), {
    code: 'UNAVAILABLE',
    message: /certificate of 127\.0\.0\.1:\d+ is not trusted .*--tlscacert/,
  })
  const unchecked = quickResolver(t, { hosts: over({ skipVerify: true }) }).resolver
  t.like(await unchecked.resolve(reference), { digest: root.desc.digest })
})

debian("RegistryResolver shows Debian's docker-registry its client certificate", async t => {
  const { host, url } = await startDockerRegistry(t, { tls: { ...server, clientCa: ca } })
  const root = image('linux/amd64', 'one')
  await push(url, 'a/b', 'v1', root, { ca, ...client })
  const reference = `${host}/a/b:v1`
  const known = quickResolver(t, { hosts: over({ ca: [ca], certificates: [client] }) }).resolver
  t.like(await known.resolve(reference), { digest: root.desc.digest })
  await t.throwsAsync(quickResolver(t, { hosts: over({ ca: [ca] }) }).resolver.resolve(reference), {
    code: 'UNAVAILABLE',
    message: /does it want a client certificate \(--tlscert, --tlskey\)/,
  })
})

test('a redirect to another origin is followed by the same trust and without the client certificate', async t => {
  const options = { key: server.key, cert: server.cert, ca, requestCert: true, rejectUnauthorized: false }
  const elsewhere = await startRegistry(t, { tls: options })
  const registry = await startRegistry(t, { tls: options })
  const { manifest } = elsewhere.image('a', 'v1')
  registry.next(/manifests/, redirect(`https://${elsewhere.host}/v2/a/manifests/v1`))
  const { resolver } = quickResolver(t, { hosts: over({ ca: [ca], certificates: [client] }) })
  t.deepEqual(await resolver.resolve(`${registry.host}/a:v1`), manifest)
  t.deepEqual(
    [registry, elsewhere].map(({ requests }) => requests.map(({ peer }) => peer)),
    [['orlop test client'], [undefined]],
  )
})

test('connections by different certificates are not shared', async t => {
  const options = { key: server.key, cert: server.cert, ca, requestCert: true, rejectUnauthorized: false }
  const registry = await startRegistry(t, { tls: options })
  registry.image('a', 'v1')
  registry.image('b', 'v1')
  const hosts: Hosts = async ({ domain, path }) => {
    const connection = { ca: [ca], ...(path === 'a' && { certificates: [client] }) }
    return [{ ...defaultHost(domain), schemes: ['https'], connection }]
  }
  const { resolver } = quickResolver(t, { hosts })
  for (const name of ['a', 'b', 'a']) await resolver.resolve(`${registry.host}/${name}:v1`)
  t.deepEqual(
    registry.requests.map(({ peer }) => peer),
    ['orlop test client', undefined, 'orlop test client'],
  )
})

test('secureContext() refuses what is no certificate, and a key that does not fit, without telling it', async t => {
  const wrong = [
    { cert: 'none', key: client.key },
    { cert: client.cert, key: testCertificate.key },
  ]
  for (const one of wrong) {
    const error = await t.throwsAsync(secureContext({ certificates: [one] }), { code: 'INVALID_ARGUMENT' })
    t.false(error?.message.includes('PRIVATE'))
  }
})
