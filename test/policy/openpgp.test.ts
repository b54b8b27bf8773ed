import { deflateRawSync } from 'node:zlib'
import test from 'ava'
import fc from 'fast-check'
import * as openpgp from 'openpgp'
import { isOrlopError } from '../../src/errors.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { parseReference } from '../../src/oci/reference.ts'
import { defaultIdentity } from '../../src/policy/identity.ts'
import { openKeyring } from '../../src/policy/openpgp.ts'
import { loadKeyring, verifySimple } from '../../src/policy/signed-by.ts'
import { simplePayload } from '../support/signing.ts'

const manifest = Buffer.from('{"a manifest":true}')
const digest = digestOf(manifest)
const reference = 'q.io/a:1'
const claim = { manifest, reference: parseReference(reference) }

type KeyInit = Partial<Parameters<typeof openpgp.generateKey>[0]>

const newKey = async (init: KeyInit = {}) => {
  const made = await openpgp.generateKey({
    userIDs: [{ name: 'Tester' }],
    type: 'ecc',
    curve: 'ed25519Legacy',
    ...init,
    format: 'object',
  })
  return made as unknown as { privateKey: openpgp.PrivateKey; publicKey: openpgp.PublicKey }
}

type Key = Awaited<ReturnType<typeof newKey>>

const signedMessage = async (
  payload: Uint8Array,
  keys: readonly Key[],
  more: object = {},
): Promise<Uint8Array> =>
  (await openpgp.sign({
    message: await openpgp.createMessage({ binary: new Uint8Array(payload) }),
    signingKeys: keys.map(({ privateKey }) => privateKey),
    format: 'binary',
    ...more,
  })) as Uint8Array

const ring = (...keys: readonly Key[]) =>
  openKeyring(keys.map(({ publicKey }) => Buffer.from(publicKey.armor())))

const payload = simplePayload(digest, reference, { timestamp: 1000 })
const verify = async (bytes: Uint8Array, keyring: Awaited<ReturnType<typeof ring>>) =>
  verifySimple({ format: 'simple-signing', bytes }, keyring, claim, { signedIdentity: defaultIdentity })

test('verifySimple() takes a message of a key of the ring, and tells the key', async t => {
  const [key, other] = [await newKey(), await newKey()]
  const signed = await verify(await signedMessage(payload, [key]), await ring(other, key))
  t.deepEqual(signed, {
    digest,
    reference,
    signer: key.publicKey.getFingerprint().toUpperCase(),
    signedAt: new Date(1_000_000),
  })
})

test('verifySimple() takes keys in binary, several in one file, and compressed messages', async t => {
  const [one, two] = [await newKey(), await newKey({ type: 'rsa', rsaBits: 2048 })]
  const file = Buffer.concat([one.publicKey.write(), two.publicKey.write()])
  const keyring = await openKeyring([file])
  t.is(keyring.size, 2)
  for (const key of [one, two]) {
    const message = await signedMessage(payload, [key])
    t.is((await verify(message, keyring)).digest, digest)
    t.is((await verify(compressed(message), keyring)).digest, digest)
  }
})

test('verifySimple() tells the primary key of a part that signs', async t => {
  const key = await newKey({ subkeys: [{ sign: true }] })
  const [part] = key.privateKey.getSubkeys()
  const bytes = await signedMessage(payload, [key], { signingKeyIDs: part ? [part.getKeyID()] : [] })
  t.is((await verify(bytes, await ring(key))).signer, key.publicKey.getFingerprint().toUpperCase())
})

/** A message in a packet of compressed data, as gpg makes them. */
const compressed = (message: Uint8Array): Uint8Array => {
  const body = Buffer.concat([Buffer.of(1), deflateRawSync(message)])
  const head = Buffer.alloc(6)
  head.writeUInt16BE(0xc8ff)
  head.writeUInt32BE(body.byteLength, 2)
  return Buffer.concat([head, body])
}

type Case = readonly [Uint8Array, ...Key[]]

const refuses = test.macro<[what: string, make: () => Promise<Case>, message: RegExp]>({
  async exec(t, _what, make, message) {
    const [bytes, ...keys] = await make()
    const error = await t.throwsAsync(verify(bytes, await ring(...keys)), { message })
    t.true(isOrlopError(error))
  },
  title: (_, what) => `verifySimple() refuses ${what}`,
})

test(
  refuses,
  'a message of another key',
  async (): Promise<Case> => [await signedMessage(payload, [await newKey()]), await newKey()],
  /Could not find signing key/,
)
test(
  refuses,
  'a message without signature',
  async (): Promise<Case> => {
    const message = await openpgp.createMessage({ binary: new Uint8Array(payload) })
    return [message.write() as Uint8Array, await newKey()]
  },
  /0 signatures where one is needed/,
)
test(
  refuses,
  'a message with two signatures',
  async (): Promise<Case> => {
    const keys = [await newKey(), await newKey()] as const
    return [await signedMessage(payload, keys), ...keys]
  },
  /2 signatures where one is needed/,
)
test(
  refuses,
  'a detached signature',
  async (): Promise<Case> => {
    const key = await newKey()
    return [await signedMessage(payload, [key], { detached: true }), key]
  },
  /./,
)
test(refuses, 'an empty message', async (): Promise<Case> => [new Uint8Array(), await newKey()], /./)
test(
  refuses,
  'a message that is encrypted',
  async (): Promise<Case> => {
    const key = await newKey()
    const message = await openpgp.createMessage({ binary: new Uint8Array(payload) })
    const bytes = await openpgp.encrypt({
      message,
      encryptionKeys: key.publicKey,
      signingKeys: key.privateKey,
      format: 'binary',
    })
    return [bytes as Uint8Array, key]
  },
  /./,
)
test(
  refuses,
  'a signature from the future',
  async (): Promise<Case> => {
    const key = await newKey()
    return [await signedMessage(payload, [key], { date: new Date(Date.now() + 86_400_000) }), key]
  },
  /future/,
)
test(
  refuses,
  'a key that has expired since',
  async (): Promise<Case> => {
    const date = new Date(Date.now() - 10 * 86_400_000)
    const key = await newKey({ date, keyExpirationTime: 5 * 86_400 })
    return [await signedMessage(payload, [key], { date: new Date(date.getTime() + 1000) }), key]
  },
  /expired/,
)
test(
  refuses,
  'a key that was revoked',
  async (): Promise<Case> => {
    const key = await newKey()
    const bytes = await signedMessage(payload, [key])
    const { publicKey } = await openpgp.revokeKey({ key: key.privateKey, format: 'object' })
    return [bytes, { ...key, publicKey }]
  },
  /revoked/,
)
test(
  refuses,
  'a message that unfolds into too much',
  async (): Promise<Case> => {
    const key = await newKey()
    return [compressed(await signedMessage(Buffer.alloc(8 * 1024 * 1024), [key])), key]
  },
  /Maximum decompressed message size/,
)
test(
  refuses,
  'contents that are no payload',
  async (): Promise<Case> => {
    const key = await newKey()
    return [await signedMessage(Buffer.from('hello'), [key]), key]
  },
  /signed payload: not JSON/,
)
test(
  refuses,
  'a payload for another manifest',
  async (): Promise<Case> => {
    const key = await newKey()
    return [await signedMessage(simplePayload(digestOf('x'), reference), [key]), key]
  },
  /another manifest/,
)
test(
  refuses,
  'a payload for another name',
  async (): Promise<Case> => {
    const key = await newKey()
    return [await signedMessage(simplePayload(digest, 'q.io/b:1'), [key]), key]
  },
  /"q\.io\/b:1", which is not accepted/,
)

test('CVE-2025-47934: contents beside those that were signed are never given out', async t => {
  const key = await newKey()
  const keyring = await ring(key)
  const literal = async (text: string): Promise<Uint8Array> =>
    (await openpgp.createMessage({ binary: new Uint8Array(Buffer.from(text)) })).write() as Uint8Array
  const signed = await signedMessage(payload, [key])
  const [evil, other] = [await literal('evil'), await signedMessage(Buffer.from('other'), [key])]
  for (const parts of [
    [signed, evil],
    [evil, signed],
    [signed, compressed(evil)],
    [compressed(evil), signed],
    [compressed(signed), evil],
    [signed, other],
    [signed, await signedMessage(payload, [await newKey()])],
  ]) {
    await t.throwsAsync(keyring.open(Buffer.concat(parts)), { code: 'PERMISSION_DENIED' })
  }
})

test('openKeyring() refuses what is no key', async t => {
  for (const bytes of [
    Buffer.from('no key'),
    Buffer.from('-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----\n'),
  ])
    await t.throwsAsync(openKeyring([bytes]), {
      code: 'INVALID_ARGUMENT',
      message: /public key: not of OpenPGP/,
    })
})

test('loadKeyring() refuses types of keys that are not implemented, and no keys', async t => {
  const requirement = { type: 'signedBy', signedIdentity: defaultIdentity } as const
  for (const keyType of ['signedByGPGKeys', 'X509Certificates', 'signedByX509CAs'] as const)
    await t.throwsAsync(loadKeyring({ ...requirement, keyType, keys: { contents: [] } }, {}), {
      code: 'UNIMPLEMENTED',
      message: new RegExp(`keyType ${keyType} is not supported`),
    })
  await t.throwsAsync(loadKeyring({ ...requirement, keyType: 'GPGKeys', keys: { contents: [] } }, {}), {
    message: 'no public keys',
  })
  await t.throwsAsync(
    loadKeyring({ ...requirement, keyType: 'GPGKeys', keys: { paths: ['/nonexistent/key'] } }, {}),
    { code: 'NOT_FOUND', message: /\/nonexistent\/key/ },
  )
})

test('Any change of a signed message is refused, by an error of ours', async t => {
  const key = await newKey()
  const keyring = await ring(key)
  const bytes = await signedMessage(payload, [key])
  const sound = JSON.stringify(await verify(bytes, keyring))
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.byteLength - 1), fc.integer({ min: 1, max: 255 }), async (at, by) => {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ by
      try {
        // What is not signed, such as the date of the literal packet, may change; what was signed may not.
        const signed = JSON.stringify(await verify(changed, keyring))
        if (signed !== sound) t.fail(`accepted ${signed} for byte ${at}`)
      } catch (error) {
        if (!isOrlopError(error)) t.fail(`threw ${String(error)}`)
      }
    }),
    { numRuns: 150 },
  )
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 80 }), async junk => {
      const error = await t.throwsAsync(verify(junk, keyring))
      t.true(isOrlopError(error))
    }),
    { numRuns: 100 },
  )
})
