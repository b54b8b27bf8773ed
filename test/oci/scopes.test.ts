import test from 'ava'
import { parseReference } from '../../src/oci/reference.ts'
import { dockerScopes, pathScopes } from '../../src/oci/scopes.ts'

const digest = `sha256:${'a'.repeat(64)}`

const scopes = test.macro<[name: string, expected: readonly string[]]>({
  exec(t, name, expected) {
    t.deepEqual(dockerScopes(parseReference(name)), expected)
  },
  title: (_, name) => `dockerScopes() of ${name}`,
})

test(scopes, 'busybox:1', [
  'docker.io/library/busybox:1',
  'docker.io/library/busybox',
  'docker.io/library',
  'docker.io',
  '*.io',
])
test(scopes, 'a.b.example.com:8443/x/y/z:1', [
  'a.b.example.com:8443/x/y/z:1',
  'a.b.example.com:8443/x/y/z',
  'a.b.example.com:8443/x/y',
  'a.b.example.com:8443/x',
  'a.b.example.com:8443',
  '*.b.example.com',
  '*.example.com',
  '*.com',
])
test(scopes, `localhost:5000/a@${digest}`, [
  `localhost:5000/a@${digest}`,
  'localhost:5000/a',
  'localhost:5000',
])
test(scopes, `q.io/a:1@${digest}`, [`q.io/a@${digest}`, 'q.io/a', 'q.io', '*.io'])
test(scopes, 'q.io/a', ['q.io/a', 'q.io', '*.io'])

test('pathScopes() are a path and all above it but the root', t => {
  t.deepEqual(pathScopes('/var/lib/images'), ['/var/lib/images', '/var/lib', '/var'])
  t.deepEqual(pathScopes('/a'), ['/a'])
  t.deepEqual(pathScopes('/'), [])
})
