import test, { type ExecutionContext } from 'ava'
import type { Signature, SignatureSource } from '../../src/images/signature.ts'
import { only } from '../../src/oci/matcher.ts'
import { parsePlatform } from '../../src/oci/platform.ts'
import { parsePolicy } from '../../src/policy/parse.ts'
import { verify } from '../../src/runtime/verify.ts'
import { Blobs, flat, image, index, type Node } from '../support/image.ts'
import { signingKey, sigstoreSignature } from '../support/signing.ts'

const key = signingKey()
const name = 'q.io/app:1'
const policy = parsePolicy(
  JSON.stringify({ default: [{ type: 'sigstoreSigned', keyData: Buffer.from(key.pem).toString('base64') }] }),
)
const amd = image('linux/amd64', 'amd')
const arm = image('linux/arm64', 'arm')
const both = index(amd, arm)
const wanted = (text: string) => [{ matcher: only(parsePlatform(text)), text }]

const signed = (...nodes: readonly Node[]): SignatureSource => {
  const all = new Map<string, readonly Signature[]>(
    nodes.map(({ desc: { digest } }) => [digest, [sigstoreSignature({ key, digest, reference: name })]]),
  )
  return { signatures: async (_name, digest) => all.get(digest) ?? [] }
}

const judged = async (
  t: ExecutionContext,
  signatures: SignatureSource,
  more: Parameters<typeof verify>[3] = {},
) => {
  const verified = await verify(
    { provider: new Blobs(...flat(both)), policy, signatures },
    name,
    both.desc,
    more,
  )
  t.is(
    verified.accepted,
    verified.manifests.every(({ accepted }) => accepted),
  )
  return verified
}

test('verify() judges every manifest of an image, in order, and says what came of each', async t => {
  const { accepted, manifests } = await judged(t, signed(arm))
  t.false(accepted)
  t.deepEqual(
    manifests.map(({ manifest, platform, accepted, scope }) => [
      manifest.digest,
      platform?.architecture,
      accepted,
      scope,
    ]),
    [
      [amd.desc.digest, 'amd64', false, 'default'],
      [arm.desc.digest, 'arm64', true, 'default'],
    ],
  )
  t.true((await judged(t, signed(amd, arm))).accepted)
})

test('verify() judges the platforms that are asked for', async t => {
  const { accepted, manifests } = await judged(t, signed(arm), { platforms: wanted('linux/arm64') })
  t.true(accepted)
  t.is(manifests.length, 1)
  await t.throwsAsync(judged(t, signed(), { platforms: wanted('linux/s390x') }), { code: 'NOT_FOUND' })
})

test('verify() tells what would be said of the index, and does not count it', async t => {
  const { accepted, index } = await judged(t, signed(both))
  t.false(accepted)
  t.like(index, { accepted: true, manifest: { digest: both.desc.digest } })
})

test('verify() passes over manifests that are not here, where it is told what is', async t => {
  const here = new Blobs(both).lose(arm)
  const parts = { provider: here, policy, signatures: signed(amd) }
  const { accepted, manifests } = await verify(parts, name, both.desc, { present: here })
  t.true(accepted)
  t.is(manifests.length, 1)
  await t.throwsAsync(verify(parts, name, both.desc), { code: 'NOT_FOUND' })
})

test('verify() of a manifest judges just that', async t => {
  const provider = new Blobs(...flat(amd))
  const { accepted, manifests, index } = await verify(
    { provider, policy, signatures: signed(amd) },
    name,
    amd.desc,
  )
  t.true(accepted)
  t.is(manifests.length, 1)
  t.is(index, undefined)
  t.false((await verify({ provider, policy, signatures: signed(amd) }, 'q.io/other:1', amd.desc)).accepted)
})
