import test from 'ava'
import { formatReference, parseReference } from '../../../src/oci/reference.ts'
import type { Registry } from '../../../src/remotes/registry/registries-conf.ts'
import { findRegistry, pullSources } from '../../../src/remotes/registry/registries-match.ts'

const finds = test.macro({
  exec(t, reference: string, prefixes: readonly string[], expected: string | undefined) {
    const registries = prefixes.map(prefix => ({ prefix }))
    t.is(findRegistry(registries, reference)?.prefix, expected)
  },
  title: (_, reference: string, prefixes: readonly string[], expected: string | undefined) =>
    `of ${prefixes.join(', ')} ${reference} falls under ${expected ?? 'none'}`,
})

const digest = `sha256:${'a'.repeat(64)}`

// Literal prefixes end at the end, or before "/", ":" or "@".
test(finds, 'example.com', ['example.com'], 'example.com')
test(finds, 'example.com/a:v1', ['example.com'], 'example.com')
test(finds, 'example.com/a:v1', ['example.com/a'], 'example.com/a')
test(finds, 'example.com/a:v1', ['example.com/a:v1'], 'example.com/a:v1')
test(finds, `example.com/a@${digest}`, ['example.com/a'], 'example.com/a')
test(finds, `example.com/a@${digest}`, [`example.com/a@${digest}`], `example.com/a@${digest}`)
test(finds, `example.com/a:v1@${digest}`, ['example.com/a:v1'], 'example.com/a:v1')
test(finds, 'example.com/ab:v1', ['example.com/a'], undefined)
test(finds, 'example.com.evil.test/a:v1', ['example.com'], undefined)
test(finds, 'example.com/a:v11', ['example.com/a:v1'], undefined)
test(finds, 'example.com:5000/a:v1', ['example.com'], 'example.com')
test(finds, 'example.com:5000/a:v1', ['example.com:5000'], 'example.com:5000')
test(finds, 'example.com:50001/a:v1', ['example.com:5000'], undefined)
test(finds, 'other.test/example.com/a:v1', ['example.com'], undefined)
test(finds, 'example.com/a:v1', [], undefined)
// The longest wins.
test(finds, 'example.com/a/b:v1', ['example.com', 'example.com/a', 'example.com/a/b'], 'example.com/a/b')
test(finds, 'example.com/a/c:v1', ['example.com', 'example.com/a', 'example.com/a/b'], 'example.com/a')
test(finds, 'docker.io/library/busybox:latest', ['docker.io', 'docker.io/library'], 'docker.io/library')
// Wildcards are for what is below a domain, however deep, and count their own length.
test(finds, 'a.example.com/x:v1', ['*.example.com'], '*.example.com')
test(finds, 'a.b.example.com/x:v1', ['*.example.com'], '*.example.com')
test(finds, 'a.example.com:5000/x:v1', ['*.example.com'], '*.example.com')
test(finds, 'a.example.com', ['*.example.com'], '*.example.com')
test(finds, 'example.com/x:v1', ['*.example.com'], undefined)
test(finds, 'a.example.company/x:v1', ['*.example.com'], undefined)
test(finds, 'other.test/a.example.com/x:v1', ['*.example.com'], undefined)
test(finds, 'a.b.example.com/x:v1', ['*.example.com', '*.b.example.com'], '*.b.example.com')
test(finds, 'a.example.com/x:v1', ['*.example.com', 'a.example.com'], '*.example.com')
test(finds, 'aa.example.com/x:v1', ['*.example.com', 'aa.example.com'], 'aa.example.com')
// containers/image looks at the first place alone, and misses this one.
test(finds, 'a.example.community.example.com/x:v1', ['*.example.com'], '*.example.com')

const usual: Registry = { prefix: '', location: '', insecure: false, blocked: false, mirrors: [] }

const moves = test.macro({
  exec(t, reference: string, prefix: string, location: string, expected: string) {
    const sources = pullSources({ ...usual, prefix, location }, parseReference(reference))
    t.deepEqual(
      sources.map(source => formatReference(source.reference)),
      [expected],
    )
  },
  title: (_, reference, prefix, location) =>
    `${reference} under ${prefix} lies at ${location || 'its own place'}`,
})

test(moves, 'example.com/a:v1', 'example.com', 'example.com', 'example.com/a:v1')
test(moves, 'example.com/a:v1', 'example.com', 'm.test', 'm.test/a:v1')
test(moves, 'example.com/a:v1', 'example.com', 'm.test:5000/cache', 'm.test:5000/cache/a:v1')
test(moves, 'example.com/a/b:v1', 'example.com/a', 'm.test', 'm.test/b:v1')
test(moves, 'example.com/a/b:v1', 'example.com/a/b', 'm.test/c', 'm.test/c:v1')
test(moves, `example.com/a@${digest}`, 'example.com', 'm.test', `m.test/a@${digest}`)
test(moves, 'example.com:5000/a:v1', 'example.com', 'm.test', 'm.test:5000/a:v1')
test(moves, 'busybox:v1', 'docker.io', 'm.test', 'm.test/library/busybox:v1')
test(moves, 'busybox:v1', 'docker.io/library', 'm.test', 'm.test/busybox:v1')
test(moves, 'a.example.com/x:v1', '*.example.com', '', 'a.example.com/x:v1')
test(moves, 'a.example.com/x:v1', '*.example.com', 'm.test', 'm.test/x:v1')
test(moves, 'a.example.com:5000/x:v1', '*.example.com', 'm.test', 'm.test:5000/x:v1')
test(moves, 'a.example.com/x:v1', '*.example.com', 'm.test/all', 'm.test/all/x:v1')

const failures = test.macro({
  exec(t, reference: string, prefix: string, location: string, message: RegExp) {
    t.throws(() => pullSources({ ...usual, prefix, location }, parseReference(reference)), {
      code: 'FAILED_PRECONDITION',
      message,
    })
  },
  title: (_, reference, prefix, location) => `${reference} under ${prefix} cannot lie at ${location}`,
})

test(failures, 'example.com/a:v1', 'example.com/a', 'm.test', /m\.test:v1, which is no reference in full/)
test(failures, 'example.com/a:v1', 'example.com', 'M.test/UP', /which is no reference in full/)
test(
  failures,
  'example.com/library/a:v1',
  'example.com/library',
  'docker.io',
  /docker\.io\/a:v1, which is no/,
)
test(failures, 'example.com/a:v1', 'example.com/a:v1', 'm.test/a:v2', /another tag or digest/)
test(failures, 'example.com/a:v1', 'example.com/a:v1', `m.test/a@${digest}`, /another tag or digest/)

const mirrors: Registry = {
  ...usual,
  prefix: 'a.test',
  location: 'a.test',
  mirrors: [
    { location: 'one.test', insecure: true, pullFrom: 'digest-only' },
    { location: 'two.test', insecure: false, pullFrom: 'tag-only' },
    { location: 'three.test', insecure: false, pullFrom: 'all' },
  ],
}

const asks = test.macro({
  exec(t, reference: string, ...expected: readonly string[]) {
    const sources = pullSources(mirrors, parseReference(reference))
    t.deepEqual(
      sources.map(source => source.reference.domain),
      expected,
    )
    t.deepEqual(
      sources.map(({ isMirror }) => isMirror),
      [...expected.slice(1).map(() => true), false],
    )
    t.is(sources.find(source => source.reference.domain === 'one.test')?.insecure ?? true, true)
  },
  title: (_, reference, ...expected) => `${reference} is looked for at ${expected.join(', ')}`,
})

test(asks, 'a.test/x:v1', 'two.test', 'three.test', 'a.test')
test(asks, `a.test/x@${digest}`, 'one.test', 'three.test', 'a.test')
test(asks, `a.test/x:v1@${digest}`, 'one.test', 'three.test', 'a.test')
test(asks, 'a.test/x', 'a.test')
