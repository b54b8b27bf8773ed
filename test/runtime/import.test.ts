import test, { type ExecutionContext } from 'ava'
import { only } from '../../src/oci/matcher.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'
import { parsePlatform } from '../../src/oci/platform.ts'
import { type LoadOptions, load } from '../../src/runtime/import.ts'
import type { Wanted } from '../../src/runtime/select.ts'
import {
  blobEntry,
  dockerEntries,
  type Entry,
  indexEntry,
  layoutEntry,
  layoutTar,
  loadScope,
  named,
  tagged,
} from '../support/archives.ts'
import { bytesIn, recordsIn } from '../support/collected.ts'
import {
  attestation,
  blob,
  config,
  flat,
  image,
  index,
  layer,
  manifest,
  type Node,
  on,
} from '../support/image.ts'
import { inChunks, rawTar } from '../support/tar.ts'

const wants = (...texts: readonly string[]): readonly Wanted[] =>
  texts.map(text => ({ text, matcher: only(parsePlatform(text)) }))

const now = () => new Date('2026-03-04T12:00:00Z')

/** A store in memory and a `load` into it. */
function opened(t: ExecutionContext) {
  const { store, scope } = loadScope(t)
  return {
    store,
    scope,
    load: (tar: Uint8Array, options: LoadOptions = {}) =>
      load(scope, inChunks(tar, 5000), { now, ...options }),
    /** The digests that stay when all that nothing keeps is collected. */
    kept: async (): Promise<readonly string[]> => {
      await store.collector.collect()
      return bytesIn(store)
    },
  }
}

const digests = (...nodes: readonly Node[]): readonly string[] =>
  [...new Set(flat(...nodes).map(({ desc }) => desc.digest))].toSorted()

const multi = index(image('linux/amd64'), image('linux/arm64/v8'))
const [amd64, arm64] = multi.below as [Node, Node]

test('load() names the images of a layout, and their labels keep all that is below them', async t => {
  const { load, kept, store } = opened(t)
  const { images, format, skipped } = await load(
    layoutTar(tagged(multi, 'v1'), named(amd64, 'docker.io/library/a:1')),
  )
  t.is(format, 'oci')
  t.deepEqual(skipped, [])
  t.deepEqual(
    images.map(({ image: { name, target } }) => [name, target.digest]),
    [
      ['import-2026-03-04:v1', multi.desc.digest],
      ['docker.io/library/a:1', amd64.desc.digest],
    ],
  )
  t.deepEqual(await kept(), digests(multi))
  t.deepEqual(
    (await recordsIn(store)).filter(record => /^(lease|ingest)/.test(record)),
    [],
  )
})

test('load() keeps of a target what containerd keeps: no platform', async t => {
  const { load } = opened(t)
  const { images } = await load(layoutTar(tagged(amd64, 'v1')))
  const [{ image } = { image: undefined }] = images
  t.deepEqual(image?.target, {
    mediaType: amd64.desc.mediaType,
    digest: amd64.desc.digest,
    size: amd64.desc.size,
    annotations: { 'org.opencontainers.image.ref.name': 'v1' },
  })
})

test('load() keeps of an index only the platforms that are wanted', async t => {
  const { load, kept } = opened(t)
  await load(layoutTar(tagged(multi, 'v1')), { platforms: wants('linux/arm64') })
  t.deepEqual(
    await kept(),
    [...new Set([multi.desc.digest, ...digests(arm64)])].toSorted().concat(amd64.desc.digest).toSorted(),
  )
})

test('load() leaves out images for other platforms, and says which', async t => {
  const { load } = opened(t)
  const { images, skipped } = await load(layoutTar(tagged(amd64, 'x'), tagged(arm64, 'y')), {
    platforms: wants('linux/amd64'),
  })
  t.deepEqual(
    images.map(({ image: { name } }) => name),
    ['import-2026-03-04:x'],
  )
  t.deepEqual(skipped, ['import-2026-03-04:y'])
})

test('load() takes an image whose entry names no platform, as containerd does', async t => {
  const { load } = opened(t)
  const { platform: _, ...desc } = arm64.desc
  const { images } = await load(layoutTar(tagged({ ...arm64, desc }, 'x')), {
    platforms: wants('linux/amd64'),
  })
  t.is(images.length, 1)
})

test('load() fails when no image is for a platform that was asked for, and says which there are', async t => {
  const { load, store } = opened(t)
  for (const texts of [['windows/amd64'], ['linux/amd64', 'windows/amd64']]) {
    await t.throwsAsync(load(layoutTar(tagged(multi, 'v1')), { platforms: wants(...texts), what: 'x.tar' }), {
      code: 'NOT_FOUND',
      message:
        'x.tar: no image for windows/amd64; it has linux/amd64, linux/arm64: give --platform or --all-platforms',
    })
  }
  t.deepEqual(
    (await recordsIn(store)).filter(record => record.startsWith('image')),
    [],
  )
})

test('load() fails on docker save for another platform, as containerd does', async t => {
  const { load } = opened(t)
  const tar = rawTar(...dockerEntries({ platform: 'linux/s390x' }))
  await t.throwsAsync(load(tar, { platforms: wants('linux/amd64') }), {
    code: 'NOT_FOUND',
    message: /it has linux\/s390x/,
  })
  await t.notThrowsAsync(load(tar))
})

test('load() names images by their digest too, if wanted', async t => {
  const { load } = opened(t)
  const { digest } = multi.desc
  const names = async (options: LoadOptions, ...entries: readonly Entry[]) =>
    (await load(layoutTar(...entries), options)).images.map(({ image: { name } }) => name)
  t.deepEqual(await names({ digests: true }, tagged(multi, 'x')), [
    'import-2026-03-04:x',
    `import-2026-03-04@${digest}`,
  ])
  t.deepEqual(await names({ digests: true, base: 'a/b' }, { node: multi }), [`a/b@${digest}`])
  t.deepEqual(await names({ digests: true, skipDigestForNamed: true }, tagged(multi, 'x')), [
    'import-2026-03-04:x',
  ])
})

test('load() gives the whole index a name', async t => {
  const { load, kept } = opened(t)
  const tar = layoutTar({ node: amd64 }, { node: arm64 })
  const { images } = await load(tar, { indexName: 'docker.io/library/all:1' })
  const [{ image } = { image: undefined }] = images
  t.is(image?.name, 'docker.io/library/all:1')
  t.is(image?.target.mediaType, mediaTypes.ociIndex)
  t.deepEqual(await kept(), [image?.target.digest ?? '', ...digests(amd64, arm64)].toSorted())
})

test('load() fails when there is nothing to name', async t => {
  const { load } = opened(t)
  await t.throwsAsync(load(layoutTar({ node: multi })), {
    code: 'INVALID_ARGUMENT',
    message: /names no image; give --digests/,
  })
  await t.throwsAsync(load(layoutTar()), { code: 'INVALID_ARGUMENT', message: /names no image/ })
  await t.throwsAsync(load(layoutTar(tagged(multi, 'other/name:1')), { base: 'a/b' }), {
    code: 'INVALID_ARGUMENT',
    message: /names no image/,
  })
})

for (const options of [{ base: 'A/B' }, { indexName: '../x' }]) {
  test(`load() refuses ${JSON.stringify(options)} before it reads`, async t => {
    const { scope } = opened(t)
    const source = (async function* () {
      t.fail()
      yield new Uint8Array(0)
    })()
    await t.throwsAsync(load(scope, source, options), { code: 'INVALID_ARGUMENT' })
  })
}

test('load() refuses a name that is no reference, and names no image of the archive', async t => {
  const { load, store } = opened(t)
  await t.throwsAsync(load(layoutTar(tagged(amd64, 'good'), named(arm64, '../../etc/passwd'))), {
    code: 'INVALID_ARGUMENT',
    message: /name that is none/,
  })
  t.deepEqual(
    (await recordsIn(store)).filter(record => /^(image|lease|ingest)/.test(record)),
    [],
  )
})

test('load() points a name at the new image, keeps its labels, and says what it was', async t => {
  const { load, scope } = opened(t)
  await load(layoutTar(named(amd64, 'a.b/c:1')), { labels: { one: '1' } })
  const { images } = await load(layoutTar(named(arm64, 'a.b/c:1')), { labels: { two: '2' } })
  t.is(images[0]?.replaced?.digest, amd64.desc.digest)
  const { labels, target } = await scope.images.get('a.b/c:1')
  t.deepEqual(labels, { one: '1', two: '2' })
  t.is(target.digest, arm64.desc.digest)
})

test('load() refuses an image that is not whole, names what is missing and where it stands, and leaves no image', async t => {
  const { load, store } = opened(t)
  const [gone] = arm64.below.filter(({ desc }) => desc.mediaType === mediaTypes.ociLayerGzip)
  const rest = flat(multi).filter(({ desc }) => desc.digest !== gone?.desc.digest)
  const tar = rawTar(...rest.map(blobEntry), indexEntry(tagged(multi, 'v1')), layoutEntry)
  const error = await t.throwsAsync(load(tar, { what: 'x.tar' }), { code: 'FAILED_PRECONDITION' })
  t.is(
    error?.message,
    `x.tar: not whole: 1 blobs are neither in it nor in the store: index ${multi.desc.digest} → linux/arm64/v8 manifest ${arm64.desc.digest} → layer ${gone?.desc.digest}`,
  )
  t.deepEqual(
    (await recordsIn(store)).filter(record => /^(image|lease|ingest)/.test(record)),
    [],
  )
  // What the platform does not need is not missed.
  await t.notThrowsAsync(load(tar, { platforms: wants('linux/amd64') }))
  // Nor what is asked to be passed over.
  await t.notThrowsAsync(load(tar, { onMissing: 'skip' }))
})

test('load() takes what is not in the archive from the store, and its image keeps it', async t => {
  const { load, scope, kept } = opened(t)
  await load(layoutTar(named(multi, 'a.b/old:1')))
  const tar = rawTar(blobEntry(multi), indexEntry(named(multi, 'a.b/new:1')), layoutEntry)
  await load(tar)
  await scope.images.delete('a.b/old:1')
  t.deepEqual(await kept(), digests(multi))
})

test('load() skips what is missing: an index without any of its manifests', async t => {
  const { load, kept } = opened(t)
  const tar = rawTar(blobEntry(multi), indexEntry(named(multi, 'a.b/c:1')), layoutEntry)
  await t.throwsAsync(load(tar), { code: 'FAILED_PRECONDITION', message: /2 blobs/ })
  const { images } = await load(tar, { onMissing: 'skip' })
  t.is(images.length, 1)
  t.deepEqual(await kept(), [multi.desc.digest])
})

test('load() does not miss layers that a licence keeps from travelling', async t => {
  const { load } = opened(t)
  const foreign = layer('far away', mediaTypes.ociNondistributableLayerGzip)
  const root = manifest(config(), foreign)
  const tar = rawTar(
    ...[root, ...root.below.slice(0, 1)].map(blobEntry),
    indexEntry(tagged(root, 'x')),
    layoutEntry,
  )
  await t.notThrowsAsync(load(tar))
})

test('load() takes attestations with all platforms, and not with one', async t => {
  const root = index(amd64, attestation(amd64))
  const first = opened(t)
  await first.load(layoutTar(tagged(root, 'x')))
  t.deepEqual(await first.kept(), digests(root))
  const second = opened(t)
  await second.load(layoutTar(tagged(root, 'x')), { platforms: wants('linux/amd64') })
  const about = root.below[1]?.desc.digest
  t.deepEqual(await second.kept(), [...digests(amd64), root.desc.digest, about].toSorted())
})

test('load() takes what is neither an index nor a manifest', async t => {
  const { load, kept } = opened(t)
  const root = blob('application/x-thing', 'a thing')
  await load(layoutTar(tagged(root, 'x')))
  t.deepEqual(await kept(), [root.desc.digest])
})

test('load() lets go of layers where it is to discard them', async t => {
  const { load, kept } = opened(t)
  await load(layoutTar(tagged(amd64, 'x')), { discardLayers: true })
  t.deepEqual(
    await kept(),
    digests(amd64).filter(digest => amd64.below.slice(1).every(({ desc }) => desc.digest !== digest)),
  )
})

test('load() refuses an entry whose bytes are not an index, though the entry says so', async t => {
  const { load } = opened(t)
  const root = on('linux/amd64', blob(mediaTypes.ociIndex, '{"manifests":[],"config":{}}'))
  await t.throwsAsync(load(layoutTar(tagged(root, 'x'))), {
    code: 'INVALID_ARGUMENT',
    message: /must not have "config"/,
  })
})
