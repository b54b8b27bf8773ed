import test from 'ava'
import fc from 'fast-check'
import { size } from '../../src/images/size.ts'
import { only } from '../../src/oci/matcher.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'
import { parsePlatform } from '../../src/oci/platform.ts'
import {
  attestation,
  Blobs,
  blob,
  config,
  dockerList,
  emptyConfig,
  image,
  index,
  layer,
  manifest,
  type Node,
  sizeOf,
} from '../support/image.ts'

const matcher = (text: string) => only(parsePlatform(text))

const amd = image('linux/amd64', 'one', 'two')
const arm64 = image('linux/arm64', 'one', 'three or more')
const v7 = image('linux/arm/v7')
const bare = manifest(config({ platform: 'linux/s390x' }), layer('bare'))

const is = test.macro({
  async exec(t, root: Node, platform: string | undefined, expected: number) {
    const options = platform === undefined ? {} : { platform: matcher(platform) }
    t.is(await size(new Blobs(root), root.desc, options), expected)
  },
  title: (title = '') => `size() ${title}`,
})

const both = index(amd, arm64, attestation(amd))

test('of an index counts it and one platform', is, both, 'linux/arm64', both.desc.size + sizeOf(arm64))
test(
  'counts the first entry when no platform is asked for',
  is,
  both,
  undefined,
  both.desc.size + sizeOf(amd),
)
test('of a manifest counts all below', is, amd, undefined, sizeOf(amd))
test('of a manifest does not ask for its platform', is, amd, 'linux/s390x', sizeOf(amd))
test('counts every index on the way', is, index(index(v7)), 'linux/arm/v7', sizeOf(index(index(v7))))
test('of a Docker list', is, dockerList(amd, v7), 'linux/arm/v7', dockerList(amd, v7).desc.size + sizeOf(v7))
test(
  'counts a layer that is listed twice twice, as containerd',
  is,
  manifest(config(), layer('x'), layer('x')),
  undefined,
  sizeOf(manifest(config(), layer('x'), layer('x'))),
)
test(
  'counts layers of no bytes as 0',
  is,
  manifest(config(), layer(''), layer('')),
  undefined,
  sizeOf(manifest(config(), layer(''), layer(''))),
)
test(
  'of an artifact',
  is,
  manifest(emptyConfig(), blob('x/y', 'data')),
  'linux/amd64',
  sizeOf(manifest(emptyConfig(), blob('x/y', 'data'))),
)
test(
  'of an entry without platform asks its config, where containerd takes the first',
  is,
  index(manifest(config({ platform: 'linux/amd64' })), bare),
  'linux/s390x',
  index(manifest(config({ platform: 'linux/amd64' })), bare).desc.size + sizeOf(bare),
)
test('of a plain blob is its own', is, layer('four'), undefined, 4)
test(
  'of a build cache, an index of opaque blobs, counts all of them',
  is,
  index(layer('a'), layer('bcd'), blob('application/vnd.buildkit.cacheconfig.v0', 'e')),
  undefined,
  index(layer('a'), layer('bcd'), blob('application/vnd.buildkit.cacheconfig.v0', 'e')).desc.size + 5,
)
test(
  'of 128 layers',
  is,
  manifest(config(), ...Array.from({ length: 128 }, (_, at) => layer('x'.repeat(at)))),
  undefined,
  manifest(config(), ...Array.from({ length: 128 }, (_, at) => layer('x'.repeat(at)))).desc.size +
    config().desc.size +
    (127 * 128) / 2,
)

test('size() does not need layers and configs to be there', async t => {
  const store = new Blobs(both).lose(...amd.below, ...arm64.below, amd, attestation(amd))
  t.is(await size(store, both.desc, { platform: matcher('linux/arm64') }), both.desc.size + sizeOf(arm64))
})

test('size() reads the index and one manifest only', async t => {
  const store = new Blobs(both)
  await size(store, both.desc, { platform: matcher('linux/arm64') })
  t.deepEqual(store.reads, [both.desc.digest, arm64.desc.digest])
})

test('size() reads configs of entries without platform, and no layers', async t => {
  const root = index(bare)
  const store = new Blobs(root)
  await size(store, root.desc, { platform: matcher('linux/s390x') })
  t.deepEqual(store.reads, [root.desc.digest, bare.desc.digest, bare.below[0]?.desc.digest])
})

const fails = test.macro({
  async exec(t, root: Node, platform: string, code: string, spoil: (store: Blobs) => Blobs = store => store) {
    await t.throwsAsync(size(spoil(new Blobs(root)), root.desc, { platform: matcher(platform) }), { code })
  },
  title: (title = '') => `size() ${title}`,
})

test('fails for a platform that is not listed', fails, both, 'linux/s390x', 'NOT_FOUND')
test('fails for an empty index', fails, index(), 'linux/amd64', 'NOT_FOUND')
test('fails when the index is missing', fails, both, 'linux/amd64', 'NOT_FOUND', store => store.lose(both))
test('fails when the manifest is missing', fails, both, 'linux/amd64', 'NOT_FOUND', store => store.lose(amd))
test('fails when the manifest is damaged', fails, both, 'linux/amd64', 'DATA_LOSS', store =>
  store.damage(amd),
)
test('fails when the index is damaged', fails, both, 'linux/amd64', 'DATA_LOSS', store => store.damage(both))
test(
  'fails when a manifest is no manifest',
  fails,
  blob(mediaTypes.ociManifest, '{"layers":[]}'),
  'linux/amd64',
  'INVALID_ARGUMENT',
)
test(
  'fails for schema 1',
  fails,
  index(blob(mediaTypes.dockerSchema1Signed, '{}')),
  'linux/amd64',
  'INVALID_ARGUMENT',
)

test('size() refuses sizes that cannot be counted', async t => {
  for (const bytes of [-1, Number.NaN, 2 ** 53]) {
    await t.throwsAsync(size(new Blobs(), { ...layer('x').desc, size: bytes }), { code: 'OUT_OF_RANGE' })
  }
  const huge = { ...layer('x').desc, size: Number.MAX_SAFE_INTEGER }
  const node: Node = { desc: huge, bytes: new Uint8Array(), below: [] }
  const root = manifest(config(), node, node)
  await t.throwsAsync(size(new Blobs(root), root.desc), { code: 'OUT_OF_RANGE' })
})

test('size() rejects with the reason when the signal fires', async t => {
  const reason = new Error('enough')
  t.is(
    await t.throwsAsync(size(new Blobs(amd), layer('x').desc, { signal: AbortSignal.abort(reason) })),
    reason,
  )
  for (const at of [1, 2]) {
    const store = new Blobs(both)
    const stop = new AbortController()
    store.onRead = () => {
      if (store.reads.length === at) stop.abort(reason)
    }
    t.is(await t.throwsAsync(size(store, both.desc, { signal: stop.signal })), reason)
  }
})

test('size() ends on an image of 2^60 paths and refuses one that is 100 deep', async t => {
  let node = index(amd)
  let expected = sizeOf(node)
  for (let at = 0; at < 60; at++) {
    node = index(node, node)
    expected += node.desc.size
  }
  t.is(await size(new Blobs(node), node.desc), expected)
  for (let at = 0; at < 40; at++) node = index(node)
  await t.throwsAsync(size(new Blobs(node), node.desc), { code: 'INVALID_ARGUMENT' })
})

const platforms = ['linux/amd64', 'linux/arm64', 'linux/s390x', 'linux/ppc64le']

/** Images of marked manifests, of manifests without platform, and of nested indexes. */
const randomImage = fc.letrec<{ tree: Node; entry: Node }>(tie => ({
  entry: fc.oneof(
    { maxDepth: 3 },
    fc
      .tuple(fc.constantFrom(...platforms), fc.array(fc.string(), { maxLength: 4 }))
      .map(([platform, layers]) => image(platform, ...layers)),
    fc
      .tuple(fc.constantFrom(...platforms), fc.array(fc.string(), { maxLength: 4 }))
      .map(([platform, layers]) => manifest(config({ platform }), ...layers.map(text => layer(text)))),
    fc.constant(attestation(amd)),
    tie('tree'),
  ),
  tree: fc.array(tie('entry'), { maxLength: 4 }).map(nodes => index(...nodes)),
})).tree

/** The plainest reading of the rule: marked entries first, each level by itself, then those without platform. */
const model = (node: Node, wanted: string): number | undefined => {
  if (node.desc.mediaType !== mediaTypes.ociIndex) {
    const platform = node.desc.platform
    const text = platform
      ? `${platform.os}/${platform.architecture}`
      : Buffer.from(node.below[0]?.bytes ?? []).toString()
    const [, architecture = ''] = wanted.split('/')
    return text === wanted || (!platform && text.includes(`"${architecture}"`)) ? sizeOf(node) : undefined
  }
  const marked = node.below.filter(({ desc }) => desc.platform)
  const others = node.below.filter(({ desc }) => !desc.platform)
  for (const entry of [...marked, ...others]) {
    const found = model(entry, wanted)
    if (found !== undefined) return node.desc.size + found
  }
  return undefined
}

test('size() is what a plain recursive model says, for any image', async t => {
  await fc.assert(
    fc.asyncProperty(randomImage, fc.constantFrom(...platforms), async (root, platform) => {
      const expected = model(root, platform)
      const run = size(new Blobs(root), root.desc, { platform: matcher(platform) })
      if (expected === undefined) await t.throwsAsync(run, { code: 'NOT_FOUND' })
      else t.is(await run, expected)
    }),
    { numRuns: 300 },
  )
})
