import test, { type ExecutionContext } from 'ava'
import { descriptorOf } from '../../../src/oci/descriptor.ts'
import { type Digest, digestOf } from '../../../src/oci/digest.ts'
import { mediaTypes } from '../../../src/oci/media-type.ts'
import type { Host } from '../../../src/remotes/registry/hosts.ts'
import { referrersTag } from '../../../src/remotes/registry/referrers.ts'
import type { ReferrersOptions } from '../../../src/remotes/types.ts'
import { all } from '../../support/bytes.ts'
import {
  absentDigest,
  type Fault,
  type RegistryOptions,
  startRegistry,
  type TestRegistry,
} from '../../support/registry.ts'
import { json } from '../../support/registry-answer.ts'
import { change, dropAfter, endless, headers, htmlPage, status } from '../../support/registry-faults.ts'
import { quickResolver } from '../../support/resolver.ts'

const signature = 'application/vnd.example.signature'
const bill = 'application/vnd.example.bill'

/** Puts an artifact that refers to `subject`. */
const refer = (registry: TestRegistry, subject: Digest, artifactType: string) =>
  registry.put('a', undefined, {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    artifactType,
    config: descriptorOf(mediaTypes.ociEmpty, Buffer.from('{}')),
    layers: [],
    subject: { mediaType: mediaTypes.ociManifest, digest: subject, size: 1 },
  })

/** A registry with an image that two artifacts refer to. */
async function withReferrers(t: ExecutionContext, options: RegistryOptions = {}) {
  const registry = await startRegistry(t, options)
  const { manifest } = registry.image('a', 'v1')
  const found = [signature, bill].map(type => ({
    ...refer(registry, manifest.digest, type),
    artifactType: type,
  }))
  const { resolver } = quickResolver(t)
  const repository = await resolver.repository(`${registry.host}/a`)
  const referrers = (asked?: ReferrersOptions) => all(repository.referrers(manifest.digest, asked))
  return { registry, manifest, found, repository, referrers }
}

/** Lists them under the tag too, as clients do where there is no API. */
const tagThem = (registry: TestRegistry, subject: Digest, manifests: readonly unknown[]) =>
  registry.put(
    'a',
    referrersTag(subject),
    { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests },
    mediaTypes.ociIndex,
  )

test('referrers() asks the API', async t => {
  const { registry, manifest, found, referrers } = await withReferrers(t, { referrers: 'api' })
  t.deepEqual(await referrers(), found)
  t.deepEqual(
    registry.requests.map(({ path }) => path),
    [`/v2/a/referrers/${manifest.digest}`],
  )
  t.is(registry.requests[0]?.headers.accept, mediaTypes.ociIndex)
})

for (const rule of ['api', 'unfiltered'] as const)
  test(`referrers() of one type, from a registry that is ${rule}`, async t => {
    const { registry, found, referrers } = await withReferrers(t, { referrers: rule })
    t.deepEqual(await referrers({ artifactType: bill }), found.slice(1))
    t.deepEqual(await referrers({ artifactType: 'x/y' }), [])
    t.true(registry.requests[0]?.path.endsWith('?artifactType=application%2Fvnd.example.bill'))
  })

test('referrers() of what is not there, by the API, are none', async t => {
  const { repository, registry } = await withReferrers(t, { referrers: 'api' })
  t.deepEqual(await all(repository.referrers(absentDigest)), [])
  t.is(registry.requests.length, 1)
})

test('referrers() follows the links of pages', async t => {
  const { registry, found, referrers } = await withReferrers(t, { referrers: 'api' })
  const pageOf = (at: number, link?: string): Fault =>
    change(answer => {
      const { manifests, ...index } = JSON.parse(String(answer.body))
      const body = Buffer.from(JSON.stringify({ ...index, manifests: manifests.slice(at, at + 1) }))
      return { ...answer, headers: { ...answer.headers, ...(link && { link }) }, body }
    })
  registry.next(/referrers/, pageOf(0, '<?last=x>; rel="next"'), pageOf(1))
  t.deepEqual(await referrers(), found)
  t.is(registry.requests.length, 2)
})

test('referrers() whose second page is not to be had fail, and do not begin anew with the tag', async t => {
  const { registry, manifest, found, referrers } = await withReferrers(t, { referrers: 'api' })
  tagThem(registry, manifest.digest, found)
  registry.next(
    /referrers/,
    change(answer => ({ ...answer, headers: { ...answer.headers, link: '<?last=x>; rel="next"' } })),
    status(404),
  )
  await t.throwsAsync(referrers(), { code: 'NOT_FOUND' })
  t.is(registry.requests.length, 2)
})

const falls = test.macro({
  exec: async (t, fault: Fault) => {
    const { registry, manifest, found, referrers } = await withReferrers(t)
    tagThem(registry, manifest.digest, found)
    registry.always(/referrers/, fault)
    t.deepEqual(await referrers(), found)
    t.deepEqual(await referrers({ artifactType: signature }), found.slice(0, 1))
    t.is(registry.requests[1]?.path, `/v2/a/manifests/sha256-${manifest.digest.slice(7)}`)
  },
  title: title => `referrers() reads the tag where the API ${title}`,
})

test('is not there', falls, status(404))
test('is not known', falls, status(400))
test('is not allowed', falls, status(405))
test('is not to be had', falls, status(406))
test('is not implemented', falls, status(501))
test('is a page for people', falls, htmlPage)
test(
  'is another document',
  falls,
  change(() => json(200, { ok: true })),
)

test('referrers() are none where there is neither API nor tag', async t => {
  const { referrers } = await withReferrers(t)
  t.deepEqual(await referrers(), [])
})

const api = /referrers/
const tag = /manifests\/sha256-/
const fails = test.macro({
  exec: async (t, pattern: RegExp, fault: Fault, code: string, message: RegExp) => {
    const { registry, manifest, found, referrers } = await withReferrers(t, { referrers: 'api' })
    if (pattern === tag) registry.always(api, status(404))
    // With a tag that has an answer: it must not stand in for an API that fails.
    tagThem(registry, manifest.digest, found)
    registry.always(pattern, fault)
    await t.throwsAsync(referrers(), { code, message })
  },
  title: title => `referrers() fails on ${title}`,
})

const index = (text: string): Fault =>
  change(() => ({ status: 200, headers: { 'content-type': mediaTypes.ociIndex }, body: Buffer.from(text) }))

test('an API that is down', fails, api, status(503), 'UNAVAILABLE', /referrers: .* failed \(503\)/)
test('an API that denies', fails, api, status(403), 'PERMISSION_DENIED', /referrers/)
test('an API that breaks', fails, api, dropAfter(10), 'UNAVAILABLE', /broke/)
test('an answer that never ends', fails, api, endless, 'RESOURCE_EXHAUSTED', /more than 4194304 bytes/)
test('an answer that is not JSON', fails, api, index('nothing'), 'INVALID_ARGUMENT', /not JSON/)
test(
  'an answer that is a manifest',
  fails,
  api,
  index('{"config":{},"layers":[]}'),
  'INVALID_ARGUMENT',
  /must not/,
)
test(
  'a descriptor with a wrong digest (CVE-2024-3727)',
  fails,
  api,
  index('{"manifests":[{"mediaType":"a/b","size":1,"digest":"../../../etc/passwd"}]}'),
  'INVALID_ARGUMENT',
  /digest/,
)
test('a tag that is down', fails, tag, status(503), 'UNAVAILABLE', /failed \(503\)/)
test(
  'a tag of a manifest',
  fails,
  tag,
  headers({ 'content-type': mediaTypes.ociManifest }),
  'INVALID_ARGUMENT',
  /not an index of referrers/,
)
test('a tag of an endless index', fails, tag, endless, 'RESOURCE_EXHAUSTED', /larger/)

test('referrers() asks the registry when a mirror has no API, before any tag', async t => {
  const mirror = await startRegistry(t)
  const { registry, manifest, found } = await withReferrers(t, { referrers: 'api' })
  const hosts = async (): Promise<readonly Host[]> =>
    [mirror.host, registry.host].map(address => ({
      name: address,
      address,
      schemes: ['http'],
      path: '/v2',
      capabilities: new Set(['pull', 'resolve', 'referrers']),
    }))
  const { resolver } = quickResolver(t, { hosts })
  const repository = await resolver.repository('a.test/a')
  t.deepEqual(await all(repository.referrers(manifest.digest)), found)
  t.deepEqual(
    mirror.requests.map(({ path }) => path),
    [`/v2/a/referrers/${manifest.digest}`],
  )
})

test('referrersTag() is cut where the specification cuts it', t => {
  t.is(referrersTag(digestOf('', 'sha256')), `sha256-${digestOf('').slice(7)}`)
  t.is(referrersTag(digestOf('', 'sha512')), `sha512-${digestOf('', 'sha512').slice(7, 71)}`)
})
