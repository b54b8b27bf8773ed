import fs from 'node:fs/promises'
import path from 'node:path'
import test from 'ava'
import type { Signature } from '../../src/images/signature.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { dockerImage } from '../../src/policy/docker-image.ts'
import { admit, evaluate, requirementsFor } from '../../src/policy/evaluate.ts'
import { acceptAnything, findPolicy, loadPolicy } from '../../src/policy/file.ts'
import { policyOfKeys } from '../../src/policy/key-policy.ts'
import { parsePolicy } from '../../src/policy/parse.ts'
import type { Policy, PolicyImage } from '../../src/policy/types.ts'
import { signingKey, sigstoreSignature } from '../support/signing.ts'
import { temporaryDirectory } from '../support/tmp.ts'

const manifest = Buffer.from('{"a manifest":true}')
const digest = digestOf(manifest)
const reference = 'q.io/team/app:1'
const key = signingKey()

const imageOf = (signatures: readonly Signature[] = [], name = reference): PolicyImage =>
  dockerImage(
    name,
    digest,
    async () => manifest,
    async () => signatures,
  )

const policyOf = (requirements: readonly object[], transports: object = {}): Policy =>
  parsePolicy(JSON.stringify({ default: requirements, transports }))

const signedWith = (pem = key.pem, more: object = {}) => ({
  type: 'sigstoreSigned',
  keyData: Buffer.from(pem).toString('base64'),
  ...more,
})

const signature = (more: object = {}) => sigstoreSignature({ key, digest, reference, ...more })

test('evaluate() tells which scope applied, and what came of each requirement and signature', async t => {
  const policy = policyOf([{ type: 'reject' }], {
    docker: { 'q.io/team': [signedWith(), signedWith(signingKey().pem)] },
  })
  const verdict = await evaluate(policy, imageOf([signature()]))
  t.false(verdict.accepted)
  t.is(verdict.scope, 'docker:q.io/team')
  const [first, second] = verdict.requirements
  t.like(first, { type: 'sigstoreSigned', accepted: true, reason: undefined })
  t.like(first?.signatures[0], { format: 'sigstore', accepted: true, signed: { digest, reference } })
  t.like(second, {
    accepted: false,
    reason: 'signature 1: it was not made with a key that is trusted, or the payload was changed',
  })
  t.deepEqual(second?.signatures, [
    {
      format: 'sigstore',
      accepted: false,
      reason: 'it was not made with a key that is trusted, or the payload was changed',
    },
  ])
})

test('evaluate() reads neither manifest nor signatures when no requirement needs them', async t => {
  const untouched = (): never => t.fail('read') as never
  const image = dockerImage(reference, digest, untouched, untouched)
  t.true((await evaluate(acceptAnything, image)).accepted)
  t.false((await evaluate(policyOf([{ type: 'reject' }]), image)).accepted)
  t.false(
    (
      await evaluate(
        policyOf([{ type: 'signedBaseLayer', baseLayerIdentity: { type: 'matchExact' } }]),
        image,
      )
    ).accepted,
  )
})

test('evaluate() says that signatures are required, so that all places are asked', async t => {
  const asked: unknown[] = []
  const image = dockerImage(
    reference,
    digest,
    async () => manifest,
    async options => {
      asked.push(options?.required)
      return []
    },
  )
  t.like((await evaluate(policyOf([signedWith()]), image)).requirements[0], {
    accepted: false,
    reason: 'a signature is required, and there is none',
  })
  t.deepEqual(asked, [true])
})

test('evaluate() passes over signatures of other kinds, and counts them', async t => {
  const others: Signature[] = [
    { format: 'simple-signing', bytes: Buffer.of(0x80) },
    { ...signature(), mediaType: 'application/vnd.in-toto+json' },
  ]
  t.like((await evaluate(policyOf([signedWith()]), imageOf(others))).requirements[0], {
    accepted: false,
    reason: 'a signature is required, and there is none (2 of another kind)',
    signatures: [],
  })
  t.true((await evaluate(policyOf([signedWith()]), imageOf([...others, signature()]))).accepted)
})

const denies = test.macro<[what: string, requirement: object, reason: RegExp]>({
  async exec(t, _what, requirement, reason) {
    const { accepted, requirements } = await evaluate(policyOf([requirement]), imageOf([signature()]))
    t.false(accepted)
    t.regex(requirements[0]?.reason ?? '', reason)
  },
  title: (_, what) => `evaluate() denies ${what}`,
})

const rekor = { rekorPublicKeyData: Buffer.from(signingKey().pem).toString('base64') }
test(
  denies,
  'certificates of Fulcio that are none',
  {
    type: 'sigstoreSigned',
    fulcio: { caData: 'YQ==', oidcIssuer: 'https://i', subjectEmail: 'a@b' },
    ...rekor,
  },
  /certificate of Fulcio: not certificates in PEM/,
)
test(
  denies,
  'certificates of a PKI that are none',
  {
    type: 'sigstoreSigned',
    pki: { caRootsData: 'YQ==', subjectEmail: 'a@b' },
  },
  /root certificate: not certificates in PEM/,
)
test(
  denies,
  'a key file that is not there',
  { type: 'sigstoreSigned', keyPath: '/nonexistent/key.pub' },
  /\/nonexistent\/key\.pub: no such file/,
)
test(
  denies,
  'a key that is none',
  { type: 'sigstoreSigned', keyData: 'YQ==' },
  /public key: not a public key in PEM/,
)
test(
  denies,
  'one sound key and one that is none',
  {
    type: 'sigstoreSigned',
    keyDatas: [Buffer.from(key.pem).toString('base64'), 'YQ=='],
  },
  /public key: not a public key in PEM/,
)
test(
  denies,
  'a log whose key is not one of ECDSA',
  {
    ...signedWith(),
    rekorPublicKeyData: Buffer.from(signingKey('ed25519').pem).toString('base64'),
  },
  /Rekor public key: not one of ECDSA/,
)

test('evaluate() denies what a policy without requirements says nothing of', async t => {
  t.false((await evaluate({ default: [], transports: new Map() }, imageOf())).accepted)
})

test('evaluate() fails when signatures cannot be read, and when it is told to stop', async t => {
  const image = dockerImage(
    reference,
    digest,
    async () => manifest,
    () => Promise.reject(new Error('gone')),
  )
  await t.throwsAsync(evaluate(policyOf([signedWith()]), image), { message: 'gone' })
  const signal = AbortSignal.abort(new Error('enough'))
  await t.throwsAsync(evaluate(policyOf([signedWith()]), imageOf([signature()]), { signal }), {
    message: 'enough',
  })
})

test('evaluate() takes any of several keys, and any of several logs', async t => {
  const log = signingKey()
  const base64 = ({ pem }: { readonly pem: string }): string => Buffer.from(pem).toString('base64')
  const requirement = {
    type: 'sigstoreSigned',
    keyDatas: [base64(signingKey()), base64(key)],
    rekorPublicKeyDatas: [base64(signingKey()), base64(log)],
  }
  t.true((await evaluate(policyOf([requirement]), imageOf([signature({ log })]))).accepted)
  t.false((await evaluate(policyOf([requirement]), imageOf([signature()]))).accepted)
})

test('admit() gives the verdict, or names image, scope, requirement and reason', async t => {
  t.true((await admit(acceptAnything, imageOf())).accepted)
  await t.throwsAsync(
    admit(policyOf([{ type: 'reject' }], { docker: { '': [{ type: 'reject' }] } }), imageOf()),
    {
      code: 'PERMISSION_DENIED',
      message: `${reference} (${digest}): the policy for docker: denies it: reject: everything of this scope is rejected`,
    },
  )
  const byDigest = imageOf([], `q.io/team/app@${digest}`)
  await t.throwsAsync(admit(policyOf([{ type: 'reject' }]), byDigest), {
    message: `q.io/team/app@${digest}: the policy for default denies it: reject: everything of this scope is rejected`,
  })
})

const scopeOf = test.macro<[name: string, expected: string]>({
  exec(t, name, expected) {
    const rules = [{ type: 'reject' }]
    const docker = Object.fromEntries(
      [
        'q.io',
        'q.io/team',
        'q.io/team/app',
        'q.io/team/app:1',
        `q.io/team/app@${digest}`,
        '*.r.io',
        '*.io',
        'r.io:5000',
      ].map(scope => [scope, rules]),
    )
    const policy = policyOf(rules, { docker, oci: { '': rules, '/srv': rules } })
    const [transport = '', rest = ''] = name.split(/:(.*)/)
    const scopes = transport === 'docker' ? imageOf([], rest).scopes : [rest, '/srv']
    t.is(requirementsFor(policy, { transport, scopes }).scope, expected)
  },
  title: (_, name, expected) => `requirementsFor() ${name} finds ${expected}`,
})

test(scopeOf, 'docker:q.io/team/app:1', 'docker:q.io/team/app:1')
test(scopeOf, `docker:q.io/team/app:1@${digest}`, `docker:q.io/team/app@${digest}`)
test(scopeOf, 'docker:q.io/team/app:2', 'docker:q.io/team/app')
test(scopeOf, 'docker:q.io/team/application:1', 'docker:q.io/team')
test(scopeOf, 'docker:q.io/other:1', 'docker:q.io')
test(scopeOf, 'docker:q.io:5000/other:1', 'docker:*.io')
test(scopeOf, 'docker:r.io:5000/x:1', 'docker:r.io:5000')
test(scopeOf, 'docker:a.r.io:5000/x:1', 'docker:*.r.io')
test(scopeOf, 'docker:a.b.r.io/x:1', 'docker:*.r.io')
test(scopeOf, 'docker:localhost/x:1', 'default')
test(scopeOf, 'oci:/srv/x', 'oci:/srv')
test(scopeOf, 'dir:/srv/x', 'default')

test('findPolicy() finds the file of the user, else that of the machine, else none', async t => {
  const home = await temporaryDirectory(t)
  const system = path.join(home, 'system.json')
  t.is(await findPolicy({ home, system }), undefined)
  await fs.writeFile(system, '{}')
  t.is(await findPolicy({ home, system }), system)
  const own = path.join(home, '.config/containers/policy.json')
  await fs.mkdir(path.dirname(own), { recursive: true })
  await fs.symlink('/nonexistent', own)
  t.is(
    await findPolicy({ home, system }),
    own,
    'a link to nowhere is a policy that cannot be read, and not no policy',
  )
})

test('loadPolicy() reads a file, and names it when it cannot', async t => {
  const file = path.join(await temporaryDirectory(t), 'policy.json')
  await t.throwsAsync(loadPolicy(file), { code: 'NOT_FOUND', message: new RegExp(file) })
  await fs.writeFile(file, '{"default":[]}')
  await t.throwsAsync(loadPolicy(file), { code: 'INVALID_ARGUMENT', message: new RegExp(`${file}: default`) })
  await fs.writeFile(file, `{"default":[{"type":"reject"}]}${' '.repeat(1024 * 1024)}`)
  await t.throwsAsync(loadPolicy(file), { code: 'RESOURCE_EXHAUSTED' })
  await fs.writeFile(file, '{"default":[{"type":"reject"}]}')
  t.deepEqual((await loadPolicy(file)).default, [{ type: 'reject' }])
  await t.throwsAsync(loadPolicy(path.dirname(file)), { code: 'FAILED_PRECONDITION' })
})

test('policyOfKeys() wants any key of a kind, and both kinds where both are given', async t => {
  const directory = await temporaryDirectory(t)
  const write = async (name: string, text: string | Uint8Array): Promise<string> => {
    await fs.writeFile(path.join(directory, name), text)
    return path.join(directory, name)
  }
  const files = [
    await write('a.pub', key.pem),
    await write('b.asc', '-----BEGIN PGP PUBLIC KEY BLOCK-----\n'),
    await write('c.gpg', Buffer.of(0x98, 0x33)),
    await write('d.pub', signingKey().pem),
  ]
  const { default: requirements } = await policyOfKeys(files)
  t.like(requirements, [
    { type: 'signedBy', keys: { paths: [files[1], files[2]] } },
    { type: 'sigstoreSigned', trust: { kind: 'keys', keys: { paths: [files[0], files[3]] } } },
  ])
  const policy = await policyOfKeys([files[0] ?? ''])
  t.true((await evaluate(policy, imageOf([signature({ reference: 'q.io/team/app' })]))).accepted)
  t.false((await evaluate(policy, imageOf([signature({ reference: 'q.io/team/other' })]))).accepted)
  await t.throwsAsync(policyOfKeys([path.join(directory, 'absent')]), { code: 'NOT_FOUND' })
})
