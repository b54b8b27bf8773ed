import crypto from 'node:crypto'
import test from 'ava'
import { readBlob } from '../../../src/content/blob.ts'
import { cached } from '../../../src/content/cache.ts'
import { MemoryStore } from '../../../src/content/memory-store.ts'
import { children } from '../../../src/handlers/children.ts'
import type { Descriptor } from '../../../src/oci/descriptor.ts'
import { isManifest } from '../../../src/oci/media-type.ts'
import { copyGraph } from '../../../src/remotes/copy.ts'
import { credentialFor } from '../../../src/remotes/registry/credentials.ts'
import { defaultHost, type Host, type Hosts } from '../../../src/remotes/registry/hosts.ts'
import { registryUser, startDockerRegistry } from '../../support/docker-registry.ts'
import { flat, image } from '../../support/image.ts'
import { testWith } from '../../support/programs.ts'
import { absentDigest, startRegistry } from '../../support/registry.ts'
import { dropAfter, status } from '../../support/registry-faults.ts'
import { collect, quickResolver } from '../../support/resolver.ts'
import { testCertificate } from '../../support/tls.ts'

const bytes = crypto.randomBytes(200_000)

test('RegistryResolver speaks TLS to a registry that does, when its certificate is trusted', async t => {
  const registry = await startRegistry(t, { tls: testCertificate })
  const { manifest } = registry.image('a', 'v1')
  const { resolver } = quickResolver(t, { ca: testCertificate.cert })
  t.deepEqual(await resolver.resolve(`${registry.host}/a:v1`), manifest)
})

test('RegistryResolver does not check certificates when told so', async t => {
  const registry = await startRegistry(t, { tls: testCertificate })
  const { manifest } = registry.image('a', 'v1')
  const { resolver } = quickResolver(t, { skipVerify: true })
  t.deepEqual(await resolver.resolve(`${registry.host}/a:v1`), manifest)
})

test('RegistryResolver refuses a certificate that is not trusted, at once and in words', async t => {
  const registry = await startRegistry(t, { tls: testCertificate })
  const hosts: Hosts = async ({ domain }) => [{ ...defaultHost(domain), schemes: ['https'] }]
  const { resolver, waits } = quickResolver(t, { hosts })
  await t.throwsAsync(resolver.resolve(`${registry.host}/a:v1`), {
    code: 'UNAVAILABLE',
    message: /certificate of 127\.0\.0\.1:\d+ is not trusted \(DEPTH_ZERO_SELF_SIGNED_CERT\)/,
  })
  t.deepEqual(waits, [])
  t.deepEqual(registry.requests, [])
})

test('RegistryResolver asked for TLS says that a registry of plain HTTP speaks none', async t => {
  const registry = await startRegistry(t)
  const hosts: Hosts = async ({ domain }) => [{ ...defaultHost(domain), schemes: ['https'] }]
  const { resolver } = quickResolver(t, { hosts })
  await t.throwsAsync(resolver.resolve(`${registry.host}/a:v1`), {
    message: /does not speak TLS.*--plain-http/,
  })
})

test('RegistryResolver finds out once what a registry on this machine speaks', async t => {
  const registry = await startRegistry(t)
  registry.image('a', 'v1')
  const hosts: Hosts = async ({ domain }) => [{ ...defaultHost(domain), schemes: ['https', 'http'] }]
  const { resolver } = quickResolver(t, { hosts })
  await resolver.resolve(`${registry.host}/a:v1`)
  await resolver.resolve(`${registry.host}/a:v1`)
  t.is(registry.requests.length, 2)
})

/** A registry of which `first` is a mirror. */
const mirrored =
  (first: string, last: string, capabilities: Host['capabilities'] = new Set(['pull', 'resolve'])) =>
  async (): Promise<readonly Host[]> =>
    [first, last].map((address, at) => ({
      name: at === 0 ? address : 'a.test',
      address,
      schemes: ['http'],
      path: '/v2',
      capabilities: at === 0 ? capabilities : new Set(['pull', 'resolve']),
    }))

test('RegistryResolver asks a mirror first, and the registry when the mirror fails', async t => {
  const mirror = await startRegistry(t)
  const home = await startRegistry(t)
  const { manifest, layers } = home.image('a/b', 'v1', bytes)
  const { resolver } = quickResolver(t, { hosts: mirrored(mirror.host, home.host) })
  t.deepEqual(await resolver.resolve('a.test/a/b:v1'), manifest)
  t.is(mirror.requests.length, 1)
  mirror.image('a/b', 'v1', bytes)
  mirror.next(/blobs/, dropAfter(70_000), status(403))
  const fetcher = await resolver.fetcher('a.test/a/b:v1')
  t.deepEqual(await collect(fetcher.read(layers[0] ?? manifest)), bytes)
  t.deepEqual(
    home.seen(/blobs/).map(({ headers }) => headers.range),
    ['bytes=70000-'],
  )
})

test('RegistryResolver does not ask a mirror for what it is not for', async t => {
  const mirror = await startRegistry(t)
  const home = await startRegistry(t)
  const { manifest } = home.image('a/b', 'v1')
  mirror.put('a/b', 'v1', { stale: true })
  const { resolver } = quickResolver(t, { hosts: mirrored(mirror.host, home.host, new Set(['pull'])) })
  t.deepEqual(await resolver.resolve('a.test/a/b:v1'), manifest)
  t.deepEqual(mirror.requests, [])
})

test('RegistryResolver tells the failure that says more', async t => {
  const mirror = await startRegistry(t)
  const home = await startRegistry(t)
  mirror.always(/./, status(403))
  const { resolver } = quickResolver(t, { hosts: mirrored(mirror.host, home.host) })
  await t.throwsAsync(resolver.resolve('a.test/a/b:v1'), {
    code: 'PERMISSION_DENIED',
    message: /denies access .* \(other hosts of the image failed too: a\.test\/a\/b:v1: not found at a\.test/,
  })
})

test('RegistryResolver without any host for a registry says so', async t => {
  const { resolver } = quickResolver(t, { hosts: async () => [] })
  await t.throwsAsync(resolver.resolve('a.test/a/b:v1'), {
    code: 'FAILED_PRECONDITION',
    message: /no host is configured/,
  })
  await t.throwsAsync(resolver.fetcher('a.test/a/b:v1'), { code: 'FAILED_PRECONDITION' })
})

test('resolve() wants a tag or a digest', async t => {
  const { resolver } = quickResolver(t)
  await t.throwsAsync(resolver.resolve('a.test/a/b'), { code: 'INVALID_ARGUMENT', message: /tag or digest/ })
})

test('resolve() tells when it starts and what it found', async t => {
  const registry = await startRegistry(t)
  const { manifest: target } = registry.image('a', 'v1')
  const events: unknown[] = []
  const { resolver } = quickResolver(t, { onProgress: event => events.push(event) })
  const reference = `${registry.host}/a:v1`
  await resolver.resolve(reference)
  t.deepEqual(events, [
    { type: 'resolving', reference },
    { type: 'resolved', reference, target },
  ])
})

const debian = testWith('docker-registry')

for (const auth of ['open', 'basic'] as const) {
  debian(`RegistryResolver pulls from Debian's docker-registry, ${auth}`, async t => {
    const { host, url } = await startDockerRegistry(t, { auth })
    const { name: username, password } = registryUser
    const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
    const root = image('linux/amd64', 'one', 'two')
    for (const { desc, bytes: content } of flat(root).toReversed())
      await put(url, desc, content, authorization)
    const { resolver } = quickResolver(t, { credentials: credentialFor(host, { username, password }) })
    const reference = `${host}/a/b:v1`
    t.like(await resolver.resolve(reference), { digest: root.desc.digest, size: root.desc.size })
    const from = cached(await resolver.fetcher(reference))
    const store = new MemoryStore()
    await copyGraph(from, store, root.desc, children(from))
    for (const { desc, bytes: content } of flat(root))
      t.deepEqual(Buffer.from(await readBlob(store, desc)), Buffer.from(content))
    await t.throwsAsync(resolver.resolve(`${host}/a/b:gone`), { code: 'NOT_FOUND' })
    if (auth === 'open') return
    const nobody = quickResolver(t).resolver
    await t.throwsAsync(nobody.resolve(reference), {
      code: 'UNAUTHENTICATED',
      message: /no credentials for host/,
    })
    const wrong = credentialFor(host, { username, password: 'hunter2' })
    await t.throwsAsync(quickResolver(t, { credentials: wrong }).resolver.resolve(reference), {
      code: 'UNAUTHENTICATED',
      message: /refused the credentials/,
    })
  })
}

/** Uploads one blob or manifest of `a/b`; the manifest gets the tag v1. */
async function put(
  url: string,
  { digest, mediaType }: Descriptor,
  bytes: Uint8Array,
  authorization: string,
): Promise<void> {
  const headers = { authorization, 'content-type': mediaType }
  const body = Buffer.from(bytes)
  if (isManifest({ mediaType })) {
    const { status: code } = await fetch(`${url}/v2/a/b/manifests/v1`, { method: 'PUT', headers, body })
    if (code !== 201) throw new Error(`the manifest was answered with ${code}`)
    return
  }
  const session = await fetch(`${url}/v2/a/b/blobs/uploads/`, { method: 'POST', headers })
  const location = new URL(session.headers.get('location') ?? '', url)
  location.searchParams.set('digest', digest)
  await fetch(location, {
    method: 'PUT',
    headers: { ...headers, 'content-type': 'application/octet-stream' },
    body,
  })
}

test('RegistryResolver asks an endpoint by the name that the repository has there, and says whom it stands for', async t => {
  const mirror = await startRegistry(t)
  const { manifest, layers } = mirror.image('cache/a', 'v1', bytes)
  const hosts: Hosts = async () => [
    { ...defaultHost(mirror.host), repository: 'cache/a', standsFor: 'a.test', headers: { 'x-site': 'one' } },
  ]
  const { resolver } = quickResolver(t, { hosts })
  t.deepEqual(await resolver.resolve('a.test/a:v1'), manifest)
  const fetcher = await resolver.fetcher('a.test/a:v1')
  t.deepEqual(await collect(fetcher.read(layers[0] ?? manifest)), bytes)
  t.deepEqual(
    mirror.requests.map(({ path, headers }) => [path, headers['x-site']]),
    [
      ['/v2/cache/a/manifests/v1?ns=a.test', 'one'],
      [`/v2/cache/a/blobs/${layers[0]?.digest}?ns=a.test`, 'one'],
    ],
  )
})

test('RegistryResolver hands its hosts the whole reference', async t => {
  const places: unknown[] = []
  const { resolver } = quickResolver(t, {
    hosts: async place => {
      places.push(place)
      return []
    },
  })
  await t.throwsAsync(resolver.resolve(`a.test/b:v1@${absentDigest}`))
  t.deepEqual(places, [{ domain: 'a.test', path: 'b', tag: 'v1', digest: absentDigest }])
})
