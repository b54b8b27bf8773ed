import { generateKeyPairSync } from 'node:crypto'
import test from 'ava'
import fc from 'fast-check'
import { isOrlopError } from '../../src/errors.ts'
import type { SigstoreSignature } from '../../src/images/signature.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { parseReference } from '../../src/oci/reference.ts'
import { defaultIdentity } from '../../src/policy/identity.ts'
import { parsePublicKey } from '../../src/policy/public-key.ts'
import { verifySigstore } from '../../src/policy/sigstore.ts'
import {
  type KeyKind,
  type RekorEntry,
  rekorBundle,
  type SigningKey,
  signBytes,
  signingKey,
  sigstorePayload,
  sigstoreSignature,
} from '../support/signing.ts'

const manifest = Buffer.from('{"a manifest":true}')
const digest = digestOf(manifest)
const reference = 'q.io/a:1'
const claim = { manifest, reference: parseReference(reference) }
const keyOf = ({ pem }: SigningKey) => parsePublicKey(Buffer.from(pem), 'key')

interface Trust {
  readonly keys: readonly SigningKey[]
  readonly logs?: readonly SigningKey[]
}

const verify = (signature: SigstoreSignature, { keys, logs }: Trust) =>
  verifySigstore(
    signature,
    { kind: 'keys', keys: keys.map(keyOf), ...(logs && { logs: logs.map(keyOf) }) },
    claim,
    {
      signedIdentity: defaultIdentity,
    },
  )

const key = signingKey()
const log = signingKey()
const other = signingKey()

for (const kind of ['P-256', 'P-384', 'P-521', 'rsa', 'ed25519'] satisfies readonly KeyKind[])
  test(`verifySigstore() takes signatures of ${kind}, and no other's`, t => {
    const mine = signingKey(kind)
    const signature = sigstoreSignature({ key: mine, digest, reference, optional: { timestamp: 1000 } })
    const signed = verify(signature, { keys: [other, mine] })
    t.like(signed, { digest, reference, signedAt: new Date(1_000_000) })
    t.regex(signed.signer, /^sha256:[0-9a-f]{64}$/)
    t.throws(() => verify(signature, { keys: [signingKey(kind)] }), { code: 'PERMISSION_DENIED' })
    t.throws(() => verify(signature, { keys: [] }), { code: 'PERMISSION_DENIED' })
  })

test('verifySigstore() takes keys in the older form of RSA', t => {
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const pem = pair.publicKey.export({ type: 'pkcs1', format: 'pem' }).toString()
  const mine = { ...pair, pem }
  t.is(verify(sigstoreSignature({ key: mine, digest, reference }), { keys: [mine] }).digest, digest)
})

const refusesKey = test.macro<[what: string, pem: () => string, message: RegExp]>({
  exec(t, _what, pem, message) {
    t.throws(() => parsePublicKey(Buffer.from(pem()), 'key'), { code: 'INVALID_ARGUMENT', message })
  },
  title: (_, what) => `parsePublicKey() refuses ${what}`,
})

test(refusesKey, 'what is no PEM', () => 'a key', /key: not a public key in PEM/)
test(
  refusesKey,
  'a private key',
  () => key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  /a PEM PRIVATE KEY where/,
)
test(
  refusesKey,
  'a certificate',
  () => '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
  /a PEM CERTIFICATE where/,
)
test(
  refusesKey,
  'what only says it is a key',
  () => '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n',
  /key: not a public key/,
)
test(
  refusesKey,
  'a curve that is not of NIST',
  () =>
    generateKeyPairSync('ec', { namedCurve: 'secp256k1' })
      .publicKey.export({ type: 'spki', format: 'pem' })
      .toString(),
  /keys of type secp256k1 are not supported/,
)
test(
  refusesKey,
  'a key for agreement',
  () => generateKeyPairSync('x25519').publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  /keys of type x25519 are not supported/,
)
test(
  refusesKey,
  'a key for RSA-PSS',
  () =>
    generateKeyPairSync('rsa-pss', { modulusLength: 2048 })
      .publicKey.export({ type: 'spki', format: 'pem' })
      .toString(),
  /rsa-pss are not supported/,
)

test('verifySigstore() takes a logged signature by the clock of the log', t => {
  const signature = sigstoreSignature({ key, digest, reference, log, optional: { timestamp: 5 } })
  t.deepEqual(verify(signature, { keys: [key], logs: [other, log] }).signedAt, new Date(1_700_000_000_000))
  t.deepEqual(verify(signature, { keys: [key] }).signedAt, new Date(5000))
})

test('verifySigstore() wants a log that is trusted, when one is asked for', t => {
  const logged = sigstoreSignature({ key, digest, reference, log })
  t.throws(() => verify(logged, { keys: [key], logs: [other] }), {
    message: /not signed by a log that is trusted/,
  })
  t.throws(() => verify(logged, { keys: [key], logs: [] }), {
    message: /not signed by a log that is trusted/,
  })
  t.throws(() => verify(sigstoreSignature({ key, digest, reference }), { keys: [key], logs: [log] }), {
    message: 'it has no annotation dev.sigstore.cosign/bundle',
  })
})

const payload = sigstorePayload(digest, reference)
const signature = signBytes(key, payload)
const sound = { log, key, payload, signature }

const refusesBundle = test.macro<[what: string, bundle: () => unknown, message: RegExp]>({
  exec(t, _what, bundle, message) {
    const given = bundle()
    const text = typeof given === 'string' ? given : JSON.stringify(given)
    const made: SigstoreSignature = {
      ...sigstoreSignature({ key, digest, reference }),
      payload,
      annotations: {
        'dev.cosignproject.cosign/signature': signature.toString('base64'),
        'dev.sigstore.cosign/bundle': text,
      },
    }
    const error = t.throws(() => verify(made, { keys: [key], logs: [log] }), { message })
    t.true(isOrlopError(error))
  },
  title: (_, what) => `verifySigstore() refuses a bundle with ${what}`,
})

const entry = (change: (entry: RekorEntry) => unknown) => rekorBundle({ ...sound, body: change })
const spoilt = (change: (entry: RekorEntry) => void) =>
  entry(made => {
    change(made)
    return made
  })

test(refusesBundle, 'no JSON', () => 'x', /Rekor bundle: not JSON/)
test(refusesBundle, 'nothing in it', () => ({}), /"SignedEntryTimestamp" is missing/)
test(refusesBundle, 'an unknown key', () => ({ ...rekorBundle(sound), extra: 1 }), /unknown key "extra"/)
test(
  refusesBundle,
  'an unknown key in its payload',
  () => {
    const bundle = rekorBundle(sound)
    return { ...bundle, Payload: { ...bundle.Payload, extra: 1 } }
  },
  /unknown key "extra"/,
)
test(
  refusesBundle,
  'a timestamp that was changed',
  () => {
    const bundle = rekorBundle(sound)
    return { ...bundle, Payload: { ...bundle.Payload, integratedTime: 1 } }
  },
  /not signed by a log/,
)
test(
  refusesBundle,
  'an index that was changed',
  () => {
    const bundle = rekorBundle(sound)
    return { ...bundle, Payload: { ...bundle.Payload, logIndex: 8 } }
  },
  /not signed by a log/,
)
test(
  refusesBundle,
  'a time that is no whole number',
  () => rekorBundle({ ...sound, integratedTime: 0.5 }),
  /not a whole number/,
)
test(
  refusesBundle,
  'a signature that is not base64',
  () => ({ ...rekorBundle(sound), SignedEntryTimestamp: '*' }),
  /not base64/,
)
test(
  refusesBundle,
  'a log that signs with another key',
  () => rekorBundle({ ...sound, log: other }),
  /not signed by a log/,
)
test(
  refusesBundle,
  'an entry for another key',
  () => rekorBundle({ ...sound, key: other }),
  /names another signer/,
)
test(
  refusesBundle,
  'an entry for another payload',
  () => rekorBundle({ ...sound, payload: Buffer.from('x') }),
  /of another payload/,
)
test(
  refusesBundle,
  'an entry for another signature',
  () => rekorBundle({ ...sound, signature: signBytes(key, payload) }),
  /has another signature/,
)
test(
  refusesBundle,
  'an entry of another kind',
  () => spoilt(made => (made.kind = 'rekord')),
  /not a hashedrekord of version 0\.0\.1/,
)
test(
  refusesBundle,
  'an entry of another version',
  () => spoilt(made => (made.apiVersion = '0.0.2')),
  /not a hashedrekord of version 0\.0\.1/,
)
test(
  refusesBundle,
  'another hash',
  () => spoilt(({ spec }) => (spec.data.hash.algorithm = 'sha1')),
  /not of algorithm sha256/,
)
test(refusesBundle, 'an entry that is a list', () => entry(() => []), /expected an object/)
test(
  refusesBundle,
  'an entry without spec',
  () => entry(({ apiVersion, kind }) => ({ apiVersion, kind })),
  /spec: expected an object/,
)
test(
  refusesBundle,
  'two keys in its entry',
  () =>
    spoilt(
      ({ spec }) => (spec.signature.publicKey.content = Buffer.from(key.pem + other.pem).toString('base64')),
    ),
  /not one block of PEM/,
)
test(
  refusesBundle,
  'a key in its entry that is no PEM',
  () => spoilt(({ spec }) => (spec.signature.publicKey.content = 'AAAA')),
  /not one block of PEM/,
)

test('verifySigstore() refuses a signature without the annotation', t => {
  const { annotations: _, ...rest } = sigstoreSignature({ key, digest, reference })
  t.throws(() => verify({ ...rest, annotations: {} }, { keys: [key] }), {
    message: 'it has no annotation dev.cosignproject.cosign/signature',
  })
})

test('verifySigstore() refuses a payload of another kind, though it is signed', t => {
  const simple = Buffer.from(payload.toString().replace('cosign container image', 'atomic container'))
  const made: SigstoreSignature = {
    ...sigstoreSignature({ key, digest, reference }),
    payload: simple,
    annotations: { 'dev.cosignproject.cosign/signature': signBytes(key, simple).toString('base64') },
  }
  t.throws(() => verify(made, { keys: [key] }), { message: /critical\.type/ })
})

test('Any change of a signed payload, its signature or its bundle is refused, by an error of ours', t => {
  const logged = sigstoreSignature({ key, digest, reference, log })
  const trust = { keys: [key], logs: [log] }
  t.is(verify(logged, trust).digest, digest)
  const flip = (bytes: Uint8Array, at: number, by: number): Buffer => {
    const changed = Buffer.from(bytes)
    const where = at % changed.byteLength
    changed[where] = (changed[where] ?? 0) ^ by
    return changed
  }
  const refused = (changed: SigstoreSignature): void => {
    try {
      verify(changed, trust)
    } catch (error) {
      if (!isOrlopError(error)) t.fail(`threw ${String(error)}`)
      return
    }
    t.fail('a changed signature was accepted')
  }
  const bits = fc.integer({ min: 1, max: 127 })
  fc.assert(
    fc.property(fc.nat(), bits, (at, by) => refused({ ...logged, payload: flip(logged.payload, at, by) })),
    { numRuns: 200 },
  )
  const text = logged.annotations['dev.cosignproject.cosign/signature'] ?? ''
  fc.assert(
    fc.property(fc.nat(), bits, (at, by) => {
      const changed = flip(Buffer.from(text), at, by).toString('latin1')
      // Line breaks are passed over, as they are by Go.
      if (changed.replaceAll(/[\r\n]/g, '') === text) return
      refused({
        ...logged,
        annotations: { ...logged.annotations, 'dev.cosignproject.cosign/signature': changed },
      })
    }),
    { numRuns: 200 },
  )
})
