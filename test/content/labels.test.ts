import test from 'ava'
import { changeLabels, keptLabels } from '../../src/content/labels.ts'

const merges = test.macro({
  exec(t, labels: Record<string, string>, change: Parameters<typeof changeLabels>[1], expected: object) {
    const merged = changeLabels(labels, change)
    t.deepEqual(merged, expected)
    t.true(Object.isFrozen(merged))
  },
  title: (what = '') => `changeLabels() ${what}`,
})

test(
  'adds and replaces',
  merges,
  { a: '1', b: '1' },
  { labels: { b: '2', c: '2' } },
  { a: '1', b: '2', c: '2' },
)
test('removes by null and by an empty value', merges, { a: '1', b: '1' }, { labels: { a: null, b: '' } }, {})
test('ignores the removal of what is not there', merges, { a: '1' }, { labels: { b: null } }, { a: '1' })
test('replaces all', merges, { a: '1' }, { labels: { b: '2', c: '', d: null }, replace: true }, { b: '2' })
test('with no change keeps all', merges, { a: '1' }, { labels: {} }, { a: '1' })

test('changeLabels() and keptLabels() keep a key called __proto__ as a key', t => {
  const labels = JSON.parse('{"__proto__":"x","constructor":"y"}')
  for (const kept of [
    changeLabels({}, { labels }),
    changeLabels(labels, { labels: {} }),
    keptLabels(labels),
  ]) {
    t.deepEqual(Object.entries(kept), [
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ])
  }
  t.deepEqual(Object.keys(changeLabels(labels, { labels: JSON.parse('{"__proto__":null}') })), [
    'constructor',
  ])
})
