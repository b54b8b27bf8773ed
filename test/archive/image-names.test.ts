import test from 'ava'
import { imageNames, type Naming } from '../../src/archive/image-names.ts'
import { layoutName } from '../../src/archive/ref-name.ts'
import { descriptorOf } from '../../src/oci/descriptor.ts'

const base = 'import-2026-01-02'
const target = descriptorOf('x', Buffer.from('x'))
const { digest } = target

/** Names of an entry whose layout name and containerd name are these. */
const names = (refName: string | undefined, full: string | undefined, naming: Naming): readonly string[] => {
  const annotations = {
    ...(refName !== undefined && { 'org.opencontainers.image.ref.name': refName }),
    ...(full !== undefined && { 'io.containerd.image.name': full }),
  }
  return imageNames({ ...target, annotations }, naming, 'x.tar')
}

const isNamed = test.macro<[string | undefined, string | undefined, Naming, readonly string[]]>({
  exec: (t, refName, full, naming, expected) => t.deepEqual(names(refName, full, naming), expected),
  title: (_, refName, full, naming) => `imageNames() of ${refName} and ${full} by ${JSON.stringify(naming)}`,
})

// As containerd's AddRefPrefix has it.
test(isNamed, undefined, undefined, { base }, [])
test(isNamed, '', '', { base }, [])
test(isNamed, 'latest', undefined, { base }, ['import-2026-01-02:latest'])
test(isNamed, 'v1', 'docker.io/library/a:v1', { base }, ['docker.io/library/a:v1'])
test(isNamed, 'docker.io/library/a:v1', undefined, { base }, ['docker.io/library/a:v1'])
test(isNamed, 'a:v1', undefined, { base }, ['a:v1'])
// As its FilterRefPrefix has it.
test(isNamed, 'latest', undefined, { base: 'foo/bar', only: true }, ['foo/bar:latest'])
test(isNamed, 'foo/bar:x', undefined, { base: 'foo/bar', only: true }, ['foo/bar:x'])
test(isNamed, 'foo/bar/baz:x', undefined, { base: 'foo/bar', only: true }, ['foo/bar/baz:x'])
test(isNamed, 'foo/barn:x', undefined, { base: 'foo/bar', only: true }, [])
test(isNamed, 'x/y:z', undefined, { base: 'foo/bar', only: true }, [])
test(isNamed, 'x', 'docker.io/library/a:v1', { base: 'foo/bar', only: true }, ['docker.io/library/a:v1'])
// By digest.
test(isNamed, undefined, undefined, { base, digests: true }, [`${base}@${digest}`])
test(isNamed, 'a', undefined, { base, digests: true }, [`${base}:a`, `${base}@${digest}`])
test(isNamed, 'a', undefined, { base, digests: true, skipDigestForNamed: true }, [`${base}:a`])
test(isNamed, undefined, undefined, { base, digests: true, skipDigestForNamed: true }, [`${base}@${digest}`])

for (const name of [
  '../x:1',
  'a b:1',
  'A/b:1',
  'a\u0000:1',
  '\u001b[2J/x',
  'http://x/y:1',
  `a/${'b'.repeat(300)}:1`,
]) {
  test(`imageNames() refuses ${JSON.stringify(name.slice(0, 40))}, by either annotation`, t => {
    const expected = { code: 'INVALID_ARGUMENT', message: /^x\.tar: an image has a name that is none/ }
    t.throws(() => names(undefined, name, { base }), expected)
    t.throws(() => names(name.includes('/') ? name : `${name}/`, undefined, { base }), expected)
  })
}

const isCalled = test.macro<[string, string]>({
  exec: (t, name, expected) => t.is(layoutName(name), expected),
  title: (_, name) => `layoutName() of ${name}`,
})

test(isCalled, 'docker.io/library/a:v1', 'v1')
test(isCalled, 'import-2026-01-02:x', 'import-2026-01-02:x')
test(isCalled, 'docker.io/library/a', 'docker.io/library/a')
test(isCalled, `docker.io/library/a@${digest}`, `docker.io/library/a@${digest}`)
test(isCalled, `docker.io/library/a:v1@${digest}`, `v1@${digest}`)
