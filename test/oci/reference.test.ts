import test from 'ava'
import fc from 'fast-check'
import { type Digest, digestOf } from '../../src/oci/digest.ts'
import {
  familiarName,
  familiarReference,
  formatReference,
  parseReference,
  repositoryName,
  withDefaultTag,
  withDigest,
  withTag,
} from '../../src/oci/reference.ts'

const digest: Digest = digestOf('x')

const reads = test.macro<[text: string, full: string, familiar: string]>({
  exec(t, text, full, familiar) {
    const reference = parseReference(text)
    t.is(formatReference(reference), full)
    t.is(familiarReference(reference), familiar)
    t.deepEqual(parseReference(full), reference)
    t.deepEqual(parseReference(familiar), reference)
    t.true(Object.isFrozen(reference))
  },
  title: (_, text) => `parseReference() reads ${text}`,
})

test(reads, 'alpine', 'docker.io/library/alpine', 'alpine')
test(reads, 'alpine:3.20', 'docker.io/library/alpine:3.20', 'alpine:3.20')
test(reads, `alpine@${digest}`, `docker.io/library/alpine@${digest}`, `alpine@${digest}`)
test(reads, `alpine:3.20@${digest}`, `docker.io/library/alpine:3.20@${digest}`, `alpine:3.20@${digest}`)
test(
  reads,
  `alpine@${digestOf('x', 'sha384')}`,
  `docker.io/library/alpine@${digestOf('x', 'sha384')}`,
  `alpine@${digestOf('x', 'sha384')}`,
)
test(reads, 'library/alpine', 'docker.io/library/alpine', 'alpine')
test(reads, 'docker.io/alpine', 'docker.io/library/alpine', 'alpine')
test(reads, 'index.docker.io/alpine', 'docker.io/library/alpine', 'alpine')
test(reads, 'index.docker.io/library/alpine:a', 'docker.io/library/alpine:a', 'alpine:a')
test(reads, 'owner/name', 'docker.io/owner/name', 'owner/name')
test(reads, 'library/a/b', 'docker.io/library/a/b', 'library/a/b')
test(reads, 'library', 'docker.io/library/library', 'library')
test(reads, 'docker.io/localhost/name', 'docker.io/localhost/name', 'docker.io/localhost/name')
test(reads, 'docker.io/a.b/name', 'docker.io/a.b/name', 'docker.io/a.b/name')
test(reads, 'ghcr.io/owner/name:tag', 'ghcr.io/owner/name:tag', 'ghcr.io/owner/name:tag')
test(reads, 'localhost/name', 'localhost/name', 'localhost/name')
test(reads, 'localhost:5000/name:1', 'localhost:5000/name:1', 'localhost:5000/name:1')
test(reads, `${'a'.repeat(64)}:b`, `docker.io/library/${'a'.repeat(64)}:b`, `library/${'a'.repeat(64)}:b`)
test(reads, 'localhost:5000', 'docker.io/library/localhost:5000', 'localhost:5000')
test(reads, 'Host.Example.COM/name', 'Host.Example.COM/name', 'Host.Example.COM/name')
test(reads, '127.0.0.1:80/a', '127.0.0.1:80/a', '127.0.0.1:80/a')
test(reads, '[2001:db8::1]/a', '[2001:db8::1]/a', '[2001:db8::1]/a')
test(reads, '[::1]:5000/a/b:c', '[::1]:5000/a/b:c', '[::1]:5000/a/b:c')
test(reads, 'xn--n3h.com/a--b/c__d/e.f_g', 'xn--n3h.com/a--b/c__d/e.f_g', 'xn--n3h.com/a--b/c__d/e.f_g')
test(reads, `a:${'t'.repeat(128)}`, `docker.io/library/a:${'t'.repeat(128)}`, `a:${'t'.repeat(128)}`)
test(reads, `a.b/${'c'.repeat(251)}`, `a.b/${'c'.repeat(251)}`, `a.b/${'c'.repeat(251)}`)
test(reads, 'a'.repeat(63), `docker.io/library/${'a'.repeat(63)}`, 'a'.repeat(63))
test(reads, `${'g'.repeat(64)}`, `docker.io/library/${'g'.repeat(64)}`, 'g'.repeat(64))

const refuses = test.macro<[text: string, message: RegExp]>({
  exec(t, text, message) {
    t.throws(() => parseReference(text), { code: 'INVALID_ARGUMENT', message })
  },
  title: (_, text) => `parseReference() refuses ${JSON.stringify(text.slice(0, 60))}`,
})

test(refuses, '', /empty; expected a name like/)
test(refuses, 'Alpine', /must be in lower case: "alpine"/)
test(refuses, 'ghcr.io/Owner/name', /must be in lower case: "owner\/name"/)
test(refuses, 'Owner/name', /must be in lower case/)
test(refuses, 'https://ghcr.io/a/b', /leave out the scheme/)
test(refuses, 'a b', /no blanks/)
test(refuses, 'alpine\n', /no blanks/)
test(refuses, 'a'.repeat(64), /64 hexadecimal characters/)
test(refuses, `ghcr.io/${'a'.repeat(250)}`, /more than 255/)
test(refuses, `a:${'t'.repeat(129)}`, /is not a tag: at most 128/)
test(refuses, 'alpine:', /"" is not a tag/)
test(refuses, 'alpine:.a', /is not a tag/)
test(refuses, 'alpine:-a', /is not a tag/)
test(refuses, 'alpine:a:b', /cannot be part/)
test(refuses, 'alpine:ä', /is not a tag/)
test(refuses, ':tag', /name of the repository is missing/)
test(refuses, '@sha256:aa', /name of the repository is missing/)
test(refuses, 'ghcr.io/', /name of the repository is missing/)
test(refuses, 'a//b', /"" cannot be part/)
test(refuses, '/a', /"" cannot be part/)
test(refuses, 'a/', /"" cannot be part/)
test(refuses, 'a..b', /cannot be part/)
test(refuses, 'a___b', /cannot be part/)
test(refuses, 'a._b', /cannot be part/)
test(refuses, '-a', /cannot be part/)
test(refuses, 'a-', /cannot be part/)
test(refuses, '../a', /not a host/)
test(refuses, '-a.io/b', /not a host/)
test(refuses, 'a.io:port/b', /not a host/)
test(refuses, 'a.io:/b', /not a host/)
test(refuses, '[::1/b', /not a host/)
test(refuses, '[::1]x/b', /not a host/)
test(refuses, 'alpine@', /not <algorithm>:<hex>/)
test(refuses, 'alpine@sha256:abc', /needs 64 characters/)
test(refuses, `alpine@md5:${'a'.repeat(32)}`, /algorithm md5 is not supported/)
test(refuses, `alpine@${digest}@${digest}`, /not <algorithm>/)
test(refuses, `alpine@${digest.toUpperCase()}`, /not <algorithm>/)

test('parseReference() refuses an id also under a tag', t => {
  t.throws(() => parseReference(`${'0a'.repeat(32)}@${digest}`), { message: /64 hexadecimal/ })
})

test('parseReference() takes long hostile texts in no time', t => {
  for (const text of [
    'a-'.repeat(200_000),
    `a.${'b-'.repeat(100_000)}/c`,
    'a/'.repeat(200_000),
    `a:${'.'.repeat(300_000)}`,
  ])
    t.throws(() => parseReference(text), { code: 'INVALID_ARGUMENT' })
})

test('withDefaultTag() adds latest only where nothing is said', t => {
  t.is(formatReference(withDefaultTag(parseReference('a'))), 'docker.io/library/a:latest')
  t.is(formatReference(withDefaultTag(parseReference('a:b'))), 'docker.io/library/a:b')
  t.is(formatReference(withDefaultTag(parseReference(`a@${digest}`))), `docker.io/library/a@${digest}`)
})

test('withTag() and withDigest() replace what was there', t => {
  const reference = parseReference(`ghcr.io/a/b:c@${digest}`)
  t.is(formatReference(withTag(reference, 'v2')), 'ghcr.io/a/b:v2')
  t.is(formatReference(withDigest(reference, digest)), `ghcr.io/a/b@${digest}`)
  t.throws(() => withTag(reference, 'a/b'), { code: 'INVALID_ARGUMENT', message: /"a\/b" is not a tag/ })
})

test('familiarName() and repositoryName() leave out tag and digest', t => {
  const reference = parseReference(`alpine:3@${digest}`)
  t.is(familiarName(reference), 'alpine')
  t.is(repositoryName(reference), 'docker.io/library/alpine')
})

test('parseReference() undoes formatReference() and familiarReference()', t => {
  const component = fc.stringMatching(/^[a-z0-9]{1,4}((\.|_|__|-{1,3})[a-z0-9]{1,3}){0,2}$/)
  const domain = fc.oneof(
    fc.constant('docker.io/'),
    fc.stringMatching(/^[a-zA-Z0-9]{1,4}\.[a-z]{2,3}(:[0-9]{1,4})?\/$/),
  )
  const tag = fc.oneof(fc.constant(''), fc.stringMatching(/^:\w[\w.-]{0,8}$/))
  const end = fc.constantFrom('', `@${digest}`)
  const texts = fc
    .tuple(domain, fc.array(component, { minLength: 1, maxLength: 4 }), tag, end)
    .map(([host, path, ...rest]) => host + path.join('/') + rest.join(''))
  fc.assert(
    fc.property(texts, text => {
      const reference = parseReference(text)
      t.deepEqual(parseReference(formatReference(reference)), reference)
      t.deepEqual(parseReference(familiarReference(reference)), reference)
    }),
  )
})
