import test from 'ava'
import { normalizeScopes, repositoryScope } from '../../../src/remotes/registry/scope.ts'

const normalizes = test.macro({
  exec(t, scopes: readonly string[], expected: readonly string[]) {
    t.deepEqual(normalizeScopes(scopes), expected)
    t.deepEqual(normalizeScopes(expected), expected)
  },
  title: (_, scopes) => `normalizeScopes() of ${JSON.stringify(scopes)}`,
})

test(normalizes, [], [])
test(normalizes, [''], [])
test(normalizes, ['repository:a:pull', 'repository:a:pull'], ['repository:a:pull'])
test(normalizes, ['repository:a:push', 'repository:a:pull'], ['repository:a:pull,push'])
test(normalizes, ['repository:a:push,pull'], ['repository:a:pull,push'])
test(normalizes, ['repository:b:pull repository:a:pull'], ['repository:a:pull', 'repository:b:pull'])
test(normalizes, ['registry:catalog:*'], ['registry:catalog:*'])
test(normalizes, ['repository:host:5000/a:pull'], ['repository:host:5000/a:pull'])
test(normalizes, ['odd'], ['odd'])
test(normalizes, ['__proto__:x:y'], ['__proto__:x:y'])

test('normalizeScopes() keeps no more scopes than a request can carry', t => {
  t.is(normalizeScopes(Array.from({ length: 1000 }, (_, at) => `repository:r${at}:pull`)).length, 64)
})

test('repositoryScope() joins actions', t => {
  t.is(repositoryScope('library/busybox', 'pull', 'push'), 'repository:library/busybox:pull,push')
})
