import { createHash } from 'node:crypto'
import test from 'ava'
import fc from 'fast-check'
import {
  type Algorithm,
  algorithmOf,
  Digester,
  digestOf,
  digestSizes,
  encodedOf,
  isAlgorithm,
  isDigest,
  parseDigest,
} from '../../src/oci/digest.ts'

const empty256 = 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
const algorithms: readonly Algorithm[] = ['sha256', 'sha384', 'sha512']

for (const algorithm of algorithms)
  test(`parseDigest() takes ${algorithm}`, t => {
    const digest = parseDigest(`${algorithm}:${createHash(algorithm).update('x').digest('hex')}`)
    t.is(digest, digestOf('x', algorithm))
    t.is(algorithmOf(digest), algorithm)
    t.is(encodedOf(digest).length, digestSizes[algorithm] * 2)
    t.true(isDigest(digest))
    t.true(isAlgorithm(algorithm))
  })

test('digestOf() of nothing is the digest of the empty blob', t => {
  t.is(digestOf(new Uint8Array()), parseDigest(empty256))
  t.is(digestOf(''), parseDigest(empty256))
})

test('digestOf() takes a string as its UTF-8', t => {
  t.is(digestOf('牛'), digestOf(Buffer.from('牛')))
})

const refuses = test.macro<[text: string, message: RegExp]>({
  exec(t, text, message) {
    const error = t.throws(() => parseDigest(text), { code: 'INVALID_ARGUMENT', message })
    t.true((error?.message.length ?? 0) < 400)
    t.false(isDigest(text))
  },
  title: (_, text) => `parseDigest() refuses ${JSON.stringify(text.slice(0, 90))}`,
})

const hex = 'a'.repeat(64)
test(refuses, '', /not <algorithm>:<hex>/)
test(refuses, 'sha256', /not <algorithm>:<hex>/)
test(refuses, 'sha256:', /not <algorithm>:<hex>/)
test(refuses, `:${hex}`, /not <algorithm>:<hex>/)
test(refuses, hex, /not <algorithm>:<hex>/)
test(refuses, `sha256:${hex}\n`, /not <algorithm>:<hex>/)
test(refuses, ` sha256:${hex}`, /not <algorithm>:<hex>/)
test(refuses, `SHA256:${hex}`, /not <algorithm>:<hex>/)
test(refuses, `sha256:${hex}:a`, /not <algorithm>:<hex>/)
test(refuses, `sha256:${hex}/../../etc`, /not <algorithm>:<hex>/)
test(refuses, `sha256:../${'a'.repeat(61)}`, /not <algorithm>:<hex>/)
test(refuses, `sha256:${hex.slice(1)}`, /needs 64 characters/)
test(refuses, `sha256:${hex}a`, /needs 64 characters/)
test(refuses, `sha256:${hex.toUpperCase()}`, /lowercase hex/)
test(refuses, `sha256:${'g'.repeat(64)}`, /lowercase hex/)
test(refuses, `sha384:${hex}`, /needs 96 characters/)
test(refuses, `sha512:${hex}`, /needs 128 characters/)
test(refuses, 'md5:d41d8cd98f00b204e9800998ecf8427e', /algorithm md5 is not supported/)
test(refuses, `sha256+b64:${hex}`, /algorithm sha256\+b64 is not supported/)
test(refuses, `constructor:${hex}`, /algorithm constructor is not supported/)
test(refuses, `sha256:${'a'.repeat(1_000_000)}`, /needs 64 characters/)

test('isDigest() agrees with parseDigest()', t => {
  const text = fc.tuple(
    fc.constantFrom('sha256', 'sha384', 'sha512', 'md5', '__proto__', ''),
    fc.constantFrom(':', '', '::'),
    fc.constantFrom(63, 64, 65, 96, 128),
    fc.constantFrom('a', '0', 'A', 'g', '\n'),
  )
  fc.assert(
    fc.property(text, ([algorithm, colon, length, last]) => {
      const candidate = algorithm + colon + '0'.repeat(length - 1) + last
      let parses = true
      try {
        parseDigest(candidate)
      } catch {
        parses = false
      }
      return isDigest(candidate) === parses
    }),
    { numRuns: 500 },
  )
  t.pass()
})

test('Digester gives the same digest however the bytes are cut', t => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.nat(), fc.constantFrom(...algorithms), (bytes, at, algorithm) => {
      const digester = new Digester(algorithm).update(bytes.subarray(0, at)).update(bytes.subarray(at))
      return digester.digest() === digestOf(bytes, algorithm)
    }),
  )
  t.pass()
})

test('Digester goes on after digest(), forgets at reset() and branches at copy()', t => {
  const digester = new Digester('sha384').update('a')
  t.is(digester.digest(), digestOf('a', 'sha384'))
  const branch = digester.copy()
  t.is(digester.update('b').digest(), digestOf('ab', 'sha384'))
  t.is(branch.update('c').digest(), digestOf('ac', 'sha384'))
  digester.reset()
  t.is(digester.digest(), digestOf('', 'sha384'))
  t.is(digester.algorithm, 'sha384')
})
