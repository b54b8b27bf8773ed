import test from 'ava'
import { type FieldSource, labelsChangeOf, recordChangeOf } from '../../src/metadata/field-path.ts'
import { descriptorOf } from '../../src/oci/descriptor.ts'

const target = descriptorOf('application/vnd.oci.image.index.v1+json', Buffer.from('{}'), {
  annotations: { a: '1', 'b.c': '2' },
})
const labels = { x: '1', 'y.z/w': '2' }
const source: FieldSource = { labels, target }

const record = test.macro({
  exec(t, paths: readonly string[], expected: object) {
    t.deepEqual(recordChangeOf(paths, source), expected)
  },
  title: (_, paths) => `recordChangeOf() reads ${JSON.stringify(paths)}`,
})

test(record, [], {
  target,
  labels,
  replaceLabels: true,
  annotations: target.annotations,
  replaceAnnotations: true,
})
test(record, ['target'], { target })
test(record, ['labels'], { labels, replaceLabels: true })
test(record, ['annotations'], { annotations: target.annotations, replaceAnnotations: true })
test(record, ['labels.x'], { labels: { x: '1' } })
test(record, ['labels.absent'], { labels: { absent: null } })
test(record, ['labels.y.z/w', 'labels.x'], { labels: { 'y.z/w': '2', x: '1' } })
test(record, ['labels.toString'], { labels: { toString: null } })
test(record, ['annotations.b.c', 'annotations.absent'], { annotations: { 'b.c': '2', absent: null } })
test(record, ['labels', 'labels.x'], { labels, replaceLabels: true })
test(record, ['target', 'labels.x'], { target, labels: { x: '1' } })

test('recordChangeOf() without labels or annotations to pick from removes what is named', t => {
  t.deepEqual(recordChangeOf(['labels.x', 'annotations.a'], {}), {
    labels: { x: null },
    annotations: { a: null },
  })
  t.deepEqual(recordChangeOf(['labels'], {}), { labels: {}, replaceLabels: true })
})

test('recordChangeOf() needs a target where one is named, or nothing is', t => {
  for (const paths of [['target'], []]) {
    t.throws(() => recordChangeOf(paths, { labels }), { code: 'INVALID_ARGUMENT', message: /no target/ })
  }
})

test('labelsChangeOf() reads no path and labels as all, labels.<key> as some', t => {
  t.deepEqual(labelsChangeOf([], labels), { labels, replace: true })
  t.deepEqual(labelsChangeOf(['labels'], labels), { labels, replace: true })
  t.deepEqual(labelsChangeOf(['labels.x', 'labels'], labels), { labels, replace: true })
  t.deepEqual(labelsChangeOf(['labels.y.z/w', 'labels.absent'], labels), {
    labels: { 'y.z/w': '2', absent: null },
  })
})

test('labelsChangeOf() takes __proto__ for a key', t => {
  const change = labelsChangeOf(['labels.__proto__'], JSON.parse('{"__proto__":"x"}'))
  t.deepEqual(Object.entries(change.labels), [['__proto__', 'x']])
})

const refuses = test.macro({
  exec(t, path: string) {
    const expected = { code: 'INVALID_ARGUMENT' }
    const error = t.throws(() => recordChangeOf(['labels.x', path], source), expected)
    t.true(error.message.includes(JSON.stringify(path)), error.message)
    t.throws(() => labelsChangeOf([path], labels), expected)
  },
  title: (_, path) => `recordChangeOf() and labelsChangeOf() refuse ${JSON.stringify(path)}`,
})

for (const path of [
  '',
  'name',
  'Labels',
  'labels.',
  'labelsx',
  'annotations.',
  'target.digest',
  'created_at',
  '*',
]) {
  test(refuses, path)
}
for (const path of ['target', 'annotations', 'annotations.a']) {
  test(`labelsChangeOf() refuses ${path}, for blobs and namespaces have none`, t => {
    t.throws(() => labelsChangeOf([path], labels), {
      code: 'INVALID_ARGUMENT',
      message: /only labels, labels/,
    })
  })
}
