import test from 'ava'
import fc from 'fast-check'
import { completeness, type EntryReport, type State } from '../../src/images/completeness.ts'
import { anyPlatform, only } from '../../src/oci/matcher.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'
import { formatPlatform, parsePlatform } from '../../src/oci/platform.ts'
import {
  attestation,
  Blobs,
  blob,
  config,
  dockerList,
  emptyConfig,
  flat,
  image,
  index,
  layer,
  manifest,
  type Node,
  on,
  sizeOf,
} from '../support/image.ts'

const matcher = (text: string) => only(parsePlatform(text))

/** A manifest whose entry names no platform; its config does. */
const unmarked = (platform: string): Node => manifest(config({ platform }), layer(platform))

/** `platform linux/amd64 partial 2/3` */
const line = ({ kind, platform, state, blobs }: EntryReport): string =>
  [kind, platform && formatPlatform(platform), state, `${blobs.present}/${blobs.required}`]
    .filter(Boolean)
    .join(' ')

const amd = image('linux/amd64')
const arm64 = image('linux/arm64')
const [amdConfig, amdLayer] = amd.below
const proof = attestation(amd)
const root = index(amd, arm64, proof)
const known = (nodes: ReadonlyArray<Node | undefined>): readonly Node[] =>
  nodes.filter(node => node !== undefined)

const reports = test.macro({
  async exec(
    t,
    target: Node,
    lost: ReadonlyArray<Node | undefined>,
    platform: string | undefined,
    state: State,
    lines: readonly string[],
  ) {
    const store = new Blobs(target).lose(...known(lost))
    const options = platform ? { platform: matcher(platform) } : {}
    for (const deep of [false, true]) {
      const found = await completeness(store, target.desc, { ...options, deep })
      t.deepEqual(found.entries.map(line), lines)
      t.is(found.state, state)
      for (const { blobs, missing, path, manifest } of found.entries) {
        t.is(missing.length, blobs.required - blobs.present)
        t.is(path[0], target.desc)
        t.is(path.at(-1), manifest)
        for (const { descriptor, path: way } of missing) t.is(way.at(-1), descriptor)
      }
    }
  },
  title: (title = '') => `completeness() ${title}`,
})

const whole = [
  'platform linux/amd64 complete 4/4',
  'platform linux/arm64 complete 4/4',
  'attestation unknown/unknown complete 3/3',
]

test('reports each platform of a whole image', reports, root, [], undefined, 'complete', whole)
test(
  'reports a platform that was not pulled',
  reports,
  root,
  [arm64, ...arm64.below.slice(0, 2)],
  undefined,
  'partial',
  [whole[0] ?? '', 'platform linux/arm64 missing 0/1', whole[2] ?? ''],
)
test('reports a missing layer as partial', reports, root, [amdLayer], undefined, 'partial', [
  'platform linux/amd64 partial 3/4',
  ...whole.slice(1),
])
test(
  'reports a manifest that is there alone as partial',
  reports,
  root,
  [...amd.below],
  undefined,
  'partial',
  ['platform linux/amd64 partial 1/4', 'platform linux/arm64 partial 3/4', whole[2] ?? ''],
)
test(
  'reports nothing but the index as missing',
  reports,
  root,
  flat(amd, arm64, proof),
  undefined,
  'missing',
  [
    'platform linux/amd64 missing 0/1',
    'platform linux/arm64 missing 0/1',
    'attestation unknown/unknown missing 0/1',
  ],
)
test('does not count attestations into the state', reports, root, [proof], undefined, 'complete', [
  ...whole.slice(0, 2),
  'attestation unknown/unknown missing 0/1',
])
test('reports attestations alone', reports, index(proof), [proof], undefined, 'missing', [
  'attestation unknown/unknown missing 0/1',
])
test('reports a missing index', reports, root, [root], undefined, 'missing', ['index missing 0/1'])
test('reports an empty index as complete', reports, index(), [], undefined, 'complete', [])
test('reports only the platform asked for', reports, root, [arm64], 'linux/amd64', 'complete', [
  whole[0] ?? '',
])
test(
  'reports compatible platforms',
  reports,
  index(image('linux/arm/v6'), image('linux/arm/v7'), amd),
  [],
  'linux/arm64',
  'complete',
  ['platform linux/arm/v6 complete 4/4', 'platform linux/arm/v7 complete 4/4'],
)
test('reports a platform that is not listed as missing', reports, root, [], 'linux/s390x', 'missing', [])
test('reports a missing index for any platform', reports, root, [root], 'linux/s390x', 'missing', [
  'index missing 0/1',
])
test('reports a target that is a manifest', reports, amd, [amdConfig], undefined, 'partial', [
  'platform linux/amd64 partial 3/4',
])
test(
  'reports a target without platform by its config',
  reports,
  unmarked('linux/s390x'),
  [],
  undefined,
  'complete',
  ['platform linux/s390x complete 3/3'],
)
test(
  'reports entries without platform by their configs',
  reports,
  index(unmarked('linux/s390x'), unmarked('linux/arm/v7')),
  [],
  undefined,
  'complete',
  ['platform linux/s390x complete 3/3', 'platform linux/arm/v7 complete 3/3'],
)
test(
  'filters entries without platform by their configs',
  reports,
  index(unmarked('linux/s390x'), unmarked('linux/arm/v7')),
  [],
  'linux/s390x',
  'complete',
  ['platform linux/s390x complete 3/3'],
)
test(
  'reports an entry whose config is missing without platform',
  reports,
  index(unmarked('linux/s390x')),
  [config({ platform: 'linux/s390x' })],
  undefined,
  'partial',
  ['platform partial 2/3'],
)
test(
  'reports an entry whose config is missing for every platform',
  reports,
  index(unmarked('linux/s390x')),
  [config({ platform: 'linux/s390x' })],
  'linux/amd64',
  'partial',
  ['platform partial 2/3'],
)
test(
  'reports an entry without platform that is missing',
  reports,
  index(unmarked('linux/s390x')),
  [unmarked('linux/s390x')],
  'linux/amd64',
  'missing',
  ['platform missing 0/1'],
)
test(
  'reports artifacts as such',
  reports,
  index(manifest(emptyConfig(), blob('x/y', 'z'))),
  [blob('x/y', 'z')],
  undefined,
  'partial',
  ['artifact partial 2/3'],
)
test(
  'reports artifacts with an empty image config as such',
  reports,
  manifest(emptyConfig(mediaTypes.ociConfig)),
  [],
  undefined,
  'complete',
  ['artifact complete 2/2'],
)
test(
  'does not report artifacts for a platform',
  reports,
  index(manifest(emptyConfig()), amd),
  [],
  'linux/amd64',
  'complete',
  [whole[0] ?? ''],
)
test(
  'reports configs for unknown/unknown as attestations',
  reports,
  index(unmarked('unknown/unknown'), amd),
  [],
  undefined,
  'complete',
  ['attestation unknown/unknown complete 3/3', whole[0] ?? ''],
)
test('reports opaque entries', reports, index(layer('a'), layer('b')), [layer('b')], undefined, 'partial', [
  'blob complete 1/1',
  'blob missing 0/1',
])
test(
  'reports entries of nested indexes',
  reports,
  index(index(amd), index(index(arm64))),
  [],
  undefined,
  'complete',
  whole.slice(0, 2),
)
test(
  'reports a nested index that is missing',
  reports,
  index(amd, on('linux/arm64', index(arm64))),
  [index(arm64)],
  undefined,
  'partial',
  [whole[0] ?? '', 'index linux/arm64 missing 0/1'],
)
test(
  'does not report a missing nested index for another platform',
  reports,
  index(amd, on('linux/arm64', index(arm64))),
  [index(arm64)],
  'linux/amd64',
  'complete',
  [whole[0] ?? ''],
)
test('reports a Docker list', reports, dockerList(amd, arm64), [], undefined, 'complete', whole.slice(0, 2))
test(
  'counts duplicate layers once',
  reports,
  manifest(config(), layer('x'), layer('x')),
  [],
  undefined,
  'complete',
  ['platform linux/amd64 complete 3/3'],
)
test(
  'reports one manifest for two platforms twice',
  reports,
  index(on('linux/amd64', unmarked('linux/amd64')), on('linux/386', unmarked('linux/amd64'))),
  [],
  undefined,
  'complete',
  ['platform linux/amd64 complete 3/3', 'platform linux/386 complete 3/3'],
)
test('counts layers of no bytes', reports, manifest(config(), layer('')), [layer('')], undefined, 'partial', [
  'platform linux/amd64 partial 2/3',
])

test('completeness() counts bytes', async t => {
  const store = new Blobs(root).lose(...known([amdLayer]))
  const { entries } = await completeness(store, root.desc)
  const [first, second] = entries
  t.deepEqual(first?.bytes, { present: sizeOf(amd) - (amdLayer?.desc.size ?? 0), required: sizeOf(amd) })
  t.deepEqual(second?.bytes, { present: sizeOf(arm64), required: sizeOf(arm64) })
})

test('completeness() names the path to what is missing', async t => {
  const nested = index(index(amd))
  const { entries } = await completeness(new Blobs(nested).lose(...known([amdLayer])), nested.desc)
  t.deepEqual(
    entries[0]?.missing.map(({ path }) => path.map(({ digest }) => digest)),
    [known([nested, nested.below[0], amd, amdLayer]).map(({ desc }) => desc.digest)],
  )
})

test('completeness() takes a blob of the wrong size for not present', async t => {
  const store = new Blobs(amd).damage(layer('base'), Buffer.from('bas'))
  const { entries } = await completeness(store, amd.desc)
  t.deepEqual(entries.map(line), ['platform linux/amd64 partial 3/4'])
})

test('completeness() with deep names corrupt blobs, and counts them as not present', async t => {
  const store = new Blobs(root).damage(layer('base'))
  t.is((await completeness(store, root.desc)).state, 'complete')
  const { state, entries } = await completeness(store, root.desc, { deep: true })
  t.is(state, 'partial')
  for (const { corrupt, missing, blobs } of entries.slice(0, 2)) {
    t.deepEqual(
      [corrupt[0]?.expected, missing.length, blobs],
      [layer('base').desc.digest, 0, { present: 3, required: 4 }],
    )
  }
})

test('completeness() names a corrupt manifest and a corrupt index without deep', async t => {
  const { entries } = await completeness(new Blobs(root).damage(amd), root.desc)
  t.is(entries[0]?.state, 'missing')
  t.is(entries[0]?.corrupt[0]?.expected, amd.desc.digest)
  const other = await completeness(new Blobs(root).damage(root), root.desc)
  t.like(other, { state: 'missing' })
  t.deepEqual(
    other.entries.map(({ kind, corrupt }) => [kind, corrupt.length]),
    [['index', 1]],
  )
})

test('completeness() reports a store that presents an index of itself as corrupt', async t => {
  const self = index()
  const bytes = Buffer.from(JSON.stringify({ manifests: [self.desc] }))
  const store = new Blobs().put({ desc: self.desc, bytes })
  const { entries } = await completeness(store, { ...self.desc, size: bytes.byteLength })
  t.deepEqual(
    entries.map(({ corrupt }) => corrupt.length),
    [1],
  )
})

test('completeness() reads no layers without deep', async t => {
  const store = new Blobs(root)
  await completeness(store, root.desc)
  t.deepEqual([...new Set(store.reads)].length, 4)
})

test('completeness() ends on an image of 2^60 paths and refuses one that is 100 deep', async t => {
  let node = index(amd)
  for (let at = 0; at < 60; at++) node = index(node, node)
  t.is((await completeness(new Blobs(node), node.desc)).entries.length, 1)
  for (let at = 0; at < 40; at++) node = index(node)
  await t.throwsAsync(completeness(new Blobs(node), node.desc), { code: 'INVALID_ARGUMENT' })
})

test('completeness() rejects with the reason when the signal fires, at any read', async t => {
  const mixed = index(amd, unmarked('linux/s390x'))
  for (const deep of [false, true]) {
    const count = new Blobs(mixed)
    await completeness(count, mixed.desc, { deep })
    for (let at = 1; at <= count.reads.length; at++) {
      const store = new Blobs(mixed)
      const stop = new AbortController()
      const reason = new Error('enough')
      store.onRead = () => {
        if (store.reads.length === at) stop.abort(reason)
      }
      t.is(await t.throwsAsync(completeness(store, mixed.desc, { deep, signal: stop.signal })), reason)
    }
  }
})

test('completeness() is complete exactly when nothing is missing, for any loss', async t => {
  const parts = flat(index(amd, arm64, unmarked('linux/s390x')))
  const [target] = parts
  if (target === undefined) return t.fail()
  await fc.assert(
    fc.asyncProperty(fc.subarray([...parts]), async lost => {
      const store = new Blobs(target).lose(...lost)
      const { state, entries } = await completeness(store, target.desc, { platform: anyPlatform })
      t.is(state === 'complete', lost.length === 0)
      const missing = new Set(
        entries.flatMap(entry => entry.missing.map(({ descriptor }) => descriptor.digest)),
      )
      for (const digest of missing) t.true(lost.some(node => node.desc.digest === digest))
      for (const { blobs, bytes } of entries)
        t.true(blobs.present <= blobs.required && bytes.present <= bytes.required)
    }),
    { numRuns: 100 },
  )
})
