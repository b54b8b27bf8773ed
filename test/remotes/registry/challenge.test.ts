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

// What real registries send.
test(
  reads,
  'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/busybox:pull"',
  [
    [
      'bearer',
      {
        realm: 'https://auth.docker.io/token',
        service: 'registry.docker.io',
        scope: 'repository:library/busybox:pull',
      },
    ],
  ],
)
test(
  reads,
  'Bearer realm="https://a/token",service="s",scope="repository:a:pull repository:b:pull,push",error="insufficient_scope"',
  [
    [
      'bearer',
      {
        realm: 'https://a/token',
        service: 's',
        scope: 'repository:a:pull repository:b:pull,push',
        error: 'insufficient_scope',
      },
    ],
  ],
)
test(
  reads,
  'Bearer realm="https://a/oauth2/token",service="a.azurecr.io",scope="repository:x:metadata_read"',
  [
    [
      'bearer',
      { realm: 'https://a/oauth2/token', service: 'a.azurecr.io', scope: 'repository:x:metadata_read' },
    ],
  ],
)
test(
  reads,
  'BASIC realm="https://000000000000.dkr.ecr.eu-west-1.amazonaws.com/",service="ecr.amazonaws.com"',
  [
    [
      'basic',
      { realm: 'https://000000000000.dkr.ecr.eu-west-1.amazonaws.com/', service: 'ecr.amazonaws.com' },
    ],
  ],
)
test(reads, 'Basic realm="Sonatype Nexus Repository Manager"', [
  ['basic', { realm: 'Sonatype Nexus Repository Manager' }],
])
test(reads, 'Digest realm="a", qop="auth,auth-int", algorithm=SHA-256, nonce="7yp==", Bearer realm="b"', [
  ['digest', { realm: 'a', qop: 'auth,auth-int', algorithm: 'SHA-256', nonce: '7yp==' }],
  ['bearer', { realm: 'b' }],
])
test(reads, 'Negotiate TlRMTVNTUAAB, NTLM, Basic realm="x"', [
  ['negotiate', {}],
  ['ntlm', {}],
  ['basic', { realm: 'x' }],
])

// What nobody should send.
test(reads, 'Bearer realm="a"service="b"', [['bearer', { realm: 'a', service: 'b' }]])
test(reads, 'Bearer realm="a" service="b"', [['bearer', { realm: 'a', service: 'b' }]])
test(reads, 'Bearer realm=a b=c', [['bearer', { realm: 'a', b: 'c' }]])
test(reads, 'Bearer realm=https://a/token service=s', [
  ['bearer', { realm: 'https://a/token', service: 's' }],
])
test(reads, 'Bearer,realm="a"', [['bearer', { realm: 'a' }]])
test(reads, '  Bearer\trealm="a"', [['bearer', { realm: 'a' }]])
test(reads, 'Bearer realm="a\\', [['bearer', {}]])
test(reads, 'Bearer realm="\\""', [['bearer', { realm: '"' }]])
test(reads, 'Bearer REALM="a",realm="b"', [['bearer', { realm: 'a' }]])
test(reads, '="a", Bearer realm="b"', [['bearer', { realm: 'b' }]])
test(reads, 'Bärer realm="a", Basic realm="b"', [['basic', { realm: 'b' }]])

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
  for (const header of [hostile, `Bearer ${'a=b '.repeat(8000)}`, `Bearer a=${' b'.repeat(16_000)}`])
    t.true(parseChallenges([header]).length >= 1)
})

const tokenText = fc.string({
  unit: fc.constantFrom(...'abcXYZ019!#$%&*+.^_`|~-'),
  minLength: 1,
  maxLength: 8,
})
const quotedText = fc.string({ unit: fc.constantFrom(...'ab ,="\\\t:/=?&Bearer'), maxLength: 20 })
const quote = (text: string): string => `"${text.replaceAll(/["\\]/g, '\\$&')}"`

test('parseChallenges() reads what a sound writer writes, in one header or in several', t => {
  const parameters = fc.uniqueArray(fc.tuple(tokenText, quotedText), {
    selector: ([name]) => name.toLowerCase(),
    minLength: 1,
    maxLength: 4,
  })
  const challenges = fc.array(fc.tuple(tokenText, parameters), { maxLength: 4 })
  const gap = fc.constantFrom(', ', ',', ' , ,')
  fc.assert(
    fc.property(challenges, gap, fc.boolean(), (written, comma, inOne) => {
      const headers = written.map(([scheme, list]) => {
        const pairs = list.map(([name, value]) => `${name}=${quote(value)}`)
        return `${scheme} ${pairs.join(comma)}`
      })
      const found = parseChallenges(inOne ? [headers.join(comma)] : headers)
      t.deepEqual(
        found.map(({ scheme, parameters: read }) => [scheme, [...read]]),
        written.map(([scheme, list]) => [
          scheme.toLowerCase(),
          list.map(([name, value]) => [name.toLowerCase(), value]),
        ]),
      )
    }),
  )
})

test('parseChallenges() keeps a sound challenge, whatever stands before it in headers of their own', t => {
  const noise = fc.array(fc.string({ unit: fc.constantFrom(...'Bearer ",=\\\t?realm') }), { maxLength: 3 })
  fc.assert(
    fc.property(noise, headers => {
      const last = parseChallenges([...headers, 'Bearer realm="https://a/token",service="s"']).at(-1)
      t.deepEqual(last?.scheme, 'bearer')
      t.deepEqual(
        [...(last?.parameters ?? [])],
        [
          ['realm', 'https://a/token'],
          ['service', 's'],
        ],
      )
    }),
  )
})
