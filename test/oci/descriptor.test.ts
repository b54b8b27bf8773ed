import test from 'ava'
import fc from 'fast-check'
import {
  type Descriptor,
  descriptorOf,
  descriptorToJson,
  embeddedData,
  readDescriptor,
  sameTarget,
} from '../../src/oci/descriptor.ts'
import { digestOf } from '../../src/oci/digest.ts'

const digest = digestOf('x')
const plain = { mediaType: 'text/plain', digest, size: 1 }

test('readDescriptor() undoes descriptorToJson()', t => {
  const text = fc.string({ unit: 'grapheme' })
  const some = fc.string({ unit: 'grapheme', minLength: 1 })
  const descriptors = fc
    .record(
      {
        mediaType: text,
        digest: fc.constantFrom(digest, digestOf('x', 'sha384'), digestOf('x', 'sha512')),
        size: fc.maxSafeNat(),
        urls: fc.array(text),
        annotations: fc.dictionary(fc.oneof(text, fc.constantFrom('__proto__', 'constructor')), text),
        data: text,
        artifactType: text,
        platform: fc.record(
          {
            os: text,
            architecture: text,
            variant: some,
            osVersion: some,
            osFeatures: fc.array(text, { minLength: 1 }),
          },
          { requiredKeys: ['os', 'architecture'] },
        ),
      },
      { requiredKeys: ['mediaType', 'digest', 'size'] },
    )
    .map(made => readDescriptor(JSON.parse(JSON.stringify(descriptorToJson(made))), 'd'))
  fc.assert(
    fc.property(descriptors, desc => {
      t.deepEqual(readDescriptor(JSON.parse(JSON.stringify(descriptorToJson(desc))), 'd'), desc)
    }),
  )
})

test('readDescriptor() keeps every field, frozen', t => {
  const desc = readDescriptor(
    {
      ...plain,
      urls: ['https://a/b'],
      annotations: { a: 'b' },
      data: 'eA==',
      artifactType: 'a/b',
      platform: { os: 'linux', architecture: 'arm', variant: 'v6' },
      unknown: true,
    },
    'd',
  )
  t.deepEqual(desc, {
    ...plain,
    urls: ['https://a/b'],
    annotations: { a: 'b' },
    data: 'eA==',
    platform: { os: 'linux', architecture: 'arm', variant: 'v6' },
    artifactType: 'a/b',
  })
  for (const part of [desc, desc.urls, desc.annotations, desc.platform]) t.true(Object.isFrozen(part))
})

test('readDescriptor() takes null for absent', t => {
  t.deepEqual(
    readDescriptor({ ...plain, urls: null, annotations: null, platform: null, data: null }, 'd'),
    plain,
  )
})

const refuses = test.macro<[what: string, value: unknown, message: string | RegExp]>({
  exec(t, _, value, message) {
    t.throws(() => readDescriptor(value, 'd'), { code: 'INVALID_ARGUMENT', message })
  },
  title: (_, what) => `readDescriptor() refuses ${what}`,
})

test(refuses, 'null', null, 'd: expected an object, got null')
test(refuses, 'an array', [plain], 'd: expected an object, got an array')
test(refuses, 'no media type', { digest, size: 1 }, 'd.mediaType: expected a string, got nothing')
test(refuses, 'no digest', { mediaType: 'a', size: 1 }, 'd.digest: expected a string, got nothing')
test(refuses, 'no size', { mediaType: 'a', digest }, /^d\.size: expected a whole number/)
test(refuses, 'a negative size', { ...plain, size: -1 }, /^d\.size: /)
test(refuses, 'a size in text', { ...plain, size: '1' }, /^d\.size: /)
test(
  refuses,
  'a wrong digest',
  { ...plain, digest: 'sha256:abc' },
  /^d\.digest: digest "sha256:abc": sha256 needs 64/,
)
test(refuses, 'a digest that climbs', { ...plain, digest: 'sha256:../../etc/passwd' }, /^d\.digest: /)
test(
  refuses,
  'annotations that are no text',
  { ...plain, annotations: { a: 1 } },
  'd.annotations.a: expected a string, got 1',
)
test(refuses, 'a URL that is no text', { ...plain, urls: [1] }, 'd.urls[0]: expected a string, got 1')
test(refuses, 'a platform that is none', { ...plain, platform: 'linux' }, /^d\.platform: expected an object/)
test(
  refuses,
  'a second digest in capitals',
  { ...plain, Digest: digestOf('y') },
  'd: key "Digest" can be taken for "digest"',
)
test(
  refuses,
  'a key in other case',
  { MediaType: 'a', digest, size: 1 },
  'd: key "MediaType" can be taken for "mediaType"',
)
test(
  refuses,
  'a platform with a key in other case',
  { ...plain, platform: { OS: 'linux' } },
  'd.platform: key "OS" can be taken for "os"',
)

test('descriptorOf() measures bytes, not characters', t => {
  const desc = descriptorOf('text/plain', Buffer.from('牛'), { annotations: { a: 'b' } })
  t.deepEqual(desc, { mediaType: 'text/plain', digest: digestOf('牛'), size: 3, annotations: { a: 'b' } })
  t.true(Object.isFrozen(desc))
})

test('sameTarget() looks at what finds the bytes', t => {
  const desc: Descriptor = plain
  t.true(sameTarget(desc, { ...desc, annotations: {}, platform: { os: 'a', architecture: 'b' } }))
  t.false(sameTarget(desc, { ...desc, size: 2 }))
  t.false(sameTarget(desc, { ...desc, mediaType: 'a' }))
  t.false(sameTarget(desc, { ...desc, digest: digestOf('y') }))
})

test('embeddedData() gives bytes that are what the descriptor says', t => {
  for (const algorithm of ['sha256', 'sha384', 'sha512'] as const) {
    const desc = {
      digest: digestOf('hello', algorithm),
      size: 5,
      data: Buffer.from('hello').toString('base64'),
    }
    t.deepEqual(embeddedData(desc), Buffer.from('hello'))
    t.is(embeddedData({ ...desc, size: 4 }), undefined)
    t.is(embeddedData({ ...desc, data: '' }), undefined)
    t.is(embeddedData({ ...desc, data: '!!!' }), undefined)
    t.is(embeddedData({ ...desc, data: Buffer.from('hellO').toString('base64') }), undefined)
  }
  t.is(embeddedData(plain), undefined)
  t.deepEqual(embeddedData({ digest: digestOf(''), size: 0, data: '' }), Buffer.alloc(0))
})
