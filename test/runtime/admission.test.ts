import test, { type ExecutionContext } from 'ava'
import type { Signature, SignatureSource } from '../../src/images/signature.ts'
import { storedSignatures } from '../../src/images/stored-signatures.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'
import { parsePolicy } from '../../src/policy/parse.ts'
import type { Policy } from '../../src/policy/types.ts'
import { signatureTag } from '../../src/remotes/registry/attachments.ts'
import { defaultHost } from '../../src/remotes/registry/hosts.ts'
import { type PullOptions, pull } from '../../src/runtime/pull.ts'

import { blob, collect, flat, image, index, type Node, on, withExtra } from '../support/image.ts'
import { publish } from '../support/publish.ts'
import { startRegistry } from '../support/registry.ts'
import { quickResolver } from '../support/resolver.ts'
import { type SigningKey, signingKey, sigstoreSignature } from '../support/signing.ts'
import { openRuntime } from '../support/store.ts'
import { wanted } from '../support/wanted.ts'

const key = signingKey()
const policyOf = (requirements: readonly object[], transports: object = {}): Policy =>
  parsePolicy(JSON.stringify({ default: requirements, transports }))

const signedWith = ({ pem }: SigningKey, more: object = {}) => ({
  type: 'sigstoreSigned',
  keyData: Buffer.from(pem).toString('base64'),
  ...more,
})

const setUp = async (t: ExecutionContext) => {
  const [registry, runtime] = await Promise.all([startRegistry(t), openRuntime(t)])
  const { resolver } = quickResolver(t)
  const scope = runtime.scope('default')
  const known = new Map<string, Signature[]>()
  const asked: string[] = []
  const signatures: SignatureSource = {
    signatures: async (reference, digest) => {
      asked.push(`${reference} ${digest}`)
      return known.get(digest) ?? []
    },
  }
  return {
    registry,
    runtime,
    scope,
    asked,
    sign: (node: Node, reference: string, by = key): void => {
      const { digest } = node.desc
      const signature = sigstoreSignature({ key: by, digest, reference })
      known.set(digest, [...(known.get(digest) ?? []), signature])
    },
    pull: (policy: Policy | undefined, reference: string, options: PullOptions = {}) =>
      pull({ resolver, scope, policy, signatures }, reference, options),
  }
}

type SetUp = Awaited<ReturnType<typeof setUp>>

const here = async ({ scope }: SetUp): Promise<readonly string[]> =>
  (await collect(scope.content.list())).map(({ digest }) => digest)

const names = async ({ scope }: SetUp): Promise<readonly string[]> =>
  (await collect(scope.images.list())).map(({ name }) => name)

const amd = image('linux/amd64', 'amd', 'base')
const arm = image('linux/arm64', 'arm', 'base')

test('pull() takes an image that its policy accepts, and keeps its signatures', async t => {
  const s = await setUp(t)
  const reference = publish(s.registry, 'app', '1', amd)
  s.sign(amd, reference)
  await s.pull(policyOf([signedWith(key)]), reference)
  const [signature] = await storedSignatures(s.scope.content, amd.desc.digest)
  t.is(signature?.format, 'sigstore')
  await s.runtime.gc.collect()
  t.is((await storedSignatures(s.scope.content, amd.desc.digest)).length, 1)
  await s.scope.images.delete(reference)
  await s.runtime.gc.collect()
  t.deepEqual(await here(s), [])
})

test('pull() of what its policy denies fetches no config and no layer, and names nothing', async t => {
  const s = await setUp(t)
  const reference = publish(s.registry, 'app', '1', amd)
  s.sign(amd, reference, signingKey())
  const error = await t.throwsAsync(s.pull(policyOf([signedWith(key)]), reference), {
    code: 'PERMISSION_DENIED',
  })
  t.true(
    error.message.includes(
      `${reference} (${amd.desc.digest}): the policy for default denies it: sigstoreSigned: signature 1: `,
    ),
  )
  t.is(s.registry.seen(/\/blobs\//).length, 0)
  t.deepEqual(await names(s), [])
  t.deepEqual(await here(s), [])
  t.deepEqual(await collect(s.scope.leases.list()), [])
})

test('pull() of what its policy denies leaves a name that was there where it pointed', async t => {
  const s = await setUp(t)
  const reference = publish(s.registry, 'app', '1', amd)
  await s.pull(undefined, reference)
  publish(s.registry, 'app', '1', arm)
  await t.throwsAsync(s.pull(policyOf([{ type: 'reject' }]), reference), { code: 'PERMISSION_DENIED' })
  t.is((await s.scope.images.get(reference)).target.digest, amd.desc.digest)
})

test('pull() is denied what is in the store already', async t => {
  const s = await setUp(t)
  const reference = publish(s.registry, 'app', '1', amd)
  await s.pull(undefined, reference)
  await t.throwsAsync(s.pull(policyOf([signedWith(key)]), reference), { code: 'PERMISSION_DENIED' })
})

test('pull() says of each signature why it was not accepted', async t => {
  const s = await setUp(t)
  const reference = publish(s.registry, 'app', '1', amd)
  s.sign(amd, reference, signingKey())
  s.sign(amd, reference.replace(/:1$/, ':2'))
  const error = await t.throwsAsync(s.pull(policyOf([signedWith(key)]), reference))
  t.regex(error.message, /signature 1: it was not made with a key that is trusted/)
  t.regex(
    error.message,
    /signature 2: it is for ".*:2", which is not accepted for .*:1 \(matchRepoDigestOrExact\)/,
  )
})

test('pull() wants all requirements of the one scope that fits best', async t => {
  const s = await setUp(t)
  const reference = publish(s.registry, 'app', '1', amd)
  const other = signingKey()
  s.sign(amd, reference)
  const docker = {
    [s.registry.host]: [{ type: 'reject' }],
    [`${s.registry.host}/app`]: [signedWith(key), signedWith(other)],
  }
  const policy = policyOf([{ type: 'reject' }], { docker })
  await t.throwsAsync(s.pull(policy, reference), {
    message: new RegExp(`the policy for docker:${s.registry.host}/app denies it`),
  })
  s.sign(amd, reference, other)
  await s.pull(policy, reference)
  t.deepEqual(await names(s), [reference])
})

test('pull() judges each manifest of an index that is wanted, and not the index', async t => {
  const s = await setUp(t)
  const both = index(amd, arm)
  const reference = publish(s.registry, 'app', '1', both)
  s.sign(both, reference)
  const policy = policyOf([signedWith(key)])
  await t.throwsAsync(s.pull(policy, reference, { platforms: wanted('linux/arm64') }), {
    message: new RegExp(arm.desc.digest),
  })
  s.sign(arm, reference)
  await s.pull(policy, reference, { platforms: wanted('linux/arm64') })
  await t.throwsAsync(s.pull(policy, reference), { message: new RegExp(amd.desc.digest) })
  s.sign(amd, reference)
  await s.pull(policy, reference)
})

test('pull() of an index whose one platform is signed needs no other signature', async t => {
  const s = await setUp(t)
  const reference = publish(s.registry, 'app', '1', index(amd, arm))
  s.sign(amd, reference)
  await s.pull(policyOf([signedWith(key)]), reference, { platforms: wanted('linux/amd64') })
  t.deepEqual(await names(s), [reference])
})

test('pull() keeps the signatures of an index and of its manifests', async t => {
  const s = await setUp(t)
  const both = index(amd, arm)
  const reference = publish(s.registry, 'app', '1', both)
  for (const node of [both, amd, arm]) s.sign(node, reference)
  await s.pull(undefined, reference)
  for (const { desc } of [both, amd, arm])
    t.is((await storedSignatures(s.scope.content, desc.digest)).length, 1)
})

test('pull() judges an index that lists nothing', async t => {
  const s = await setUp(t)
  const empty = index()
  const reference = publish(s.registry, 'app', '1', empty)
  await t.throwsAsync(s.pull(policyOf([signedWith(key)]), reference), { code: 'PERMISSION_DENIED' })
  s.sign(empty, reference)
  await s.pull(policyOf([signedWith(key)]), reference)
})

test('pull() judges the manifests of nested indexes, and what an index calls by a type that is not known', async t => {
  const s = await setUp(t)
  const odd = on('linux/s390x', blob('application/vnd.other.manifest', '{"layers":[]}'))
  const inner = index(amd)
  const reference = publish(s.registry, 'app', '1', index(inner, odd))
  s.sign(amd, reference)
  const policy = policyOf([signedWith(key)])
  await t.throwsAsync(s.pull(policy, reference), { message: new RegExp(odd.desc.digest) })
  s.sign(odd, reference)
  await s.pull(policy, reference)
  t.deepEqual(await names(s), [reference])
})

test('pull() judges a manifest that its index carries in itself', async t => {
  const s = await setUp(t)
  const data = Buffer.from(amd.bytes).toString('base64')
  const reference = publish(s.registry, 'app', '1', index(withExtra(amd, { data })))
  await t.throwsAsync(s.pull(policyOf([signedWith(key)]), reference), {
    message: new RegExp(amd.desc.digest),
  })
  t.is(s.registry.seen(/\/blobs\//).length, 0)
})

test('pull() with removeSignatures judges by signatures and leaves them', async t => {
  const s = await setUp(t)
  const reference = publish(s.registry, 'app', '1', amd)
  s.sign(amd, reference)
  await s.pull(policyOf([signedWith(key)]), reference, { removeSignatures: true })
  t.deepEqual(await storedSignatures(s.scope.content, amd.desc.digest), [])
  t.deepEqual((await here(s)).length, flat(amd).length)
})

test('pull() adds signatures to an image that is here', async t => {
  const s = await setUp(t)
  const reference = publish(s.registry, 'app', '1', amd)
  await s.pull(undefined, reference)
  s.sign(amd, reference)
  await s.pull(undefined, reference)
  s.sign(amd, reference, signingKey())
  await s.pull(undefined, reference)
  t.is((await storedSignatures(s.scope.content, amd.desc.digest)).length, 2)
})

test('pull() asks for the signatures of a manifest once, under the name that was asked for', async t => {
  const s = await setUp(t)
  const reference = publish(s.registry, 'app', '1', amd)
  s.sign(amd, reference)
  await s.pull(policyOf([signedWith(key), signedWith(key)]), reference)
  t.deepEqual(s.asked, [`${reference} ${amd.desc.digest}`])
})

test('pull() by digest takes a signature of any tag of the repository', async t => {
  const s = await setUp(t)
  const reference = publish(s.registry, 'app', '1', amd)
  s.sign(amd, reference)
  const byDigest = `${s.registry.host}/app@${amd.desc.digest}`
  await s.pull(policyOf([signedWith(key)]), byDigest)
  await s.pull(policyOf([signedWith(key)]), `${s.registry.host}/app:9@${amd.desc.digest}`)
  t.is((await names(s)).length, 2)
})

test('pull() fails when signatures cannot be read', async t => {
  const [registry, runtime] = await Promise.all([startRegistry(t), openRuntime(t)])
  const { resolver } = quickResolver(t)
  const reference = publish(registry, 'app', '1', amd)
  const signatures: SignatureSource = { signatures: () => Promise.reject(new Error('no way there')) }
  const scope = runtime.scope('default')
  const policy = policyOf([signedWith(key)])
  await t.throwsAsync(pull({ resolver, scope, policy, signatures }, reference), { message: /no way there/ })
  await pull({ resolver, scope, policy: policyOf([{ type: 'insecureAcceptAnything' }]) }, reference)
})

test('pull() says so when an index is signed, and what it lists is not', async t => {
  const s = await setUp(t)
  const both = index(amd, arm)
  const reference = publish(s.registry, 'app', '1', both)
  const policy = policyOf([signedWith(key)])
  const unsigned = await t.throwsAsync(s.pull(policy, reference))
  t.notRegex(unsigned.message, /its index is signed/)
  s.sign(both, reference)
  const error = await t.throwsAsync(s.pull(policy, reference), { code: 'PERMISSION_DENIED' })
  t.regex(error.message, /its index is signed, but policies want each manifest/)
})

test('pull() from a mirror is judged by the name that was asked for, with signatures that only the registry has', async t => {
  const [mirror, registry, runtime] = await Promise.all([startRegistry(t), startRegistry(t), openRuntime(t)])
  const name = 'registry.test/team/app:1'
  for (const place of [mirror, registry]) publish(place, 'team/app', '1', amd)
  const made = sigstoreSignature({ key, digest: amd.desc.digest, reference: name })
  const layers = [
    { ...registry.blob('team/app', made.payload, made.mediaType), annotations: made.annotations },
  ]
  const config = registry.blob('team/app', '{}', mediaTypes.ociConfig)
  registry.put('team/app', signatureTag(amd.desc.digest), { schemaVersion: 2, config, layers })
  const hosts = async () => [mirror, registry].map(({ host }) => ({ ...defaultHost(host), name: host }))
  const { resolver } = quickResolver(t, { hosts })
  const signatures = resolver.signatures({ directory: '/nonexistent/registries.d', attachments: true })
  const docker = {
    [mirror.host]: [{ type: 'reject' }],
    [registry.host]: [{ type: 'reject' }],
    'registry.test': [signedWith(key, { signedIdentity: { type: 'matchExact' } })],
  }
  const policy = policyOf([{ type: 'reject' }], { docker })
  const { image: pulled } = await pull({ resolver, scope: runtime.scope(), policy, signatures }, name)
  t.is(pulled.name, name)
  t.true(mirror.seen(/^GET .*\/blobs\//).length > 0)
  t.is(mirror.seen(/\.sig$/).length, 1)
  t.is((await storedSignatures(runtime.scope().content, amd.desc.digest)).length, 1)
})
