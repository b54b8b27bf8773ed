import test from 'ava'
import fc from 'fast-check'
import { isOrlopError } from '../../src/errors.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { parseReference } from '../../src/oci/reference.ts'
import { defaultIdentity } from '../../src/policy/identity.ts'
import { checkPayload, type PayloadType, parsePayload } from '../../src/policy/payload.ts'
import { sigstorePayload, simplePayload } from '../support/signing.ts'

const manifest = Buffer.from('{"a manifest":true}')
const digest = digestOf(manifest)
const name = 'q.io/a:1'
const atomic: PayloadType = 'atomic container signature'
const cosign: PayloadType = 'cosign container image signature'

/** A sound payload, to be spoilt in one place. */
const sound = (type: PayloadType = atomic) => ({
  critical: {
    type: type as unknown,
    image: { 'docker-manifest-digest': digest as unknown },
    identity: { 'docker-reference': name as unknown },
  } as Record<string, unknown>,
  optional: { creator: 'me', timestamp: 1_700_000_000 } as unknown,
})

const takes = test.macro<[what: string, type: PayloadType, payload: unknown, createdAt?: number]>({
  exec(t, _what, type, payload, createdAt) {
    const found = parsePayload(Buffer.from(JSON.stringify(payload)), type)
    t.deepEqual(found, {
      digest,
      reference: name,
      ...(createdAt !== undefined && { createdAt: new Date(createdAt) }),
    })
  },
  title: (_, what, type) => `parsePayload() takes ${what} as ${type.split(' ', 1)[0]}`,
})

for (const type of [atomic, cosign]) {
  test(takes, 'a creator and a timestamp', type, sound(type), 1_700_000_000_000)
  test(takes, 'an empty optional', type, { ...sound(type), optional: {} })
  test(takes, 'unknown keys in optional', type, { ...sound(type), optional: { env: 'x', more: { a: [1] } } })
  test(takes, 'a timestamp before 1970', type, { ...sound(type), optional: { timestamp: -1 } }, -1000)
  test(takes, 'a timestamp beyond all dates', type, { ...sound(type), optional: { timestamp: 1e300 } })
}
test(takes, 'null for optional', cosign, { ...sound(cosign), optional: null })

const refuses = test.macro<[what: string, payload: unknown, type?: PayloadType]>({
  exec(t, _what, payload, type = atomic) {
    const text = typeof payload === 'string' ? payload : JSON.stringify(payload)
    t.throws(() => parsePayload(Buffer.from(text), type), {
      code: 'INVALID_ARGUMENT',
      message: /^signed payload/,
    })
  },
  title: (_, what) => `parsePayload() refuses ${what}`,
})

const spoilt = (change: (payload: ReturnType<typeof sound>) => void): unknown => {
  const payload = sound()
  change(payload)
  return payload
}

test(refuses, 'what is not JSON', '&')
test(refuses, 'null', 'null')
test(refuses, 'an array', '[]')
test(refuses, 'an empty object', {})
test(refuses, 'no critical', { optional: {} })
test(refuses, 'no optional', { critical: sound().critical })
test(refuses, 'an unknown key', { ...sound(), extra: 1 })
test(refuses, 'null for critical', { ...sound(), critical: null })
test(refuses, 'null for optional', { ...sound(), optional: null })
test(refuses, 'a number for optional', { ...sound(), optional: 1 })
test(refuses, 'a creator that is no text', { ...sound(), optional: { creator: 1 } })
test(refuses, 'a timestamp that is no number', { ...sound(), optional: { timestamp: 'now' } })
test(refuses, 'a timestamp with a fraction', { ...sound(), optional: { timestamp: 0.5 } })
test(
  refuses,
  'no type',
  spoilt(({ critical }) => delete critical.type),
)
test(
  refuses,
  'another type',
  spoilt(({ critical }) => (critical.type = 'signature')),
)
test(refuses, 'the type of sigstore', sound(cosign))
test(refuses, 'the type of simple signing for a sigstore signature', sound(atomic), cosign)
test(
  refuses,
  'an unknown key in critical',
  spoilt(({ critical }) => (critical.extra = 1)),
)
test(
  refuses,
  'no image',
  spoilt(({ critical }) => delete critical.image),
)
test(
  refuses,
  'an unknown key in image',
  spoilt(({ critical }) => (critical.image = { 'docker-manifest-digest': digest, x: 1 })),
)
test(
  refuses,
  'a digest that is none',
  spoilt(({ critical }) => (critical.image = { 'docker-manifest-digest': '!' })),
)
test(
  refuses,
  'a digest that is a path',
  spoilt(({ critical }) => (critical.image = { 'docker-manifest-digest': 'sha256:../../etc' })),
)
test(
  refuses,
  'no identity',
  spoilt(({ critical }) => delete critical.identity),
)
test(
  refuses,
  'an identity that is no text',
  spoilt(({ critical }) => (critical.identity = { 'docker-reference': 1 })),
)
test(
  refuses,
  'an unknown key in identity',
  spoilt(({ critical }) => (critical.identity = { 'docker-reference': name, x: 1 })),
)
test(
  refuses,
  'a key that comes twice',
  JSON.stringify(sound()).replace('"identity":', '"image":{},"identity":'),
)
test(
  refuses,
  'a digest that comes twice',
  JSON.stringify(sound()).replace(
    '"docker-manifest-digest":',
    `"docker-manifest-digest":"${digest}","docker-manifest-digest":`,
  ),
)
test(refuses, 'data behind the payload', `${JSON.stringify(sound())}x`)

const claim = { manifest, reference: parseReference(name) }
const accepts = (bytes: Uint8Array, type: PayloadType): boolean => {
  try {
    checkPayload(parsePayload(bytes, type), claim, defaultIdentity)
    return true
  } catch (error) {
    if (isOrlopError(error)) return false
    throw error
  }
}

test('checkPayload() takes digests of other algorithms over the same manifest', t => {
  for (const algorithm of ['sha384', 'sha512'] as const)
    t.true(accepts(simplePayload(digestOf(manifest, algorithm), name), atomic))
  t.false(accepts(simplePayload(digestOf('another', 'sha512'), name), atomic))
  t.false(accepts(simplePayload(digest, 'q.io/a:2'), atomic))
})

test('A payload with anything but its optional part changed is not accepted', t => {
  for (const [payload, type] of [
    [simplePayload(digest, name), atomic],
    [sigstorePayload(digest, name), cosign],
  ] as const) {
    t.true(accepts(payload, type))
    const at = fc.nat(payload.byteLength - 1)
    fc.assert(
      fc.property(at, fc.integer({ min: 0, max: 255 }), (where, byte) => {
        const changed = Buffer.from(payload)
        changed[where] = byte
        // A blank for a blank, a digit of no weight: what reads the same is the same.
        const same = (() => {
          try {
            return (
              JSON.stringify(JSON.parse(changed.toString()).critical) ===
              JSON.stringify(JSON.parse(payload.toString()).critical)
            )
          } catch {
            return false
          }
        })()
        if (!same && accepts(changed, type)) t.fail(`accepted: ${changed.toString()}`)
      }),
      { numRuns: 500 },
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), bytes => void t.false(accepts(bytes, type))),
      { numRuns: 50 },
    )
  }
})
