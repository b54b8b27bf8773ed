import test from 'ava'
import fc from 'fast-check'
import { parseSpec, specToString } from '../../src/oci/spec.ts'

const reads = test.macro<
  [text: string, locator: string, object: string, digest?: string | undefined, printed?: string]
>({
  exec(t, text, locator, object, digest, printed = text) {
    const spec = parseSpec(text)
    t.is(spec.locator, locator)
    t.is(spec.object, object)
    t.is(spec.hostname, locator.replace(/\/.*/, ''))
    t.is(spec.digest, digest)
    t.is(specToString(spec), printed)
    t.true(Object.isFrozen(spec))
  },
  title: (_, text) => `parseSpec() reads ${text}`,
})

const redis = 'docker.io/library/redis'
test(reads, `${redis}:foo?fooo=asdf`, redis, 'foo', undefined, `${redis}:foo`)
test(reads, `${redis}:foo#part`, redis, 'foo', undefined, `${redis}:foo`)
test(
  reads,
  `${redis}:foo@sha256:abcdef?a=b`,
  redis,
  'foo@sha256:abcdef',
  'sha256:abcdef',
  `${redis}:foo@sha256:abcdef`,
)
test(reads, `${redis}@sha256:abcdef`, redis, '@sha256:abcdef', 'sha256:abcdef')
test(reads, `${redis}:obj@abcdef123`, redis, 'obj@abcdef123', 'abcdef123')
test(reads, `localhost:5000/library/redis:obj@abc`, 'localhost:5000/library/redis', 'obj@abc', 'abc')
test(reads, `${redis}?asdf=b`, redis, '', undefined, redis)
test(reads, 'sub-dom1.foo.com/bah/baz/quux', 'sub-dom1.foo.com/bah/baz/quux', '')
test(reads, 'sub-dom1.foo.com/bah/baz/quux:some-long-tag', 'sub-dom1.foo.com/bah/baz/quux', 'some-long-tag')
test(
  reads,
  'b.gcr.io/test.example.com/my-app:test.example.com',
  'b.gcr.io/test.example.com/my-app',
  'test.example.com',
)
test(reads, 'xn--n3h.com/myimage:xn--n3h.com', 'xn--n3h.com/myimage', 'xn--n3h.com')
test(
  reads,
  'xn--7o8h.com/myimage:xn--7o8h.com@sha512:ff',
  'xn--7o8h.com/myimage',
  'xn--7o8h.com@sha512:ff',
  'sha512:ff',
)
test(reads, 'alpine', 'alpine', '')
test(reads, 'Docker.io/Upper/Case:T', 'Docker.io/Upper/Case', 'T')
test(reads, '[::1]:5000/a:b', '[::1]:5000/a', 'b')
test(reads, 'localhost:/a', 'localhost:/a', '')
test(reads, 'h.io//a/./b/:t', 'h.io/a/b', 't', undefined, 'h.io/a/b:t')
test(reads, 'h.io/a%41', 'h.io/aA', '', undefined, 'h.io/aA')

const refuses = test.macro<[text: string, message: RegExp]>({
  exec(t, text, message) {
    t.throws(() => parseSpec(text), { code: 'INVALID_ARGUMENT', message })
  },
  title: (_, text) => `parseSpec() refuses ${JSON.stringify(text)}`,
})

test(refuses, '', /hostname required; expected one like docker\.io/)
test(refuses, '/docker.io/library/redis:obj@abc', /hostname required/)
test(refuses, '?a', /hostname required/)
test(refuses, 'http://xn--7o8h.com/myimage', /scheme/)
test(refuses, 'redis:latest', /"redis:latest" is not <host>/)
test(refuses, 'redis@sha256:abc', /is not <host>/)
test(refuses, 'user:secret@docker.io/redis', /is not <host>/)
test(refuses, 'bad host/redis', /is not <host>/)
test(refuses, 'docker.io/a/../b', /must not go up/)
test(refuses, 'docker.io/%2e%2e/b', /must not go up/)
test(refuses, 'docker.io/a%zz', /% escape/)
test(refuses, 'docker.io/a\nb', /control characters/)

test('parseSpec() undoes specToString()', t => {
  const word = fc
    .string({ unit: fc.constantFrom(...'abcZ019._-'), minLength: 1, maxLength: 5 })
    .filter(w => !/^\.+$/.test(w))
  const texts = fc
    .tuple(
      word,
      fc.array(word, { minLength: 1, maxLength: 3 }),
      fc.constantFrom('', ':t', '@sha256:ab', ':t@ab'),
    )
    .map(([host, path, object]) => [host, ...path].join('/') + object)
  fc.assert(fc.property(texts, text => specToString(parseSpec(text)) === text))
  t.pass()
})
