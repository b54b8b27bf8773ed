import test from 'ava'
import fc from 'fast-check'
import { type Digest, digestOf, parseDigest } from '../../src/oci/digest.ts'
import { DigestTable } from '../../src/oci/digest-table.ts'

const number = (at: number): Digest => digestOf(`${at}`)

test('DigestTable numbers digests in the order they come, each once', t => {
  const table = new DigestTable()
  const many = Array.from({ length: 5000 }, (_, at) => digestOf(`${at}`, at % 7 === 0 ? 'sha512' : 'sha256'))
  for (const [at, digest] of many.entries()) t.is(table.add(digest), at)
  t.is(table.size, many.length)
  for (const [at, digest] of many.entries()) {
    t.is(table.add(digest), at)
    t.is(table.find(digest), at)
    t.is(table.at(at), digest)
  }
  t.is(table.size, many.length)
})

test('DigestTable does not find what was not added', t => {
  const table = new DigestTable()
  t.is(table.find(number(1)), -1)
  for (let at = 0; at < 100; at++) table.add(number(at))
  t.is(table.find(number(100)), -1)
  t.false(table.has(digestOf('1', 'sha384')))
})

test('DigestTable tells digests apart that differ in one digit, whichever it is', t => {
  const digit = fc.constantFrom(...'0123456789abcdef')
  const hex = fc.array(digit, { minLength: 64, maxLength: 64 })
  fc.assert(
    fc.property(hex, fc.nat(63), digit, (digits, at, other) => {
      const [one, two] = [digits, digits.with(at, other)].map(one => parseDigest(`sha256:${one.join('')}`))
      if (one === undefined || two === undefined) return false
      const table = new DigestTable()
      table.add(one)
      table.add(two)
      return table.size === (one === two ? 1 : 2) && table.at(0) === one && table.at(table.size - 1) === two
    }),
  )
  t.pass()
})

test('DigestTable keeps many digests apart that begin alike', t => {
  const table = new DigestTable()
  const alike = Array.from({ length: 3000 }, (_, at) =>
    parseDigest(`sha256:${'ab'.repeat(28)}${at.toString(16).padStart(8, '0')}`),
  )
  for (const digest of alike) table.add(digest)
  t.deepEqual(
    alike.map(digest => table.find(digest)),
    alike.map((_, at) => at),
  )
})
