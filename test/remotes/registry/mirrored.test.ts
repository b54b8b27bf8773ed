import test, { type ExecutionContext } from 'ava'
import type { Host } from '../../../src/remotes/registry/hosts.ts'
import { absentDigest, type Fault, startRegistry } from '../../support/registry.ts'
import { chunked, endless, headers, status } from '../../support/registry-faults.ts'
import { quickResolver } from '../../support/resolver.ts'

async function withImage(t: ExecutionContext) {
  const registry = await startRegistry(t)
  const { manifest, config, layers } = registry.image('a', 'v1', 'a layer')
  const { resolver } = quickResolver(t)
  const repository = await resolver.repository(`${registry.host}/a`)
  return { registry, repository, manifest, config, layer: layers[0] ?? manifest }
}

test('has() tells of blobs and manifests by one HEAD each', async t => {
  const { registry, repository, manifest, layer } = await withImage(t)
  for (const target of [manifest, layer]) {
    t.true(await repository.has(target))
    t.false(await repository.has({ ...target, digest: absentDigest }))
  }
  t.deepEqual(
    registry.requests.map(({ method, path }) => `${method} ${path.split('/')[3]}`),
    ['HEAD manifests', 'HEAD manifests', 'HEAD blobs', 'HEAD blobs'],
  )
})

test('has() of a manifest asks by GET where there is no HEAD', async t => {
  const { registry, repository, manifest } = await withImage(t)
  registry.always(/^HEAD/, status(405))
  registry.next(/^GET/, endless)
  t.true(await repository.has(manifest))
  t.false(await repository.has({ ...manifest, digest: absentDigest }))
})

const unknown = test.macro({
  exec: async (t, fault: Fault, code: string) => {
    const { registry, repository, manifest, layer } = await withImage(t)
    registry.always(/./, fault)
    for (const target of [manifest, layer]) await t.throwsAsync(repository.has(target), { code })
  },
  title: title => `has() does not take ${title} for an answer`,
})

test('a denial', unknown, status(403), 'PERMISSION_DENIED')
test('a 401', unknown, status(401), 'UNAUTHENTICATED')
test('a failure', unknown, status(500), 'UNAVAILABLE')

test('manifest() gives bytes and descriptor with one GET', async t => {
  const { registry, repository, manifest } = await withImage(t)
  const { target, bytes } = await repository.manifest('v1')
  t.deepEqual(target, manifest)
  t.is(bytes.byteLength, manifest.size)
  t.deepEqual(
    registry.requests.map(({ method }) => method),
    ['GET'],
  )
})

test('manifest() of a tag refuses bytes that are not what the registry says they are', async t => {
  const { registry, repository } = await withImage(t)
  registry.always(/^GET/, headers({ 'docker-content-digest': absentDigest }))
  await t.throwsAsync(repository.manifest('v1'), { code: 'DATA_LOSS', message: /expected sha256:.* instead/ })
})

test('manifest() passes over a digest header that is none', async t => {
  const { registry, repository, manifest } = await withImage(t)
  registry.always(/^GET/, headers({ 'docker-content-digest': 'md5:abc' }))
  t.deepEqual((await repository.manifest('v1')).target, manifest)
  registry.heal()
  registry.always(/^GET/, chunked())
  t.deepEqual((await repository.manifest('v1')).target, manifest)
})

/** Two hosts, of which the first may do what `first` says. */
async function withMirror(t: ExecutionContext, first: Host['capabilities']) {
  const [mirror, home] = [await startRegistry(t), await startRegistry(t)]
  const hosts = async (): Promise<readonly Host[]> =>
    [mirror, home].map(({ host: address }, at) => ({
      name: address,
      address,
      schemes: ['http'],
      path: '/v2',
      capabilities: at === 0 ? first : new Set(['pull', 'resolve', 'referrers']),
    }))
  const { resolver } = quickResolver(t, { hosts })
  return { mirror, home, repository: await resolver.repository('a.test/a') }
}

test('has() asks the next host for what a mirror lacks, and does not take its failure for an answer', async t => {
  const { mirror, home, repository } = await withMirror(t, new Set(['pull', 'resolve']))
  const target = home.blob('a', 'bytes')
  t.true(await repository.has(target))
  mirror.always(/./, status(403))
  t.true(await repository.has(target))
  await t.throwsAsync(repository.has({ ...target, digest: absentDigest }), { code: 'PERMISSION_DENIED' })
})

test('what may be stale is not asked of a mirror that may not resolve', async t => {
  const { mirror, home, repository } = await withMirror(t, new Set(['pull']))
  const { manifest } = home.image('a', 'v1')
  t.deepEqual((await repository.manifest('v1')).target, manifest)
  t.deepEqual(await repository.resolve('v1'), manifest)
  for await (const tag of repository.tags()) t.is(tag, 'v1')
  for await (const _ of repository.referrers(manifest.digest)) t.fail()
  t.deepEqual(mirror.requests, [])
  await repository.manifest(manifest.digest)
  t.is(mirror.requests.length, 1)
})

test('a repository that no host may resolve in says so', async t => {
  const only = async (): Promise<readonly Host[]> => [
    { name: 'm.test', address: 'm.test', schemes: ['http'], path: '/v2', capabilities: new Set(['pull']) },
  ]
  const { resolver } = quickResolver(t, { hosts: only })
  const repository = await resolver.repository('a.test/a')
  t.throws(() => repository.tags(), { code: 'FAILED_PRECONDITION', message: /a\.test\/a: no host/ })
})
