import test from 'ava'
import fc from 'fast-check'
import { parseChallenges } from '../../../src/remotes/registry/challenge.ts'

type Expected = readonly (readonly [scheme: string, parameters: Readonly<Record<string, string>>])[]

const reads = test.macro({
  exec(t, headers: string | readonly string[], expected: Expected) {
    const found = parseChallenges(typeof headers === 'string' ? [headers] : headers)
    t.deepEqual(
      found.map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]),
      expected.map(([scheme, parameters]) => [scheme, { ...parameters }]),
    )
  },
  title: (_, headers) => `parseChallenges() reads ${JSON.stringify(headers)}`,
})

test(reads, [], [])
test(reads, '', [])
test(reads, 'Basic', [['basic', {}]])
test(reads, 'BASIC realm="x"', [['basic', { realm: 'x' }]])
test(reads, 'Bearer realm="https://a/token",service="b",scope="repository:c:pull,push"', [
  ['bearer', { realm: 'https://a/token', service: 'b', scope: 'repository:c:pull,push' }],
])
test(reads, 'Bearer realm=https://a/token', [['bearer', { realm: 'https://a/token' }]])
test(reads, 'Bearer Realm = "a" , SERVICE= b', [['bearer', { realm: 'a', service: 'b' }]])
test(reads, 'Basic realm="a, \\"b\\" c=d"', [['basic', { realm: 'a, "b" c=d' }]])
test(reads, 'Basic realm="x", Bearer realm="y",service="z"', [
  ['basic', { realm: 'x' }],
  ['bearer', { realm: 'y', service: 'z' }],
])
test(
  reads,
  ['Basic realm="x"', 'Bearer realm="y"'],
  [
    ['basic', { realm: 'x' }],
    ['bearer', { realm: 'y' }],
  ],
)
test(reads, 'Negotiate, Basic realm="x"', [
  ['negotiate', {}],
  ['basic', { realm: 'x' }],
])
test(reads, 'Negotiate YWJj==, Basic realm="x"', [
  ['negotiate', {}],
  ['basic', { realm: 'x' }],
])
test(reads, 'Bearer realm="first",realm="second"', [['bearer', { realm: 'first' }]])
test(reads, 'realm="of nobody", Basic realm="x"', [['basic', { realm: 'x' }]])
test(reads, 'Bearer realm="never closed', [['bearer', {}]])
test(reads, 'Bearer ???, realm="y"', [['bearer', { realm: 'y' }]])
test(reads, ',,, ,Basic ,,', [['basic', {}]])
test(reads, 'Bearer realm="",service=""', [['bearer', { realm: '', service: '' }]])
test(reads, 'Bearer __proto__="x",realm="y"', [['bearer', { ['__proto__']: 'x', realm: 'y' }]])

test('parseChallenges() takes any text, and ends', t => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: fc.constantFrom(...'ab ",=\\\t?B') }), { maxLength: 3 }),
      headers => {
        for (const { scheme } of parseChallenges(headers)) t.is(scheme, scheme.toLowerCase())
      },
    ),
  )
  t.pass()
})

test('parseChallenges() needs no more than a moment for a long hostile header', t => {
  const hostile = `Bearer ${'a="'.repeat(5000)}${'\\"'.repeat(5000)}`
  t.true(parseChallenges([hostile]).length >= 1)
})
