import test from 'ava'
import { platforms } from '../../src/images/platforms.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'
import { formatPlatform } from '../../src/oci/platform.ts'
import {
  attestation,
  Blobs,
  blob,
  collect,
  config,
  dockerList,
  dockerManifest,
  emptyConfig,
  image,
  index,
  layer,
  manifest,
  type Node,
  on,
} from '../support/image.ts'

/** A manifest whose entry names no platform; its config does. */
const unmarked = (platform: string): Node => manifest(config({ platform }), layer(platform))

const amd = image('linux/amd64')
const v7 = image('linux/arm/v7')

const lists = test.macro({
  async exec(t, root: Node, expected: string) {
    const found = await collect(platforms(new Blobs(root), root.desc))
    t.is(found.map(formatPlatform).join(' '), expected)
  },
  title: (title = '') => `platforms() ${title}`,
})

test('gives those of the entries, in order', lists, index(v7, amd), 'linux/arm/v7 linux/amd64')
test('leaves out attestations', lists, index(amd, attestation(amd)), 'linux/amd64')
test(
  'asks the configs of entries without platform',
  lists,
  index(unmarked('linux/s390x'), amd, unmarked('linux/arm/v6')),
  'linux/s390x linux/amd64 linux/arm/v6',
)
test('asks the config of a manifest', lists, unmarked('linux/arm/v6'), 'linux/arm/v6')
test('gives the platform of a marked manifest', lists, amd, 'linux/amd64')
test(
  'asks Docker configs',
  lists,
  dockerManifest(config({ platform: 'linux/arm64', mediaType: mediaTypes.dockerConfig })),
  'linux/arm64',
)
test('gives those of a Docker list', lists, dockerList(amd, v7), 'linux/amd64 linux/arm/v7')
test('gives those of nested indexes', lists, index(index(amd), index(index(v7))), 'linux/amd64 linux/arm/v7')
test(
  'believes the entry of a nested index and does not descend',
  lists,
  index(on('linux/arm64', index(amd))),
  'linux/arm64',
)
test(
  'normalises',
  lists,
  index(on('Linux/aarch64/v8', manifest(config())), unmarked('linux/x86_64')),
  'linux/arm64 linux/amd64',
)
test('gives none for an artifact', lists, manifest(emptyConfig(), blob('x/y', 'z')), '')
test('gives none for an empty image config', lists, manifest(emptyConfig(mediaTypes.ociConfig)), '')
test('gives none for an empty index', lists, index(), '')
test('gives none for a plain blob', lists, layer('x'), '')
test('gives none for configs that say unknown/unknown', lists, index(unmarked('unknown/unknown')), '')
test(
  'gives one that two entries have twice',
  lists,
  index(amd, image('linux/amd64', 'other')),
  'linux/amd64 linux/amd64',
)
test('gives an entry that is listed twice once', lists, index(amd, amd), 'linux/amd64')

test('platforms() reads nothing of entries that name theirs', async t => {
  const root = index(amd, v7, attestation(amd))
  const store = new Blobs(root)
  await collect(platforms(store, root.desc))
  t.deepEqual(store.reads, [root.desc.digest])
})

test('platforms() reads no layers', async t => {
  const root = index(unmarked('linux/s390x'))
  const store = new Blobs(root)
  await collect(platforms(store, root.desc))
  t.is(store.reads.length, 3)
})

test('platforms() reads nothing further after break', async t => {
  const root = index(unmarked('linux/s390x'), unmarked('linux/amd64'))
  const store = new Blobs(root)
  for await (const _ of platforms(store, root.desc)) break
  t.is(store.reads.length, 3)
})

const missing = index(
  unmarked('linux/s390x'),
  index(unmarked('linux/ppc64le')),
  unmarked('linux/riscv64'),
  amd,
)
const [first, nested, third] = missing.below

for (const [what, node] of [
  ['manifest', first],
  ['index', nested],
  ['config', third?.below[0]],
] as const) {
  test(`platforms() finds a missing ${what}, or skips it when asked to`, async t => {
    if (node === undefined) return t.fail()
    const store = new Blobs(missing).lose(node)
    await t.throwsAsync(collect(platforms(store, missing.desc)), { code: 'NOT_FOUND' })
    const found = await collect(platforms(store, missing.desc, { onMissing: 'skip' }))
    t.is(found.length, 3)
    t.is(found.map(formatPlatform).at(-1), 'linux/amd64')
  })
}

test('platforms() does not skip what is corrupt', async t => {
  const store = new Blobs(missing).damage(first ?? missing)
  await t.throwsAsync(collect(platforms(store, missing.desc, { onMissing: 'skip' })), { code: 'DATA_LOSS' })
})

test('platforms() ends on an image of 2^60 paths and refuses one that is 100 deep', async t => {
  let node = index(amd)
  for (let at = 0; at < 60; at++) node = index(node, node)
  t.is((await collect(platforms(new Blobs(node), node.desc))).length, 1)
  for (let at = 0; at < 40; at++) node = index(node)
  await t.throwsAsync(collect(platforms(new Blobs(node), node.desc)), { code: 'INVALID_ARGUMENT' })
})

test('platforms() rejects with the reason when the signal fires, at any read', async t => {
  for (let at = 1; at <= 5; at++) {
    const store = new Blobs(missing)
    const stop = new AbortController()
    const reason = new Error('enough')
    store.onRead = () => {
      if (store.reads.length === at) stop.abort(reason)
    }
    t.is(await t.throwsAsync(collect(platforms(store, missing.desc, { signal: stop.signal }))), reason)
  }
})
