import test from 'ava'
import {
  config as configOf,
  configPlatform,
  findManifest,
  manifest as manifestOf,
  rootFS,
} from '../../src/images/manifest.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { parseManifest } from '../../src/oci/document.ts'
import { anyPlatform, only, onlyStrict, ordered } from '../../src/oci/matcher.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'
import { parsePlatform } from '../../src/oci/platform.ts'
import {
  attestation,
  Blobs,
  blob,
  config,
  dockerList,
  dockerManifest,
  emptyConfig,
  image,
  index,
  layer,
  manifest,
  manifestWith,
  type Node,
  on,
} from '../support/image.ts'

const matcher = (text: string) => only(parsePlatform(text))

/** A manifest whose entry names no platform; its config does. */
const unmarked = (platform: string, ...layers: readonly string[]): Node =>
  manifest(config({ platform }), ...(layers.length > 0 ? layers : [platform]).map(text => layer(text)))

const amd = image('linux/amd64')
const arm64 = image('linux/arm64')
const v6 = image('linux/arm/v6')
const v7 = image('linux/arm/v7')
const all = index(amd, arm64, v6, v7)

const finds = test.macro({
  async exec(t, root: Node, platform: string | undefined, expected: Node) {
    const options = platform === undefined ? {} : { platform: matcher(platform) }
    const found = await manifestOf(new Blobs(root), root.desc, options)
    t.deepEqual(found, parseManifest(expected.bytes))
  },
  title: (title = '') => `manifest() ${title}`,
})

const findsNone = test.macro({
  async exec(t, root: Node, platform: string) {
    await t.throwsAsync(manifestOf(new Blobs(root), root.desc, { platform: matcher(platform) }), {
      code: 'NOT_FOUND',
    })
  },
  title: (title = '') => `manifest() finds none ${title}`,
})

test('takes the first entry without a platform asked for', finds, all, undefined, amd)
test('takes the entry for a platform', finds, all, 'linux/arm64', arm64)
test('takes an arm variant exactly', finds, all, 'linux/arm/v6', v6)
test('takes the best arm variant', finds, index(v6, v7), 'linux/arm/v7', v7)
test('takes a lower arm variant when there is no better', finds, index(amd, v6), 'linux/arm/v7', v6)
test('takes 32-bit arm on arm64 when there is nothing else', finds, index(v6, v7), 'linux/arm64', v7)
test(
  'takes arm64/v8 for arm64',
  finds,
  index(amd, image('linux/arm64/v8')),
  'linux/arm64',
  image('linux/arm64/v8'),
)
test(
  'finds entries of a Docker list',
  finds,
  dockerList(amd, on('linux/arm64', dockerManifest(config({ mediaType: mediaTypes.dockerConfig })))),
  'linux/arm64',
  dockerManifest(config({ mediaType: mediaTypes.dockerConfig })),
)
test('finds entries of nested indexes', finds, index(amd, index(index(arm64))), 'linux/arm64', arm64)
test(
  'finds entries below an index that is marked itself',
  finds,
  index(on('linux/amd64', index(amd)), on('linux/arm64', index(unmarked('linux/arm64')))),
  'linux/arm64',
  unmarked('linux/arm64'),
)
test(
  'goes on when a nested index has nothing for the platform',
  finds,
  index(index(amd), index(), index(arm64)),
  'linux/arm64',
  arm64,
)
test(
  'asks the config of an entry without platform',
  finds,
  index(unmarked('linux/arm64')),
  'linux/arm64',
  unmarked('linux/arm64'),
)
test(
  'prefers a marked entry to one without platform',
  finds,
  index(unmarked('linux/arm64', 'x'), arm64),
  'linux/arm64',
  arm64,
)
test(
  'tries every entry without platform, where containerd cuts to the first',
  finds,
  index(unmarked('linux/amd64'), unmarked('linux/s390x'), unmarked('linux/arm64')),
  'linux/arm64',
  unmarked('linux/arm64'),
)
test('prefers anything to an attestation', finds, index(attestation(amd), amd), undefined, amd)
test(
  'takes an attestation when there is nothing else',
  finds,
  index(attestation(amd)),
  undefined,
  attestation(amd),
)
test(
  'takes a target that is a manifest, whatever its platform',
  finds,
  unmarked('linux/amd64'),
  'windows/arm64',
  unmarked('linux/amd64'),
)
test('takes a target that is marked with another platform', finds, amd, 'linux/arm64', amd)
test(
  'takes an artifact that is the target',
  finds,
  manifestWith({ artifactType: 'x/y' }, emptyConfig(), blob('x/y', 'z')),
  'linux/amd64',
  manifestWith({ artifactType: 'x/y' }, emptyConfig(), blob('x/y', 'z')),
)
test(
  'takes an artifact of an index when no platform is asked for',
  finds,
  index(manifest(emptyConfig())),
  undefined,
  manifest(emptyConfig()),
)
test(
  'passes an artifact on its way to an image',
  finds,
  index(manifest(emptyConfig()), unmarked('linux/amd64')),
  'linux/amd64',
  unmarked('linux/amd64'),
)
test('passes opaque entries', finds, index(blob('x/y', 'z'), amd), 'linux/amd64', amd)
test(
  'reads configs that old registries call octet-stream',
  finds,
  index(manifest(config({ platform: 'linux/s390x', mediaType: mediaTypes.octetStream }))),
  'linux/s390x',
  manifest(config({ platform: 'linux/s390x', mediaType: mediaTypes.octetStream })),
)
test(
  'matches a config of 32-bit arm by variant',
  finds,
  index(unmarked('linux/arm/v7'), unmarked('linux/arm/v6')),
  'linux/arm/v6',
  unmarked('linux/arm/v6'),
)

test('for a platform that is not listed', findsNone, all, 'linux/s390x')
test('in an empty index', findsNone, index(), 'linux/amd64')
test(
  'when the configs of all entries say otherwise',
  findsNone,
  index(unmarked('linux/amd64'), unmarked('linux/arm64')),
  'linux/s390x',
)
test('when there is only an attestation', findsNone, index(attestation(amd)), 'linux/amd64')
test(
  'when there are only artifacts',
  findsNone,
  index(manifest(emptyConfig()), manifest(emptyConfig(mediaTypes.ociConfig))),
  'linux/amd64',
)
test(
  'when a lower variant is offered than the strict one',
  findsNone,
  index(image('linux/arm64/v8.1')),
  'linux/arm/v7',
)

test('manifest() with a strict matcher takes no compatible variant', async t => {
  const platform = onlyStrict(parsePlatform('linux/arm/v7'))
  await t.throwsAsync(manifestOf(new Blobs(index(v6)), index(v6).desc, { platform }), { code: 'NOT_FOUND' })
  t.deepEqual(await manifestOf(new Blobs(all), all.desc, { platform }), parseManifest(v7.bytes))
})

test('manifest() follows the order of a matcher', async t => {
  const platform = ordered(
    parsePlatform('linux/s390x'),
    parsePlatform('linux/arm/v6'),
    parsePlatform('linux/amd64'),
  )
  t.deepEqual(await manifestOf(new Blobs(all), all.desc, { platform }), parseManifest(v6.bytes))
})

test('manifest() refuses a target that is neither index nor manifest', async t => {
  const node = layer('a')
  await t.throwsAsync(manifestOf(new Blobs(node), node.desc), { code: 'NOT_FOUND', message: /media type/ })
})

test('manifest() reads no config and no other manifest when the entry is marked', async t => {
  const store = new Blobs(all)
  await manifestOf(store, all.desc, { platform: matcher('linux/arm/v7') })
  t.deepEqual(store.reads, [all.desc.digest, v7.desc.digest])
})

test('manifest() reads no config when no platform is asked for', async t => {
  const root = index(unmarked('linux/amd64'))
  const store = new Blobs(root)
  await manifestOf(store, root.desc)
  t.is(store.reads.length, 2)
})

test('manifest() finds the index missing', async t => {
  await t.throwsAsync(manifestOf(new Blobs(all).lose(all), all.desc), {
    code: 'NOT_FOUND',
    message: new RegExp(all.desc.digest),
  })
})

test('manifest() names the path to a manifest that is missing', async t => {
  await t.throwsAsync(
    manifestOf(new Blobs(all).lose(arm64), all.desc, { platform: matcher('linux/arm64') }),
    {
      code: 'NOT_FOUND',
      message: new RegExp(`^index ${all.desc.digest} → linux/arm64 manifest ${arm64.desc.digest}: `),
    },
  )
})

test('manifest() does not fall back to a lower variant when the best manifest is missing', async t => {
  const root = index(v6, v7)
  await t.throwsAsync(
    manifestOf(new Blobs(root).lose(v7), root.desc, { platform: matcher('linux/arm/v7') }),
    { code: 'NOT_FOUND' },
  )
})

test('manifest() goes past entries without platform whose blobs are not here', async t => {
  const [a, b, c] = [unmarked('linux/amd64'), unmarked('linux/s390x'), unmarked('linux/arm64')]
  const nested = index(unmarked('linux/ppc64le'))
  const root = index(nested, a, b, c)
  const store = new Blobs(root).lose(nested, a, ...b.below)
  t.deepEqual(
    await manifestOf(store, root.desc, { platform: matcher('linux/arm64') }),
    parseManifest(c.bytes),
  )
})

test('manifest() names what was missing when nothing else matches', async t => {
  const [a, b] = [unmarked('linux/amd64'), unmarked('linux/s390x')]
  const root = index(a, b)
  await t.throwsAsync(manifestOf(new Blobs(root).lose(b), root.desc, { platform: matcher('linux/s390x') }), {
    code: 'NOT_FOUND',
    message: new RegExp(`manifest ${b.desc.digest}: `),
  })
})

test('manifest() finds damaged bytes of index, manifest and config', async t => {
  const entry = unmarked('linux/amd64')
  const root = index(entry)
  for (const node of [root, entry, ...entry.below.slice(0, 1)]) {
    const store = new Blobs(root).damage(node)
    await t.throwsAsync(manifestOf(store, root.desc, { platform: matcher('linux/amd64') }), {
      code: 'DATA_LOSS',
    })
  }
})

test('manifest() rejects with the reason when the signal fires in the middle', async t => {
  const root = index(unmarked('linux/amd64'), unmarked('linux/arm64'))
  for (const at of [1, 2, 3, 4, 5]) {
    const store = new Blobs(root)
    const stop = new AbortController()
    const reason = new Error('enough')
    store.onRead = () => {
      if (store.reads.length === at) stop.abort(reason)
    }
    const options = { platform: matcher('linux/arm64'), signal: stop.signal }
    t.is(await t.throwsAsync(manifestOf(store, root.desc, options)), reason)
    t.is(store.reads.length, at)
  }
})

test('manifest() ends on an image of 2^60 paths', async t => {
  let node = index(unmarked('linux/amd64'))
  for (let at = 0; at < 60; at++) node = index(node, node)
  await t.throwsAsync(manifestOf(new Blobs(node), node.desc, { platform: matcher('linux/arm64') }), {
    code: 'NOT_FOUND',
  })
})

test('findManifest() gives the path to the manifest', async t => {
  const nested = index(arm64)
  const root = index(amd, nested)
  const found = await findManifest(new Blobs(root), root.desc, { platform: matcher('linux/arm64') })
  t.deepEqual(found.path, [root.desc, nested.desc, arm64.desc])
  t.deepEqual(found.descriptor, arm64.desc)
})

test('config() gives the descriptor and does not read it', async t => {
  const store = new Blobs(all)
  const expected = arm64.below[0]
  t.deepEqual(await configOf(store, all.desc, { platform: matcher('linux/arm64') }), expected?.desc)
  t.false(store.reads.some(digest => digest === expected?.desc.digest))
})

const diffIds = [digestOf('a'), digestOf('b')]

test('rootFS() gives the diff ids of a config', async t => {
  const root = index(on('linux/amd64', manifest(config({ diffIds }), layer('a'), layer('b'))))
  t.deepEqual(await rootFS(new Blobs(root), root.desc, { platform: anyPlatform }), diffIds)
})

test('rootFS() gives none for an artifact', async t => {
  const root = manifest(emptyConfig(), blob('x/y', 'z'))
  t.deepEqual(await rootFS(new Blobs(root), root.desc), [])
})

test('rootFS() finds the config missing, damaged, or none', async t => {
  const part = config({ diffIds })
  const root = manifest(part, layer('a'))
  await t.throwsAsync(rootFS(new Blobs(root).lose(part), root.desc), { code: 'NOT_FOUND' })
  await t.throwsAsync(rootFS(new Blobs(root).damage(part), root.desc), { code: 'DATA_LOSS' })
  const bad = manifest(blob(mediaTypes.ociConfig, '{"rootfs":{"diff_ids":["nonsense"]}}'))
  await t.throwsAsync(rootFS(new Blobs(bad), bad.desc), { code: 'INVALID_ARGUMENT' })
})

const platformOfConfig = test.macro({
  async exec(t, node: Node, expected: object | undefined) {
    t.deepEqual(await configPlatform(new Blobs(node), node.desc), expected as never)
  },
  title: (title = '') => `configPlatform() ${title}`,
})

test('gives a platform', platformOfConfig, config({ platform: 'linux/amd64' }), {
  os: 'linux',
  architecture: 'amd64',
})
test('gives a variant', platformOfConfig, config({ platform: 'linux/arm/v6' }), {
  os: 'linux',
  architecture: 'arm',
  variant: 'v6',
})
test('normalises', platformOfConfig, config({ platform: 'Linux/aarch64/v8' }), {
  os: 'linux',
  architecture: 'arm64',
})
test('gives none for an empty config', platformOfConfig, emptyConfig(mediaTypes.ociConfig), undefined)
test(
  'does not read what is no image config',
  platformOfConfig,
  blob('application/vnd.cncf.helm.config.v1+json', 'no json'),
  undefined,
)
