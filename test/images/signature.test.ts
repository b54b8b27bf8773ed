import test from 'ava'
import fc from 'fast-check'
import { isOrlopError } from '../../src/errors.ts'
import {
  decodeSignature,
  encodeSignature,
  type Signature,
  type SigstoreSignature,
  sameSignature,
} from '../../src/images/signature.ts'

const sigstore: SigstoreSignature = {
  format: 'sigstore',
  mediaType: 'application/vnd.dev.cosign.simplesigning.v1+json',
  payload: Buffer.from('{"a":1}'),
  annotations: { 'dev.cosignproject.cosign/signature': 'c2ln', other: 'x' },
}
const simple: Signature = { format: 'simple-signing', bytes: Buffer.of(0xa3, 1, 2, 3) }

test('decodeSignature() undoes encodeSignature()', t => {
  for (const signature of [sigstore, simple])
    t.deepEqual(decodeSignature(encodeSignature(signature), 's'), signature)
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 50 }),
      fc.dictionary(
        fc.string().filter(key => key !== '__proto__'),
        fc.string(),
      ),
      (payload, annotations) => {
        const made = { ...sigstore, payload: Buffer.from(payload), annotations: { ...annotations } }
        t.deepEqual(decodeSignature(encodeSignature(made), 's'), made)
      },
    ),
  )
})

test('encodeSignature() writes what containers/image writes', t => {
  const text = Buffer.from(encodeSignature(sigstore)).toString()
  t.true(text.startsWith('\0sigstore-json\n{"mimeType":'))
  t.deepEqual(JSON.parse(text.slice(text.indexOf('\n'))), {
    mimeType: sigstore.mediaType,
    payload: Buffer.from('{"a":1}').toString('base64'),
    annotations: sigstore.annotations,
  })
})

const refuses = test.macro<[what: string, bytes: Uint8Array, message: RegExp]>({
  exec(t, _what, bytes, message) {
    t.throws(() => decodeSignature(bytes, 'signature-1'), { code: 'INVALID_ARGUMENT', message })
  },
  title: (_, what) => `decodeSignature() refuses ${what}`,
})

test(refuses, 'nothing', Buffer.alloc(0), /signature-1: an empty signature/)
test(refuses, 'text', Buffer.from('-----BEGIN PGP'), /unrecognized signature format$/)
test(refuses, 'a format without end', Buffer.from('\0sigstore-json'), /unrecognized signature format$/)
test(refuses, 'another format', Buffer.from('\0other\n{}'), /unrecognized signature format "other"/)
test(refuses, 'a body that is not JSON', Buffer.from('\0sigstore-json\nx'), /not JSON/)
test(
  refuses,
  'a body without payload',
  Buffer.from('\0sigstore-json\n{"mimeType":"x"}'),
  /payload: expected a string/,
)

test('decodeSignature() throws nothing but errors of ours', t => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.boolean(), (junk, marked) => {
      const bytes = marked ? Buffer.concat([Buffer.from('\0sigstore-json\n'), junk]) : junk
      try {
        decodeSignature(bytes, 's')
      } catch (error) {
        if (!isOrlopError(error)) t.fail(String(error))
      }
    }),
  )
  t.pass()
})

test('sameSignature() looks at contents, in whatever order', t => {
  const { other, ...rest } = sigstore.annotations
  t.true(sameSignature(sigstore, { ...sigstore, annotations: { other: other ?? '', ...rest } }))
  t.false(sameSignature(sigstore, { ...sigstore, annotations: rest }))
  t.false(sameSignature(sigstore, { ...sigstore, payload: Buffer.from('{}') }))
  t.false(sameSignature(sigstore, simple))
  t.true(sameSignature(simple, { ...simple }))
})
