import zlib from 'node:zlib'
import test from 'ava'
import { importArchive } from '../../src/archive/import.ts'
import type { FileEvent } from '../../src/archive/types.ts'
import { readBlob } from '../../src/content/blob.ts'
import { MemoryStore } from '../../src/content/memory-store.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'
import {
  blobEntry,
  dockerEntries,
  dockerPaths,
  indexEntry,
  layerTar,
  layoutEntries,
  layoutEntry,
  layoutTar,
  named,
  tagged,
} from '../support/archives.ts'
import { attestation, blob, collect, flat, image, index } from '../support/image.ts'
import { inChunks, paxEntry, type RawEntry, rawEntry, rawTar } from '../support/tar.ts'

const stored = async (content: MemoryStore): Promise<readonly string[]> =>
  (await collect(content.list())).map(({ digest }) => digest).toSorted()

const importBytes = (bytes: Uint8Array, content = new MemoryStore()) =>
  importArchive(inChunks(bytes, 700), content)

const importEntries = (...entries: readonly RawEntry[]) => importBytes(rawTar(...entries))

const docker = dockerEntries

const whole = index(image('linux/amd64'), image('linux/arm64/v8'))

test('importArchive() stores the blobs of a layout, and gives its index', async t => {
  const content = new MemoryStore()
  const tar = layoutTar(tagged(whole, 'v1'))
  const { format, index: found, target, digests } = await importBytes(tar, content)
  const all = flat(whole).map(({ desc }) => desc.digest)
  t.is(format, 'oci')
  t.deepEqual(await stored(content), [...new Set(all)].toSorted())
  t.deepEqual([...digests].toSorted(), await stored(content))
  t.deepEqual(
    found.manifests.map(({ digest, annotations }) => ({ digest, annotations })),
    [{ digest: whole.desc.digest, annotations: { 'org.opencontainers.image.ref.name': 'v1' } }],
  )
  t.is(target.digest, digestOf(Buffer.from(String(indexEntry(tagged(whole, 'v1')).body))))
  for (const node of flat(whole))
    t.deepEqual(Buffer.from(await readBlob(content, node.desc)), Buffer.from(node.bytes))
})

for (const [how, entries] of [
  ['with the index first', (all: readonly RawEntry[]) => all.toReversed()],
  [
    'with ./ before its names',
    (all: readonly RawEntry[]) => all.map(entry => ({ ...entry, name: `./${entry.name}` })),
  ],
  [
    'with directories',
    (all: readonly RawEntry[]) => [{ name: './', flag: '5' }, { name: 'blobs/', flag: '5' }, ...all],
  ],
  [
    'with files that are no blobs',
    (all: readonly RawEntry[]) => [
      ...all,
      { name: 'README', body: 'x' },
      { name: 'blobs/sha256/x', body: 'x' },
    ],
  ],
  ['with a blob twice', (all: readonly RawEntry[]) => [...all, ...all]],
] as const) {
  test(`importArchive() takes a layout ${how}`, async t => {
    const content = new MemoryStore()
    await importBytes(rawTar(...entries(layoutEntries(tagged(whole, 'v1')))), content)
    for (const { desc } of flat(whole)) t.is((await content.info(desc.digest)).size, desc.size)
    t.deepEqual(await collect(content.statuses()), [])
  })
}

test('importArchive() undoes gzip', async t => {
  const content = new MemoryStore()
  await importBytes(zlib.gzipSync(layoutTar(tagged(whole, 'v1'))), content)
  t.is((await content.info(whole.desc.digest)).size, whole.desc.size)
})

test('importArchive() follows hard and symbolic links to blobs of docker save', async t => {
  const content = new MemoryStore()
  const [first, second] = ['one', 'two'].map(layerTar)
  const entries = docker().map(entry => {
    if (entry.name === dockerPaths.layer(0)) return { name: entry.name, flag: '2', linkName: '../first.tar' }
    return entry.name === dockerPaths.layer(1)
      ? { name: entry.name, flag: '1', linkName: 'second.tar' }
      : entry
  })
  const { index: found } = await importBytes(
    rawTar({ name: 'first.tar', body: first ?? '' }, { name: 'second.tar', body: second ?? '' }, ...entries),
    content,
  )
  t.is(found.manifests.length, 1)
})

test('importArchive() makes of docker save the manifest that containerd makes', async t => {
  const content = new MemoryStore()
  const { format, index: found } = await importBytes(
    rawTar(...docker({ tags: ['busybox:1', 'ghcr.io/a/b:2'] })),
    content,
  )
  t.is(format, 'docker')
  t.deepEqual(
    found.manifests.map(({ annotations, platform }) => ({ annotations, platform })),
    [
      ['docker.io/library/busybox:1', '1'],
      ['ghcr.io/a/b:2', '2'],
    ].map(([name, tag]) => ({
      annotations: { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': tag },
      platform: { os: 'linux', architecture: 'amd64' },
    })),
  )
  const [desc] = found.manifests
  const config = docker().find(({ name }) => name === dockerPaths.config)?.body as string
  const layers = ['one', 'two'].map(layerTar)
  const expected = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.dockerManifest,
    config: { mediaType: mediaTypes.dockerConfig, digest: digestOf(config), size: config.length },
    layers: layers.map(tar => ({
      mediaType: mediaTypes.dockerLayer,
      digest: digestOf(tar),
      size: tar.byteLength,
    })),
  })
  t.is(desc?.digest, digestOf(expected))
  t.deepEqual(
    await stored(content),
    [digestOf(expected), digestOf(config), ...layers.map(tar => digestOf(tar))].toSorted(),
  )
})

test('importArchive() names an image of docker save that has none by nothing', async t => {
  const { index: found } = await importEntries(...docker({ tags: [] }))
  t.is(found.manifests[0]?.annotations, undefined)
})

test('importArchive() tells the compression of the layers of docker save by their bytes', async t => {
  const entries = docker().map(entry =>
    entry.name === dockerPaths.layer(0) ? { ...entry, body: zlib.gzipSync(entry.body as Buffer) } : entry,
  )
  const content = new MemoryStore()
  const { index: found } = await importBytes(rawTar(...entries), content)
  const [desc] = found.manifests
  const { layers } = JSON.parse(Buffer.from(await readBlob(content, desc ?? whole.desc)).toString())
  t.deepEqual(
    layers.map(({ mediaType }: { mediaType: string }) => mediaType),
    [mediaTypes.dockerLayerGzip, mediaTypes.dockerLayer],
  )
})

test('importArchive() compresses layers of docker save where asked to, and knows what they were', async t => {
  const content = new MemoryStore()
  const tar = rawTar(...docker({ layers: ['x'.repeat(10_000)] }))
  const { index: found } = await importArchive(inChunks(tar), content, { compress: true })
  const { layers } = JSON.parse(
    Buffer.from(await readBlob(content, found.manifests[0] ?? whole.desc)).toString(),
  )
  t.is(layers[0].mediaType, mediaTypes.dockerLayerGzip)
  const bytes = await readBlob(content, layers[0])
  t.deepEqual(zlib.gunzipSync(bytes), layerTar('x'.repeat(10_000)))
  const { labels } = await content.info(layers[0].digest)
  t.is(labels['containerd.io/uncompressed'], digestOf(layerTar('x'.repeat(10_000))))
  // The next import finds it by that label.
  const again = await importArchive(inChunks(tar), content)
  t.deepEqual(again.index.manifests[0]?.digest, found.manifests[0]?.digest)
})

test('importArchive() takes an archive of both kinds for a layout', async t => {
  const { format } = await importEntries(...docker(), ...layoutEntries(tagged(whole, 'v1')))
  t.is(format, 'oci')
})

test('importArchive() does not read a blob that is there', async t => {
  const content = new MemoryStore()
  const tar = layoutTar(tagged(whole, 'v1'))
  await importBytes(tar, content)
  const events: FileEvent[] = []
  await importArchive(inChunks(tar), content, { onFile: event => events.push(event) })
  t.deepEqual([...new Set(events.map(({ type }) => type))], ['present'])
})

test('importArchive() tells of each file', async t => {
  const node = blob('application/octet-stream', 'x'.repeat(300_000))
  const events: FileEvent[] = []
  const tar = rawTar(blobEntry(node), ...layoutEntries(tagged(index(), 'v1')))
  await importArchive(inChunks(tar, 200_512), new MemoryStore(), { onFile: event => events.push(event) })
  const { digest } = node.desc
  t.deepEqual(
    events.filter(event => event.digest === digest).map(({ type, offset }) => [type, offset]),
    [
      ['storing', 0],
      ['storing', 200_000],
      ['storing', 300_000],
      ['stored', 300_000],
    ],
  )
})

test('importArchive() takes attestations', async t => {
  const content = new MemoryStore()
  const subject = image('linux/amd64')
  const all = index(subject, attestation(subject))
  await importBytes(layoutTar(tagged(all, 'v1')), content)
  for (const { desc } of flat(all)) t.is((await content.info(desc.digest)).size, desc.size)
})

test('importArchive() keeps a blob by sha512 under that digest', async t => {
  const content = new MemoryStore()
  const digest = digestOf('by sha512', 'sha512')
  const path = paxEntry([`path=blobs/sha512/${digest.slice(7)}`])
  const entries = layoutEntries(tagged(whole, 'v1')).map(rawEntry)
  await importBytes(rawTar(path, rawEntry({ body: 'by sha512' }), ...entries), content)
  t.is((await content.info(digest)).size, 9)
})

const isRefused = test.macro<[readonly RawEntry[], string, RegExp]>({
  async exec(t, entries, code, message) {
    const content = new MemoryStore()
    await t.throwsAsync(importBytes(rawTar(...entries), content), { code, message })
    t.deepEqual(await collect(content.statuses()), [])
  },
  title: (title = '') => `importArchive() refuses ${title}`,
})

const layout = layoutEntries(tagged(whole, 'v1'))
const without = (name: string, entries = layout) => entries.filter(entry => entry.name !== name)
const replaced = (name: string, body: string, entries = layout) =>
  entries.map(entry => (entry.name === name ? { ...entry, body } : entry))

test('an empty tar', isRefused, [], 'INVALID_ARGUMENT', /neither oci-layout nor manifest\.json/)
test(
  'a tar of something else',
  isRefused,
  [{ name: 'README', body: 'x' }],
  'INVALID_ARGUMENT',
  /neither oci-layout/,
)
test('a layout without index.json', isRefused, without('index.json'), 'INVALID_ARGUMENT', /no index\.json/)
test(
  'a layout without oci-layout',
  isRefused,
  without('oci-layout'),
  'INVALID_ARGUMENT',
  /neither .*only index\.json/,
)
test(
  'a layout of another version',
  isRefused,
  replaced('oci-layout', '{"imageLayoutVersion":"2.0.0"}'),
  'INVALID_ARGUMENT',
  /"2\.0\.0" is not known/,
)
test(
  'an oci-layout that is no JSON',
  isRefused,
  replaced('oci-layout', '{'),
  'INVALID_ARGUMENT',
  /oci-layout: not JSON/,
)
test(
  'an index.json that is none',
  isRefused,
  replaced('index.json', '{"manifests":[],"layers":[]}'),
  'INVALID_ARGUMENT',
  /index\.json: an index must not have/,
)
test(
  'an index.json with a digest that leads out',
  isRefused,
  replaced('index.json', '{"manifests":[{"mediaType":"x","digest":"../../etc/passwd","size":1}]}'),
  'INVALID_ARGUMENT',
  /digest/,
)
test(
  'docker save of before 1.10',
  isRefused,
  without('manifest.json', docker()),
  'INVALID_ARGUMENT',
  /neither/,
)
test(
  'a manifest.json that is no list',
  isRefused,
  replaced('manifest.json', '{}', docker()),
  'INVALID_ARGUMENT',
  /manifest\.json: expected an array/,
)
test(
  'a manifest.json without a config',
  isRefused,
  replaced('manifest.json', '[{}]', docker()),
  'INVALID_ARGUMENT',
  /Config: expected a string/,
)
test(
  'a manifest.json with keys that can be taken for others',
  isRefused,
  replaced('manifest.json', '[{"Config":"a","config":"b"}]', docker()),
  'INVALID_ARGUMENT',
  /can be taken for "Config"/,
)
test(
  'a manifest.json that names an absent config',
  isRefused,
  without(dockerPaths.config, docker()),
  'INVALID_ARGUMENT',
  /"c0ffee\.json": is named, and is not in the archive/,
)
test(
  'a manifest.json that names an absent layer',
  isRefused,
  without(dockerPaths.layer(1), docker()),
  'INVALID_ARGUMENT',
  /layer\.tar": is named, and is not/,
)
test(
  'a manifest.json that names what leads out',
  isRefused,
  replaced('manifest.json', '[{"Config":"../../etc/passwd"}]', docker()),
  'INVALID_ARGUMENT',
  /leads out/,
)
test(
  'a config without all its diff ids',
  isRefused,
  docker({ diffIds: [] }),
  'INVALID_ARGUMENT',
  /names 0 layers, manifest\.json names 2/,
)
test(
  'a name of docker save that is no reference',
  isRefused,
  docker({ tags: ['UPPER/case'] }),
  'INVALID_ARGUMENT',
  /lower case/,
)

test('importArchive() says which layer is not the one that the config names, and both digests', async t => {
  const wrong = digestOf('wrong')
  const right = digestOf(layerTar('one'))
  const error = await t.throwsAsync(importEntries(...docker({ layers: ['one'], diffIds: [wrong] })), {
    code: 'DATA_LOSS',
  })
  t.true(error?.message.includes(dockerPaths.layer(0)))
  t.true(error?.message.includes(wrong) && error.message.includes(right))
})

test('importArchive() looks into compressed layers of docker save for their diff ids', async t => {
  const entries = docker({ layers: ['one'], diffIds: [digestOf('wrong')] }).map(entry =>
    entry.name === dockerPaths.layer(0) ? { ...entry, body: zlib.gzipSync(entry.body as Buffer) } : entry,
  )
  await t.throwsAsync(importEntries(...entries), { code: 'DATA_LOSS', message: /is not the sha256:/ })
})

test('importArchive() stops for its signal, and leaves no ingest', async t => {
  const content = new MemoryStore()
  const stop = new AbortController()
  const reason = new Error('enough')
  const tar = layoutTar(named(whole, 'a/b:1'))
  const source = (async function* () {
    yield tar.subarray(0, 600)
    stop.abort(reason)
    yield tar.subarray(600)
  })()
  await t.throwsAsync(importArchive(source, content, { signal: stop.signal }), { is: reason })
  t.deepEqual(await collect(content.statuses()), [])
  t.deepEqual(await stored(content), [])
})

test('importArchive() reads a pipe to its end, behind the end of the tar too', async t => {
  let read = 0
  const tar = Buffer.concat([layoutTar(tagged(index(), 'v1')), Buffer.alloc(10_000)])
  const source = (async function* () {
    for await (const chunk of inChunks(tar, 1000)) {
      read += chunk.byteLength
      yield chunk
    }
  })()
  await importArchive(source, new MemoryStore())
  t.is(read, tar.byteLength)
})

test('importArchive() takes a layout whose index has no entries', async t => {
  const { index: found } = await importEntries(indexEntry(), layoutEntry)
  t.deepEqual(found.manifests, [])
})
