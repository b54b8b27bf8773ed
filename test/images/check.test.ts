import test from 'ava'
import { type CheckOptions, check, deepCheck } from '../../src/images/check.ts'
import { digestOf } from '../../src/oci/digest.ts'
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
} from '../support/image.ts'

const matcher = (text: string) => only(parsePlatform(text))
const digests = (descs: ReadonlyArray<{ readonly digest: string }>) => descs.map(({ digest }) => digest)
const digestsOf = (...nodes: readonly Node[]) => digests(nodes.map(({ desc }) => desc))

/** A manifest whose entry names no platform; its config does. */
const unmarked = (platform: string): Node => manifest(config({ platform }), layer(platform))

const amd = image('linux/amd64')
const arm64 = image('linux/arm64')
const [amdConfig, amdLayer] = amd.below
const [, armLayer, shared] = arm64.below
const root = index(amd, arm64, attestation(amd))

interface Case {
  readonly root?: Node
  readonly platform?: string | undefined
  readonly lost?: ReadonlyArray<Node | undefined>
  readonly present: ReadonlyArray<Node | undefined>
  readonly missing?: ReadonlyArray<ReadonlyArray<Node | undefined>>
  readonly manifest?: Node | undefined
  readonly available: boolean
}

const known = (nodes: ReadonlyArray<Node | undefined>): readonly Node[] =>
  nodes.filter(node => node !== undefined)

const finds = test.macro({
  async exec(t, given: Case) {
    const { root: target = root, platform, lost = [], present, missing = [], available } = given
    for (const deep of [false, true]) {
      const store = new Blobs(target).lose(...known(lost))
      const options: CheckOptions = { deep, ...(platform && { platform: matcher(platform) }) }
      const found = await check(store, target.desc, options)
      t.deepEqual(digests(found.present), digestsOf(...known(present)))
      t.deepEqual(
        found.missing.map(({ path }) => digests(path)),
        missing.map(path => digestsOf(...known(path))),
      )
      for (const { descriptor, path } of found.missing) t.is(path.at(-1), descriptor)
      t.deepEqual(found.manifest?.digest, given.manifest?.desc.digest)
      t.is(found.available, available)
      t.deepEqual(found.corrupt, [])
    }
  },
  title: (title = '') => `check() ${title}`,
})

const all = [root, arm64, ...arm64.below]

test('finds a whole image available, index and manifest counted', finds, {
  platform: 'linux/arm64',
  present: all,
  manifest: arm64,
  available: true,
})
test('takes the first entry without a platform', finds, {
  present: [root, amd, ...amd.below],
  manifest: amd,
  available: true,
})
test('does not need the other platforms', finds, {
  platform: 'linux/arm64',
  lost: [amd, amdConfig, amdLayer],
  present: all,
  manifest: arm64,
  available: true,
})
test('names the path to a missing layer', finds, {
  platform: 'linux/arm64',
  lost: [armLayer],
  present: all.filter(node => node !== armLayer),
  missing: [[root, arm64, armLayer]],
  manifest: arm64,
  available: false,
})
test('names all that is missing', finds, {
  platform: 'linux/arm64',
  lost: arm64.below,
  present: [root, arm64],
  missing: arm64.below.map(node => [root, arm64, node]),
  manifest: arm64,
  available: false,
})
test('cannot look below a missing manifest', finds, {
  platform: 'linux/arm64',
  lost: [arm64],
  present: [root],
  missing: [[root, arm64]],
  manifest: arm64,
  available: false,
})
test('cannot look below a missing index', finds, {
  platform: 'linux/arm64',
  lost: [root],
  present: [],
  missing: [[root]],
  available: false,
})
test('finds no manifest for a platform that is not listed', finds, {
  platform: 'linux/s390x',
  present: [root],
  available: false,
})
test('finds none in an empty index', finds, { root: index(), present: [index()], available: false })
test('takes a manifest for target', finds, {
  root: amd,
  platform: 'linux/s390x',
  present: [amd, ...amd.below],
  manifest: amd,
  available: true,
})
test('names a missing manifest that is the target', finds, {
  root: amd,
  lost: [amd],
  present: [],
  missing: [[amd]],
  manifest: amd,
  available: false,
})
test('takes a plain blob for target', finds, { root: layer('x'), present: [layer('x')], available: true })
test('names a missing plain blob', finds, {
  root: layer('x'),
  lost: [layer('x')],
  present: [],
  missing: [[layer('x')]],
  available: false,
})
test('counts a layer that is listed twice once', finds, {
  root: manifest(config(), layer('x'), layer('x')),
  present: [manifest(config(), layer('x'), layer('x')), config(), layer('x')],
  manifest: manifest(config(), layer('x'), layer('x')),
  available: true,
})
test('names a missing layer that is listed twice once', finds, {
  root: manifest(config(), layer('x'), layer('x')),
  lost: [layer('x')],
  present: [manifest(config(), layer('x'), layer('x')), config()],
  missing: [[manifest(config(), layer('x'), layer('x')), layer('x')]],
  manifest: manifest(config(), layer('x'), layer('x')),
  available: false,
})
test('takes layers of no bytes', finds, {
  root: manifest(config(), layer('')),
  present: [manifest(config(), layer('')), config(), layer('')],
  manifest: manifest(config(), layer('')),
  available: true,
})
test('takes an artifact', finds, {
  root: manifest(emptyConfig(), blob('x/y', 'z')),
  present: [manifest(emptyConfig(), blob('x/y', 'z')), emptyConfig(), blob('x/y', 'z')],
  manifest: manifest(emptyConfig(), blob('x/y', 'z')),
  available: true,
})
test('takes a Docker list', finds, {
  root: dockerList(arm64),
  platform: 'linux/arm64',
  present: [dockerList(arm64), arm64, ...arm64.below],
  manifest: arm64,
  available: true,
})

const nested = index(amd, index(index(arm64)))
const [, middle] = nested.below
const [inner] = middle?.below ?? []

test('counts nested indexes', finds, {
  root: nested,
  platform: 'linux/arm64',
  present: [nested, middle, inner, arm64, ...arm64.below],
  manifest: arm64,
  available: true,
})
test('names the path through nested indexes', finds, {
  root: nested,
  platform: 'linux/arm64',
  lost: [shared],
  present: [nested, middle, inner, arm64, ...arm64.below.slice(0, 2)],
  missing: [[nested, middle, inner, arm64, shared]],
  manifest: arm64,
  available: false,
})
test('names a missing nested index when nothing else fits', finds, {
  root: nested,
  platform: 'linux/arm64',
  lost: [inner],
  present: [nested],
  missing: [[nested, middle, inner]],
  available: false,
})
test('does not mind a missing nested index when something else fits', finds, {
  root: index(index(amd), arm64),
  platform: 'linux/arm64',
  lost: [index(amd)],
  present: [index(index(amd), arm64), arm64, ...arm64.below],
  manifest: arm64,
  available: true,
})

const loose = index(unmarked('linux/amd64'), unmarked('linux/arm64'), unmarked('linux/s390x'))
const [looseAmd, looseArm] = loose.below

test('asks the config of an entry without platform', finds, {
  root: loose,
  platform: 'linux/arm64',
  present: [loose, looseArm, ...(looseArm?.below ?? [])],
  manifest: looseArm,
  available: true,
})
test('goes past an entry without platform that is missing, if another fits', finds, {
  root: loose,
  platform: 'linux/arm64',
  lost: [looseAmd],
  present: [loose, looseArm, ...(looseArm?.below ?? [])],
  manifest: looseArm,
  available: true,
})
test('names an entry without platform that is missing when none fits', finds, {
  root: loose,
  platform: 'linux/arm64',
  lost: [looseArm],
  present: [loose],
  missing: [[loose, looseArm]],
  manifest: looseArm,
  available: false,
})
test('names a missing config that could tell', finds, {
  root: loose,
  platform: 'linux/arm64',
  lost: looseArm?.below.slice(0, 1) ?? [],
  present: [loose, looseArm, ...(looseArm?.below.slice(1) ?? [])],
  missing: [[loose, looseArm, looseArm?.below[0]]],
  manifest: looseArm,
  available: false,
})
test('finds none when all configs say otherwise', finds, {
  root: loose,
  platform: 'linux/ppc64le',
  present: [loose],
  available: false,
})

test("check() gives ctr's required set without index and manifest", async t => {
  const store = new Blobs(root).lose(...known([armLayer]))
  const { present, missing } = await check(store, root.desc, { platform: matcher('linux/arm64') })
  const required = [...present, ...missing.map(({ descriptor }) => descriptor)].filter(
    ({ mediaType }) => mediaType !== mediaTypes.ociIndex && mediaType !== mediaTypes.ociManifest,
  )
  t.deepEqual(digests(required).toSorted(), digestsOf(...arm64.below).toSorted())
})

test('check() takes a blob of the wrong size for missing', async t => {
  const store = new Blobs(amd).damage(layer('base'), Buffer.from('bas'))
  const found = await check(store, amd.desc)
  t.deepEqual(digests(found.missing.map(({ descriptor }) => descriptor)), digestsOf(layer('base')))
  t.false(found.available)
})

test('check() asks the store for layers and does not read them', async t => {
  const store = new Blobs(root)
  await check(store, root.desc, { platform: matcher('linux/arm64') })
  t.deepEqual([...new Set(store.reads)], digestsOf(root, arm64) as never)
})

test('check() does not see wrong bytes of the right size in a layer; deepCheck() does', async t => {
  const store = new Blobs(root).damage(layer('base'))
  const options = { platform: matcher('linux/arm64') }
  t.true((await check(store, root.desc, options)).available)
  const found = await deepCheck(store, root.desc, options)
  t.false(found.available)
  t.deepEqual(found.missing, [])
  t.is(found.corrupt.length, 1)
  const [bad] = found.corrupt
  t.is(bad?.expected, layer('base').desc.digest)
  t.is(bad?.got, digestOf('case'))
  t.deepEqual(digests(bad?.path ?? []), digestsOf(root, arm64, layer('base')))
})

test('deepCheck() takes a blob of the wrong size for corrupt', async t => {
  const store = new Blobs(amd).damage(layer('base'), Buffer.from('bas'))
  const found = await deepCheck(store, amd.desc)
  t.deepEqual(
    found.corrupt.map(({ got }) => got),
    [digestOf('bas')],
  )
  t.deepEqual(found.missing, [])
})

test('deepCheck() hashes every byte once, shared blobs too', async t => {
  const twice = manifest(config(), layer('x'), layer('x'), layer('y'))
  const store = new Blobs(twice)
  await deepCheck(store, twice.desc)
  t.is(store.reads.filter(digest => digest === layer('x').desc.digest).length, 1)
  t.is(store.reads.filter(digest => digest === layer('y').desc.digest).length, 1)
})

for (const deep of [false, true]) {
  for (const [what, node] of [
    ['index', root],
    ['manifest', arm64],
  ] as const) {
    test(`check() names a corrupt ${what}, ${deep ? 'deep' : 'or not deep'}`, async t => {
      const store = new Blobs(root).damage(node)
      const found = await check(store, root.desc, { deep, platform: matcher('linux/arm64') })
      t.false(found.available)
      t.deepEqual(
        found.corrupt.map(({ expected }) => expected),
        [node.desc.digest],
      )
      t.not(found.corrupt[0]?.got, node.desc.digest)
    })
  }
}

test('check() names a nested index that is corrupt, when nothing else fits', async t => {
  const store = new Blobs(nested).damage(known([inner])[0] ?? root)
  const found = await check(store, nested.desc, { platform: matcher('linux/arm64') })
  t.false(found.available)
  t.deepEqual(digests(found.corrupt[0]?.path ?? []), digestsOf(...known([nested, middle, inner])))
})

test('check() finds a descriptor that lies about the size', async t => {
  const store = new Blobs(amd)
  for (const deep of [false, true]) {
    const found = await check(store, { ...layer('base').desc, size: 3 }, { deep })
    t.is(found.missing.length, 1)
  }
})

test('check() passes a manifest that is no manifest as the error it is', async t => {
  const bad = blob(mediaTypes.ociManifest, '{}')
  await t.throwsAsync(check(new Blobs(bad), bad.desc), { code: 'INVALID_ARGUMENT' })
})

test('check() passes errors of the store', async t => {
  const store = new Blobs(root)
  store.info = async () => Promise.reject(new TypeError('no'))
  await t.throwsAsync(check(store, root.desc), { instanceOf: TypeError })
})

test('check() ends on an image of 2^60 paths', async t => {
  let node = index(unmarked('linux/amd64'))
  for (let at = 0; at < 60; at++) node = index(node, node)
  const found = await check(new Blobs(node), node.desc, { platform: matcher('linux/arm64') })
  t.false(found.available)
  t.true((await check(new Blobs(node), node.desc, { platform: matcher('linux/amd64') })).available)
})

test('check() rejects with the reason when the signal fires, at any read', async t => {
  for (const deep of [false, true]) {
    const count = new Blobs(loose)
    await check(count, loose.desc, { deep, platform: matcher('linux/arm64') })
    for (let at = 1; at <= count.reads.length; at++) {
      const store = new Blobs(loose)
      const stop = new AbortController()
      const reason = new Error('enough')
      store.onRead = () => {
        if (store.reads.length === at) stop.abort(reason)
      }
      const options = { deep, platform: matcher('linux/arm64'), signal: stop.signal }
      t.is(await t.throwsAsync(check(store, loose.desc, options)), reason)
    }
  }
})
