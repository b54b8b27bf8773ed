import test from 'ava'
import { limitManifests } from '../../src/handlers/limit.ts'
import { pipe } from '../../src/handlers/pipe.ts'
import { filterPlatforms } from '../../src/handlers/platforms.ts'
import { anyPlatform, type Matcher } from '../../src/oci/matcher.ts'
import type { Platform } from '../../src/oci/platform.ts'
import { config, dockerList, image, index, layer, manifest, type Node, on } from '../support/image.ts'

const text = ({ os, architecture, variant }: Platform): string =>
  [os, architecture, variant].filter(Boolean).join('/')

/** Takes the platforms of a list, earlier ones being better. */
const listed = (...platforms: readonly string[]): Matcher => ({
  match: platform => platforms.includes(text(platform)),
  compare: (a, b) => platforms.indexOf(text(a)) - platforms.indexOf(text(b)),
})

const handlerOf = (node: Node) => async () => node.below.map(({ desc }) => desc)

const platformsOf = (descs: ReadonlyArray<Node['desc']>): string =>
  descs.map(({ platform }) => (platform ? text(platform) : 'none')).join(' ')

const entry = (platform: string): Node =>
  platform === 'none' ? manifest(config({ author: 'nobody' })) : image(platform)

const filters = test.macro({
  async exec(t, matcher: Matcher, platforms: string, expected: string) {
    const node = index(...platforms.split(' ').filter(Boolean).map(entry))
    t.is(platformsOf(await pipe(handlerOf(node), filterPlatforms(matcher))(node.desc, {})), expected)
  },
  title: (title = '') => `filterPlatforms() ${title}`,
})

const arm = listed('linux/arm/v7', 'linux/arm/v6')

test(
  'keeps what matches, in order',
  filters,
  arm,
  'linux/arm/v6 linux/amd64 linux/arm/v7',
  'linux/arm/v6 linux/arm/v7',
)
test('keeps entries without platform', filters, arm, 'none linux/amd64 none', 'none none')
test(
  'keeps all with anyPlatform',
  filters,
  anyPlatform,
  'linux/amd64 unknown/unknown none',
  'linux/amd64 unknown/unknown none',
)
test('drops attestations', filters, arm, 'linux/arm/v6 unknown/unknown', 'linux/arm/v6')
test('may leave nothing', filters, arm, 'linux/amd64', '')
test('takes an empty index', filters, arm, '', '')

test('filterPlatforms() filters the children of any node', async t => {
  const node = manifest(config(), on('linux/amd64', layer('a')), on('linux/arm/v7', layer('b')))
  const left = await pipe(handlerOf(node), filterPlatforms(arm))(node.desc, {})
  t.is(platformsOf(left), 'none linux/arm/v7')
})

const limits = test.macro({
  async exec(t, matcher: Matcher, limit: number, platforms: string, expected: string) {
    for (const make of [index, dockerList]) {
      const node = make(...platforms.split(' ').filter(Boolean).map(entry))
      const given = Object.freeze(node.below.map(({ desc }) => desc))
      t.is(
        platformsOf(await pipe(async () => given, limitManifests(matcher, limit))(node.desc, {})),
        expected,
      )
    }
  },
  title: (title = '') => `limitManifests() ${title}`,
})

test('keeps the best one', limits, arm, 1, 'linux/arm/v6 linux/arm/v7', 'linux/arm/v7')
test('keeps the best two', limits, listed('a/a', 'b/b', 'c/c'), 2, 'c/c b/b a/a', 'a/a b/b')
test('keeps all below the limit', limits, arm, 5, 'linux/arm/v6 linux/arm/v7', 'linux/arm/v7 linux/arm/v6')
test('only sorts at 0', limits, arm, 0, 'linux/arm/v6 linux/arm/v7', 'linux/arm/v7 linux/arm/v6')
test('only sorts below 0', limits, arm, -1, 'linux/arm/v6 linux/arm/v7', 'linux/arm/v7 linux/arm/v6')
test(
  'keeps all at Infinity',
  limits,
  arm,
  Number.POSITIVE_INFINITY,
  'linux/arm/v6 linux/arm/v7',
  'linux/arm/v7 linux/arm/v6',
)
test(
  'puts entries without platform last',
  limits,
  arm,
  0,
  'none linux/arm/v6 none linux/arm/v7',
  'linux/arm/v7 linux/arm/v6 none none',
)
test(
  'puts attestations behind entries without platform',
  limits,
  anyPlatform,
  0,
  'unknown/unknown none a/a',
  'a/a none unknown/unknown',
)
test(
  'chooses no attestation while there is something else',
  limits,
  anyPlatform,
  1,
  'unknown/unknown linux/amd64',
  'linux/amd64',
)
test('is stable', limits, anyPlatform, 0, 'c/c a/a b/b', 'c/c a/a b/b')
test('does not filter', limits, arm, 1, 'linux/amd64', 'linux/amd64')
test('takes an empty index at 0', limits, arm, 0, '', '')

test('limitManifests() is stable for entries that are equally good', async t => {
  const nodes = ['x', 'y', 'z'].map(content => on('linux/amd64', manifest(config({ author: content }))))
  const node = index(...nodes)
  const sorted = await pipe(handlerOf(node), limitManifests(listed('linux/amd64'), 0))(node.desc, {})
  t.deepEqual(
    sorted,
    nodes.map(({ desc }) => desc),
  )
})

test('limitManifests() refuses an index that is left without entries', async t => {
  const node = index(image('linux/amd64'))
  const handler = pipe(handlerOf(node), filterPlatforms(arm), limitManifests(arm, 1))
  await t.throwsAsync(async () => handler(node.desc, {}), {
    code: 'NOT_FOUND',
    message: new RegExp(`index ${node.desc.digest}: no manifest for this platform`),
  })
})

test('limitManifests() leaves children of a manifest as they are', async t => {
  const node = manifest(config(), layer('a'), layer('b'))
  const left = await pipe(handlerOf(node), limitManifests(arm, 1))(node.desc, {})
  t.is(left.length, 3)
})

test('limitManifests() takes a manifest without layers and an opaque blob without children', async t => {
  for (const node of [manifest(config()), layer('a')]) {
    t.deepEqual(await pipe(async () => [], limitManifests(arm, 1))(node.desc, {}), [])
  }
})
