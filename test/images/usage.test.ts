import test from 'ava'
import fc from 'fast-check'
import { type UsageOptions, usage } from '../../src/images/usage.ts'
import { only } from '../../src/oci/matcher.ts'
import { parsePlatform } from '../../src/oci/platform.ts'
import { Blobs, config, flat, image, index, layer, manifest, type Node, sizeOf } from '../support/image.ts'

const platform = only(parsePlatform('linux/arm64'))

const amd = image('linux/amd64', 'one', 'shared')
const arm64 = image('linux/arm64', 'two', 'shared')
const root = index(amd, arm64)
const shared = layer('shared').desc.size
const whole = sizeOf(root) - shared

const counts = test.macro({
  async exec(t, target: Node, options: UsageOptions, lost: readonly Node[], expected: number) {
    t.is(await usage(new Blobs(target).lose(...lost), target.desc, options), expected)
  },
  title: (title = '') => `usage() ${title}`,
})

test(
  'counts all platforms, and a shared layer once where containerd counts it twice',
  counts,
  root,
  {},
  [],
  whole,
)
test(
  'counts a layer that is listed twice once',
  counts,
  manifest(config(), layer('x'), layer('x')),
  {},
  [],
  sizeOf(manifest(config(), layer('x'))) +
    manifest(config(), layer('x'), layer('x')).desc.size -
    manifest(config(), layer('x')).desc.size,
)
test('counts what is missing as 0', counts, root, {}, [layer('one')], whole - layer('one').desc.size)
test('does not count what a missing manifest names', counts, root, {}, [amd], root.desc.size + sizeOf(arm64))
test('counts a missing image as 0', counts, root, {}, [root], 0)
test('counts entries for one platform', counts, root, { platform }, [], root.desc.size + sizeOf(arm64))
test(
  'counts only the index when no entry is for the platform',
  counts,
  index(amd),
  { platform },
  [],
  index(amd).desc.size,
)
test('counts the best entry', counts, root, { limit: 1 }, [], root.desc.size + sizeOf(amd))
test(
  'counts the best entry for a platform',
  counts,
  index(image('linux/arm/v7'), arm64),
  { limit: 1, platform },
  [],
  index(image('linux/arm/v7'), arm64).desc.size + sizeOf(arm64),
)
test(
  'counts sizes of descriptors when asked to, of missing layers too',
  counts,
  root,
  { declared: true, limit: 1 },
  flat(amd).slice(1),
  root.desc.size + sizeOf(amd),
)
test(
  'counts sizes of descriptors only as far as documents are here',
  counts,
  root,
  { declared: true },
  [amd],
  root.desc.size + amd.desc.size + sizeOf(arm64),
)
test('counts a plain blob', counts, layer('four'), {}, [], 4)
test(
  'counts layers of no bytes',
  counts,
  manifest(config(), layer('')),
  {},
  [],
  sizeOf(manifest(config(), layer(''))),
)

test('usage() counts bytes that are there, whatever descriptors say', async t => {
  const node = layer('four')
  t.is(await usage(new Blobs(node), { ...node.desc, size: 400 }), 4)
  t.is(await usage(new Blobs(node), { ...node.desc, size: 400 }, { declared: true }), 400)
})

test('usage() of several images counts what they share once', async t => {
  const store = new Blobs(amd, arm64)
  t.is(await usage(store, [amd.desc, arm64.desc, amd.desc]), sizeOf(amd) + sizeOf(arm64) - shared)
  t.is(await usage(store, []), 0)
})

test('usage() counts one blob under two media types once', async t => {
  const [a, b] = [layer('same', 'x/a'), layer('same', 'x/b')]
  t.is(await usage(new Blobs(a), [a.desc, b.desc]), 4)
})

test('usage() with a limit needs documents to be there, and the platform to be listed', async t => {
  await t.throwsAsync(usage(new Blobs(root).lose(root), root.desc, { limit: 1 }), { code: 'NOT_FOUND' })
  await t.throwsAsync(usage(new Blobs(root).lose(arm64), root.desc, { limit: 1, platform }), {
    code: 'NOT_FOUND',
  })
  await t.throwsAsync(usage(new Blobs(index(amd)), index(amd).desc, { limit: 1, platform }), {
    code: 'NOT_FOUND',
  })
})

test('usage() finds a corrupt manifest', async t => {
  await t.throwsAsync(usage(new Blobs(root).damage(amd), root.desc), { code: 'DATA_LOSS' })
})

test('usage() passes errors of the store', async t => {
  const store = new Blobs(root)
  store.info = async () => Promise.reject(new TypeError('no'))
  await t.throwsAsync(usage(store, root.desc), { instanceOf: TypeError })
})

test('usage() reads documents and no layers', async t => {
  const store = new Blobs(root)
  await usage(store, root.desc)
  t.deepEqual([...store.reads].sort(), [root, amd, arm64].map(({ desc }) => desc.digest).sort())
})

test('usage() ends on an image of 2^60 paths', async t => {
  let node = index(amd)
  let expected = sizeOf(node)
  for (let at = 0; at < 60; at++) {
    node = index(node, node)
    expected += node.desc.size
  }
  t.is(await usage(new Blobs(node), node.desc), expected)
})

test('usage() rejects with the reason when the signal fires, at any read', async t => {
  for (const at of [1, 2, 3]) {
    const store = new Blobs(root)
    const stop = new AbortController()
    const reason = new Error('enough')
    store.onRead = () => {
      if (store.reads.length === at) stop.abort(reason)
    }
    t.is(await t.throwsAsync(usage(store, root.desc, { signal: stop.signal })), reason)
  }
})

test('usage() is the sum of the distinct blobs, for any images', async t => {
  const some = fc.array(fc.array(fc.string({ maxLength: 3 }), { minLength: 1, maxLength: 4 }), {
    maxLength: 5,
  })
  await fc.assert(
    fc.asyncProperty(some, async lists => {
      const node = index(...lists.map(layers => image('linux/amd64', ...layers)))
      const blobs = new Map(flat(node).map(({ desc }) => [desc.digest, desc.size]))
      const expected = [...blobs.values()].reduce((sum, size) => sum + size, 0)
      t.is(await usage(new Blobs(node), node.desc), expected)
    }),
    { numRuns: 100 },
  )
})
