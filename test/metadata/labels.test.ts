import test from 'ava'
import { checkIdentifier, checkLabels, checkNamespace } from '../../src/metadata/labels.ts'

test('checkLabels() takes a key and value of 4096 bytes together', t => {
  t.notThrows(() => checkLabels('image a', { key: 'x'.repeat(4093), other: 'x'.repeat(4091) }))
  t.notThrows(() => checkLabels('image a', { ['k'.repeat(4096)]: null }))
})

test('checkLabels() refuses one byte more, and counts bytes, not characters', t => {
  t.throws(() => checkLabels('image a', { key: 'x'.repeat(4094) }), {
    code: 'INVALID_ARGUMENT',
    message: /^image a: label key: .*4097 bytes.*4096/,
  })
  t.throws(() => checkLabels('image a', { key: 'é'.repeat(2047) }), { code: 'INVALID_ARGUMENT' })
})

test('checkLabels() trims a long key to 64 characters in its text', t => {
  const error = t.throws(() => checkLabels('image a', { ['k'.repeat(5000)]: '' }), {
    code: 'INVALID_ARGUMENT',
  })
  t.true(error.message.includes(`label ${'k'.repeat(64)}…:`))
  t.false(error.message.includes('k'.repeat(65)))
})

const takes = test.macro({
  exec(t, text: string) {
    t.is(checkIdentifier('namespace', text), text)
    t.is(checkNamespace(text), text)
  },
  title: (_, text) => `checkIdentifier() takes ${text}`,
})

for (const text of ['a', '0', 'default', 'k8s.io', 'a-b_c.d', 'A', 'version', '__proto__'.slice(2, 7)]) {
  test(takes, text)
}
test(takes, 'a'.repeat(76))

const refuses = test.macro({
  exec(t, text: string) {
    t.throws(() => checkIdentifier('namespace', text), { code: 'INVALID_ARGUMENT', message: /^namespace "/ })
  },
  title: (_, text) => `checkIdentifier() refuses ${JSON.stringify(text)}`,
})

for (const text of ['', '.', '-a', 'a-', 'a..b', 'a.-b', 'a/b', 'a b', 'é', 'a\n', '..', '__proto__']) {
  test(refuses, text)
}
test(refuses, 'a'.repeat(77))

test('checkNamespace() without a namespace is FAILED_PRECONDITION, as in containerd', t => {
  t.throws(() => checkNamespace(''), { code: 'FAILED_PRECONDITION', message: 'namespace is required' })
  t.throws(() => checkNamespace('a/b'), { code: 'INVALID_ARGUMENT' })
})
