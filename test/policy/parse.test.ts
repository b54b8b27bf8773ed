import test from 'ava'
import fc from 'fast-check'
import { isOrlopError } from '../../src/errors.ts'
import { parsePolicy } from '../../src/policy/parse.ts'

const accept = { type: 'insecureAcceptAnything' }
const key = { keyPath: '/k' }
const gpg = { type: 'signedBy', keyType: 'GPGKeys', ...key }
const cosign = { type: 'sigstoreSigned', ...key }
const fulcio = { caPath: '/ca', oidcIssuer: 'https://i', subjectEmail: 'a@b' }
const pki = { caRootsPath: '/ca', subjectEmail: 'a@b' }
const rekor = { rekorPublicKeyPath: '/r' }

const takes = test.macro<[requirement: object]>({
  exec(t, requirement) {
    t.is(parsePolicy(JSON.stringify({ default: [requirement] })).default.length, 1)
  },
  title: (_, requirement) => `parsePolicy() takes ${JSON.stringify(requirement)}`,
})

test(takes, accept)
test(takes, { type: 'reject' })
test(takes, gpg)
test(takes, { ...gpg, keyType: 'signedByGPGKeys' })
test(takes, { ...gpg, keyType: 'X509Certificates' })
test(takes, { ...gpg, keyType: 'signedByX509CAs' })
test(takes, { type: 'signedBy', keyType: 'GPGKeys', keyPaths: ['/a', '/b'] })
test(takes, { type: 'signedBy', keyType: 'GPGKeys', keyData: 'YWI=' })
test(takes, { type: 'signedBaseLayer', baseLayerIdentity: { type: 'matchExact' } })
test(takes, cosign)
test(takes, { type: 'sigstoreSigned', keyPaths: ['/a'] })
test(takes, { type: 'sigstoreSigned', keyData: 'YWI=' })
test(takes, { type: 'sigstoreSigned', keyDatas: ['YWI='] })
test(takes, { ...cosign, rekorPublicKeyPath: '/r' })
test(takes, { ...cosign, rekorPublicKeyPaths: ['/r'] })
test(takes, { ...cosign, rekorPublicKeyData: 'YWI=' })
test(takes, { ...cosign, rekorPublicKeyDatas: ['YWI='] })
test(takes, { type: 'sigstoreSigned', fulcio, ...rekor })
test(takes, { type: 'sigstoreSigned', fulcio: { ...fulcio, caPath: undefined, caData: 'YWI=' }, ...rekor })
test(takes, { type: 'sigstoreSigned', pki })
test(takes, { type: 'sigstoreSigned', pki: { caRootsData: 'YWI=', subjectHostname: 'h' } })
test(takes, { type: 'sigstoreSigned', pki: { ...pki, caIntermediatesData: 'YWI=' } })
for (const type of ['matchExact', 'matchRepoDigestOrExact', 'matchRepository'])
  test(takes, { ...cosign, signedIdentity: { type } })
test(takes, { ...cosign, signedIdentity: { type: 'exactReference', dockerReference: 'q.io/a:1' } })
test(takes, { ...cosign, signedIdentity: { type: 'exactRepository', dockerRepository: 'q.io/a' } })
test(takes, {
  ...cosign,
  signedIdentity: { type: 'remapIdentity', prefix: 'mirror:5000/x', signedPrefix: 'q.io' },
})

const refuses = test.macro<[what: string, policy: object | string, message: RegExp]>({
  exec(t, _what, policy, message) {
    const text = typeof policy === 'string' ? policy : JSON.stringify(policy)
    t.throws(() => parsePolicy(text, 'p.json'), { code: 'INVALID_ARGUMENT', message })
  },
  title: (_, what) => `parsePolicy() refuses ${what}`,
})

test(refuses, 'what is not JSON', '{', /p\.json: not JSON/)
test(refuses, 'data behind the policy', '{"default":[{"type":"reject"}]}{}', /not JSON/)
test(refuses, 'an array', '[]', /expected an object, got an array/)
test(refuses, 'a policy without default', { transports: {} }, /"default" is missing/)
test(refuses, 'an unknown key', { default: [accept], extra: 1 }, /unknown key "extra"/)
test(refuses, 'a key that differs in case', { Default: [accept] }, /unknown key "Default"/)
test(
  refuses,
  'a key that comes twice',
  '{"default":[{"type":"reject"}],"default":[{"type":"insecureAcceptAnything"}]}',
  /"default" appears twice/,
)
test(
  refuses,
  'a scope that comes twice',
  '{"default":[{"type":"reject"}],"transports":{"docker":{"a":[{"type":"reject"}],"a":[{"type":"insecureAcceptAnything"}]}}}',
  /key "a" appears twice/,
)
test(refuses, 'an empty list', { default: [] }, /default: the list of requirements is empty/)
test(
  refuses,
  'an empty list of a scope',
  { default: [accept], transports: { docker: { a: [] } } },
  /docker\["a"\]: .*empty/,
)
test(refuses, 'null for a list', { default: null }, /expected an array, got null/)
test(refuses, 'null for transports', { default: [accept], transports: null }, /expected an object, got null/)
test(refuses, 'a requirement that is no object', { default: ['reject'] }, /expected an object, got "reject"/)
test(
  refuses,
  'a relative path as scope',
  { default: [accept], transports: { dir: { a: [accept] } } },
  /absolute path/,
)
test(
  refuses,
  'the root as scope',
  { default: [accept], transports: { oci: { '/': [accept] } } },
  /write the scope ""/,
)
test(
  refuses,
  'a path with ..',
  { default: [accept], transports: { oci: { '/a/../b': [accept] } } },
  /must not have/,
)
test(
  refuses,
  'a path with a slash behind',
  { default: [accept], transports: { dir: { '/a/': [accept] } } },
  /must not have/,
)
test(
  refuses,
  'a scope of a transport without',
  { default: [accept], transports: { 'docker-archive': { '/a': [accept] } } },
  /docker-archive has no scopes but ""/,
)

const refusesRequirement = test.macro<[requirement: object, message: RegExp]>({
  exec(t, requirement, message) {
    t.throws(() => parsePolicy(JSON.stringify({ default: [requirement] })), {
      code: 'INVALID_ARGUMENT',
      message,
    })
  },
  title: (_, requirement) => `parsePolicy() refuses the requirement ${JSON.stringify(requirement)}`,
})

test(refusesRequirement, {}, /unknown type null/)
test(refusesRequirement, { type: 'other' }, /unknown type "other"/)
test(refusesRequirement, { type: 'reject', more: 1 }, /unknown key "more"/)
test(refusesRequirement, { type: 'insecureAcceptAnything', keyPath: '/a' }, /unknown key "keyPath"/)
test(refusesRequirement, { type: 'signedBy', keyPath: '/k' }, /"keyType" is missing/)
test(refusesRequirement, { ...gpg, keyType: 'gpgkeys' }, /"gpgkeys" is not one of/)
test(
  refusesRequirement,
  { type: 'signedBy', keyType: 'GPGKeys' },
  /one of keyPath, keyPaths, keyData is needed/,
)
test(refusesRequirement, { ...gpg, keyData: 'YWI=' }, /only one of .* not keyPath and keyData/)
test(refusesRequirement, { ...gpg, keyPath: '' }, /keyPath: empty/)
test(refusesRequirement, { ...gpg, keyPath: null }, /keyPath: expected a string, got null/)
test(refusesRequirement, { type: 'signedBy', keyType: 'GPGKeys', keyPaths: '/a' }, /expected an array/)
test(refusesRequirement, { type: 'signedBy', keyType: 'GPGKeys', keyData: '%%' }, /keyData: not base64/)
test(refusesRequirement, { ...gpg, signedIdentity: null }, /signedIdentity: expected an object, got null/)
test(refusesRequirement, { ...gpg, rekorPublicKeyPath: '/r' }, /unknown key "rekorPublicKeyPath"/)
test(refusesRequirement, { type: 'signedBaseLayer' }, /"baseLayerIdentity" is missing/)
test(refusesRequirement, { type: 'sigstoreSigned' }, /exactly one of .* not none/)
test(refusesRequirement, { ...cosign, keyType: 'GPGKeys' }, /unknown key "keyType"/)
test(refusesRequirement, { ...cosign, keyPaths: ['/b'] }, /exactly one of .* not keyPath and keyPaths/)
test(refusesRequirement, { ...cosign, fulcio, ...rekor }, /not keyPath and fulcio/)
test(refusesRequirement, { type: 'sigstoreSigned', keyPaths: [] }, /keyPaths: contains no entries/)
test(refusesRequirement, { type: 'sigstoreSigned', keyDatas: [] }, /keyDatas: contains no entries/)
test(refusesRequirement, { ...cosign, rekorPublicKeyPaths: [] }, /contains no entries/)
test(
  refusesRequirement,
  { ...cosign, ...rekor, rekorPublicKeyData: 'YWI=' },
  /only one of rekorPublicKeyPath/,
)
test(refusesRequirement, { type: 'sigstoreSigned', fulcio }, /fulcio needs one of rekorPublicKeyPath/)
test(
  refusesRequirement,
  { type: 'sigstoreSigned', fulcio: { ...fulcio, caData: 'YWI=' }, ...rekor },
  /only one of caPath/,
)
test(
  refusesRequirement,
  { type: 'sigstoreSigned', fulcio: { ...fulcio, caPath: undefined }, ...rekor },
  /caPath or caData/,
)
test(
  refusesRequirement,
  { type: 'sigstoreSigned', fulcio: { ...fulcio, oidcIssuer: '' }, ...rekor },
  /oidcIssuer: empty/,
)
test(
  refusesRequirement,
  { type: 'sigstoreSigned', fulcio: { caPath: '/a', oidcIssuer: 'i' }, ...rekor },
  /"subjectEmail" is missing/,
)
test(refusesRequirement, { type: 'sigstoreSigned', pki, ...rekor }, /pki cannot be combined/)
test(
  refusesRequirement,
  { type: 'sigstoreSigned', pki: { caRootsPath: '/a' } },
  /subjectEmail or subjectHostname/,
)
test(
  refusesRequirement,
  { type: 'sigstoreSigned', pki: { subjectEmail: 'a@b' } },
  /caRootsPath or caRootsData/,
)
test(refusesRequirement, { ...cosign, signedIdentity: { type: 'exact' } }, /unknown type "exact"/)
test(
  refusesRequirement,
  { ...cosign, signedIdentity: { type: 'matchExact', prefix: 'a' } },
  /unknown key "prefix"/,
)
test(
  refusesRequirement,
  { ...cosign, signedIdentity: { type: 'exactReference', dockerReference: 'q.io/a' } },
  /neither a tag nor a digest/,
)
test(
  refusesRequirement,
  { ...cosign, signedIdentity: { type: 'exactRepository', dockerRepository: 'Q/A' } },
  /must be in lower case/,
)
for (const prefix of ['', '/', 'q.io/', 'q.io/A', 'q.io/a:1', 'q.io/a@sha256:00', 'a b', 'q.io//a'])
  test(
    refusesRequirement,
    { ...cosign, signedIdentity: { type: 'remapIdentity', prefix, signedPrefix: 'a.io' } },
    /prefix: .* is not host/,
  )

test('parsePolicy() keeps transports and scopes apart, whatever they are called', t => {
  const { transports } = parsePolicy(
    '{"default":[{"type":"reject"}],"transports":{"__proto__":{"__proto__":[{"type":"reject"}]},"docker":{"":[{"type":"reject"}]}}}',
  )
  t.deepEqual([...transports.keys()], ['__proto__', 'docker'])
  t.deepEqual([...(transports.get('__proto__')?.keys() ?? [])], ['__proto__'])
  t.is(transports.get('constructor'), undefined)
})

/** JSON that looks like a policy in places. */
const almost = fc.letrec<{ value: unknown }>(tie => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.constantFrom<unknown>(
      'reject',
      'sigstoreSigned',
      'signedBy',
      'YWI=',
      '',
      '/k',
      'q.io/a:1',
      null,
      0,
      true,
    ),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(
      fc.constantFrom(
        'default',
        'transports',
        'docker',
        'type',
        'keyPath',
        'keyData',
        'keyType',
        'signedIdentity',
        '',
      ),
      tie('value'),
      { maxKeys: 4 },
    ),
  ),
})).value

test('parsePolicy() gives a policy or says what is wrong with it, whatever it is given', t => {
  const tell = (input: string | Uint8Array): void => {
    try {
      const policy = parsePolicy(input)
      for (const list of [
        policy.default,
        ...[...policy.transports.values()].flatMap(scopes => [...scopes.values()]),
      ])
        if (list.length === 0) t.fail('an empty list of requirements')
    } catch (error) {
      if (!isOrlopError(error) || error.code !== 'INVALID_ARGUMENT') t.fail(String(error))
    }
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), tell))
  fc.assert(fc.property(almost, value => tell(JSON.stringify(value))))
  fc.assert(fc.property(almost, value => tell(JSON.stringify({ default: [value] }))))
  t.pass()
})
