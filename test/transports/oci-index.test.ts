import test from 'ava'
import { mediaTypes } from '../../src/oci/media-type.ts'
import {
  chooseEntry,
  emptyLayoutIndex,
  formatLayoutIndex,
  parseLayoutIndex,
  withEntry,
} from '../../src/transports/oci-index.ts'
import { image, type Node } from '../support/image.ts'

const [a, b] = [image('linux/amd64', 'a'), image('linux/amd64', 'b')]
const refName = 'org.opencontainers.image.ref.name'

const entry = ({ desc: { mediaType, digest, size } }: Node, name?: string, more: object = {}) => ({
  mediaType,
  digest,
  size,
  ...(name !== undefined && { annotations: { [refName]: name } }),
  ...more,
})

const indexOf = (...manifests: readonly object[]) =>
  parseLayoutIndex(Buffer.from(JSON.stringify({ schemaVersion: 2, manifests })), 'index.json')

const target = ({ desc: { mediaType, digest, size } }: Node) => ({ mediaType, digest, size })

const chooses = test.macro<[string, readonly object[], { image?: string; index?: number }, Node]>({
  exec(t, _, entries, place, node) {
    t.deepEqual(chooseEntry(indexOf(...entries), { path: '/l', ...place }), target(node))
  },
  title: (_, what) => `chooseEntry() takes ${what}`,
})

test(chooses, 'the only image', [entry(a, 'v1')], {}, a)
test(chooses, 'the image of a name', [entry(a, 'v1'), entry(b, 'v2')], { image: 'v2' }, b)
test(chooses, 'the image of a number', [entry(a), entry(b)], { index: 1 }, b)
test(chooses, 'the first of two of one name', [entry(a, 'v1'), entry(b, 'v1')], { image: 'v1' }, a)
test(
  chooses,
  'what is an image of two of one name',
  [entry(a, 'v1', { mediaType: 'text/plain' }), entry(b, 'v1')],
  { image: 'v1' },
  b,
)
test(
  chooses,
  'an entry without what it has besides: platform and annotations',
  [entry(a, 'v1', { platform: { os: 'linux', architecture: 'amd64' }, x: 1 })],
  {},
  a,
)

const refuses = test.macro<[string, readonly object[], { image?: string; index?: number }, string, RegExp]>({
  exec(t, _, entries, place, code, message) {
    t.throws(() => chooseEntry(indexOf(...entries), { path: '/l', ...place }), { code, message })
  },
  title: (_, what) => `chooseEntry() refuses ${what}`,
})

test(refuses, 'several without a name', [entry(a, 'v1'), entry(b)], {}, 'INVALID_ARGUMENT', /"v1", "@1"/)
test(refuses, 'an empty layout', [], {}, 'NOT_FOUND', /it has none/)
test(refuses, 'a name that is not there', [entry(a, 'v1')], { image: 'v2' }, 'NOT_FOUND', /named "v2".*"v1"/)
test(refuses, 'a number that is not there', [entry(a)], { index: 1 }, 'NOT_FOUND', /number 1/)
test(
  refuses,
  'a layer',
  [entry(a, undefined, { mediaType: mediaTypes.ociLayer })],
  {},
  'INVALID_ARGUMENT',
  /neither/,
)
test(
  refuses,
  'a digest that leads out',
  [entry(a, undefined, { digest: 'sha256:../../../etc/passwd' })],
  {},
  'INVALID_ARGUMENT',
  /manifests\[0\]\.digest/,
)
test(refuses, 'a negative size', [entry(a, undefined, { size: -1 })], {}, 'INVALID_ARGUMENT', /size/)

test('withEntry() begins an index', t => {
  t.deepEqual(JSON.parse(formatLayoutIndex(withEntry(emptyLayoutIndex, a.desc, 'v1'))), {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [entry(a, 'v1')],
  })
})

test('withEntry() keeps all that it does not know', t => {
  const json = { schemaVersion: 2, x: { y: 1 }, manifests: [entry(a, 'v1', { z: 2 })] }
  const index = parseLayoutIndex(Buffer.from(JSON.stringify(json)), 'index.json')
  t.deepEqual(JSON.parse(formatLayoutIndex(withEntry(index, b.desc, 'v2'))), {
    ...json,
    manifests: [...json.manifests, entry(b, 'v2')],
  })
})

test('withEntry() takes a name from the image that had it, which stays', t => {
  const annotated = { ...entry(a), annotations: { [refName]: 'v1', other: 'x' } }
  t.deepEqual(withEntry(indexOf(annotated), b.desc, 'v1').entries, [
    { ...entry(a), annotations: { other: 'x' } },
    entry(b, 'v1'),
  ])
  t.deepEqual(withEntry(indexOf(entry(a, 'v1')), b.desc, 'v1').entries, [entry(a), entry(b, 'v1')])
})

test('withEntry() names an image that is there without a name, and names the same twice', t => {
  t.deepEqual(withEntry(indexOf(entry(a)), a.desc, 'v1').entries, [entry(a, 'v1')])
  t.deepEqual(withEntry(indexOf(entry(a, 'v1')), a.desc, 'v1').entries, [entry(a, 'v1')])
  t.deepEqual(withEntry(indexOf(entry(a, 'v1')), a.desc, 'v2').entries, [entry(a, 'v1'), entry(a, 'v2')])
  t.deepEqual(withEntry(indexOf(entry(a, 'v1')), a.desc, undefined).entries, [entry(a, 'v1'), entry(a)])
})

for (const [what, text] of [
  ['no JSON', '{'],
  ['an array', '[]'],
  ['manifests that are no list', '{"manifests":{}}'],
  ['an entry that is no object', '{"manifests":[1]}'],
  ['two lists of manifests', '{"manifests":[],"Manifests":[]}'],
] as const) {
  test(`parseLayoutIndex() refuses ${what}`, t => {
    t.throws(() => parseLayoutIndex(Buffer.from(text), 'index.json'), {
      code: 'INVALID_ARGUMENT',
      message: /^index\.json/,
    })
  })
}
