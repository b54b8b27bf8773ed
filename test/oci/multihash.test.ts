import test from 'ava'
import fc from 'fast-check'
import { type Algorithm, digestOf } from '../../src/oci/digest.ts'
import { fromCid, fromMultihash, toCid, toMultihash } from '../../src/oci/multihash.ts'

const hex = (text: string): Uint8Array => Buffer.from(text, 'hex')

test('toMultihash() puts code and length before the bytes', t => {
  const head = (algorithm: Algorithm) =>
    Buffer.from(toMultihash(digestOf('', algorithm))).toString('hex', 0, 2)
  t.is(head('sha256'), '1220')
  t.is(head('sha384'), '2030')
  t.is(head('sha512'), '1340')
})

test('toCid() gives the CID of raw bytes', t => {
  // 01 55 12 20 and the sha256, in base32 by another program
  t.is(toCid(digestOf('hello world')), 'bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e')
  t.is(fromCid('bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e'), digestOf('hello world'))
})

test('fromMultihash() and fromCid() undo toMultihash() and toCid()', t => {
  fc.assert(
    fc.property(
      fc.uint8Array(),
      fc.constantFrom<Algorithm>('sha256', 'sha384', 'sha512'),
      (bytes, algorithm) => {
        const digest = digestOf(bytes, algorithm)
        return fromMultihash(toMultihash(digest)) === digest && fromCid(toCid(digest)) === digest
      },
    ),
  )
  t.pass()
})

const refusesBytes = test.macro<[what: string, bytes: Uint8Array]>({
  exec(t, _, bytes) {
    t.throws(() => fromMultihash(bytes), { code: 'INVALID_ARGUMENT', message: /^multihash: / })
  },
  title: (_, what) => `fromMultihash() refuses ${what}`,
})

test(refusesBytes, 'nothing', hex(''))
test(refusesBytes, 'a code alone', hex('12'))
test(refusesBytes, 'too few bytes', hex(`1220${'00'.repeat(31)}`))
test(refusesBytes, 'too many bytes', hex(`1220${'00'.repeat(33)}`))
test(refusesBytes, 'sha256 of another length', hex(`1214${'00'.repeat(20)}`))
test(refusesBytes, 'sha1', hex(`1114${'00'.repeat(20)}`))
test(refusesBytes, 'identity', hex('000161'))

const refusesCid = test.macro<[text: string, why: RegExp]>({
  exec(t, text, why) {
    t.throws(() => fromCid(text), { code: 'INVALID_ARGUMENT', message: why })
  },
  title: (_, text) => `fromCid() refuses ${JSON.stringify(text.slice(0, 60))}`,
})

test(refusesCid, '', /^CID "": /)
test(refusesCid, 'sha256:abc', /^CID /)
test(refusesCid, 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG', /version 0, expected 1/)
test(refusesCid, 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi', /codec 0x70, expected raw/)
test(refusesCid, 'bafkqaalb', /hash 0x0, expected sha256/)
test(refusesCid, 'bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5', /^CID /)
