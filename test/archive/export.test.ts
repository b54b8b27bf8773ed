import fs from 'node:fs/promises'
import path from 'node:path'
import test from 'ava'
import { type ExportArchiveOptions, exportArchive } from '../../src/archive/export.ts'
import type { ExportImage } from '../../src/archive/export-plan.ts'
import { goJson } from '../../src/archive/go-json.ts'
import { sinceArchive, sinceImage } from '../../src/archive/since.ts'
import { readTar } from '../../src/archive/tar.ts'
import type { FileEvent } from '../../src/archive/types.ts'
import { writeWholeFile } from '../../src/archive/write-file.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { only } from '../../src/oci/matcher.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'
import { parsePlatform } from '../../src/oci/platform.ts'
import { dockerEntries, layerTar, layoutTar, tagged } from '../support/archives.ts'
import {
  attestation,
  Blobs,
  blob,
  collect,
  config,
  dockerList,
  dockerManifest,
  emptyConfig,
  flat,
  image,
  index,
  layer,
  manifest,
  type Node,
} from '../support/image.ts'
import { inChunks, rawTar } from '../support/tar.ts'
import { temporaryDirectory } from '../support/tmp.ts'

const multi = index(image('linux/amd64'), image('linux/arm64/v8'))
const [amd64, arm64] = multi.below as [Node, Node]
const amd64Only = { text: 'linux/amd64', matcher: only(parsePlatform('linux/amd64')) }
const arm64Only = { text: 'linux/arm64', matcher: only(parsePlatform('linux/arm64')) }
const windows = { text: 'windows/amd64', matcher: only(parsePlatform('windows/amd64')) }

const as = (node: Node, name?: string): ExportImage => ({
  target: node.desc,
  ...(name !== undefined && { name }),
})

/** An archive's entries by name. */
async function read(bytes: Uint8Array): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>()
  for await (const entry of readTar(inChunks(bytes, 50_000)))
    found.set(entry.name, Buffer.concat(await collect(entry.body())).toString())
  return found
}

async function exported(store: Blobs, images: readonly ExportImage[], options: ExportArchiveOptions = {}) {
  const archive = await exportArchive(store, images, options)
  const bytes = Buffer.concat(await collect(archive.bytes()))
  const entries = await read(bytes)
  return {
    archive,
    bytes,
    entries,
    index: JSON.parse(entries.get('index.json') ?? '{}'),
    docker: JSON.parse(entries.get('manifest.json') ?? 'null'),
    blobs: [...entries.keys()]
      .filter(name => /^blobs\/\w+\/./.test(name))
      .map(name => name.slice(6).replace('/', ':')),
  }
}

const digests = (...nodes: readonly Node[]): readonly string[] =>
  [...new Set(flat(...nodes).map(({ desc }) => desc.digest))].toSorted()

test('exportArchive() writes a layout in the order and with the modes that containerd has', async t => {
  const archive = await exportArchive(new Blobs(amd64), [as(amd64, 'docker.io/library/a:1')])
  const bytes = Buffer.concat(await collect(archive.bytes()))
  const entries = await collect(readTar(inChunks(bytes, 50_000)))
  t.deepEqual(
    entries.map(({ name, type, mode }) => `${name.slice(0, 14)} ${type} ${mode.toString(8)}`),
    [
      'blobs/ directory 755',
      'blobs/sha256/ directory 755',
      ...digests(amd64).map(digest => `blobs/sha256/${digest.slice(7, 8)} file 444`),
      'index.json file 644',
      'manifest.json file 644',
      'oci-layout file 444',
    ],
  )
  for (const { modifiedAt, uid, gid, userName } of entries)
    t.deepEqual([modifiedAt, uid, gid, userName], [0, 0, 0, ''])
  t.is(archive.size, bytes.byteLength)
})

test('exportArchive() names images in the index and for Docker', async t => {
  const {
    index: found,
    docker,
    entries,
  } = await exported(new Blobs(multi), [
    as(amd64, 'docker.io/library/a:1'),
    as(amd64, 'ghcr.io/b/c:2'),
    as(arm64, 'a.b/d:3'),
  ])
  const entry = (node: Node, name: string, tag: string) => ({
    mediaType: node.desc.mediaType,
    digest: node.desc.digest,
    size: node.desc.size,
    annotations: { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': tag },
  })
  t.deepEqual(found, {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [
      entry(amd64, 'docker.io/library/a:1', '1'),
      entry(amd64, 'ghcr.io/b/c:2', '2'),
      entry(arm64, 'a.b/d:3', '3'),
    ],
  })
  const path = ({ desc }: Node) => `blobs/${desc.digest.replace(':', '/')}`
  const [amd64Config, ...amd64Layers] = amd64.below as [Node, ...Node[]]
  const [arm64Config, ...arm64Layers] = arm64.below as [Node, ...Node[]]
  t.deepEqual(docker, [
    { Config: path(amd64Config), RepoTags: ['a:1', 'ghcr.io/b/c:2'], Layers: amd64Layers.map(path) },
    { Config: path(arm64Config), RepoTags: ['a.b/d:3'], Layers: arm64Layers.map(path) },
  ])
  t.is(entries.get('oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
})

test('exportArchive() gives the same bytes for the same images, always', async t => {
  const images = [as(multi, 'a.b/c:1'), as(amd64, 'a.b/d:2')]
  const one = await exported(new Blobs(multi), images)
  const two = await exported(new Blobs(...flat(multi).toReversed()), images)
  t.deepEqual(one.bytes, two.bytes)
  t.deepEqual(Buffer.concat(await collect(one.archive.bytes())), one.bytes)
})

test('exportArchive() writes an index as it is, with the blobs of the platforms that are wanted', async t => {
  const store = new Blobs(multi)
  const one = await exported(store, [as(multi, 'a.b/c:1')], { platforms: [arm64Only] })
  t.deepEqual(one.blobs, [...new Set([multi.desc.digest, ...digests(arm64)])].toSorted())
  t.is(one.docker.length, 1)
  const both = await exported(store, [as(multi, 'a.b/c:1')], { platforms: [arm64Only, amd64Only] })
  t.deepEqual(both.blobs, digests(multi))
  t.is(both.docker[0].Config, one.docker[0].Config)
  const all = await exported(store, [as(multi, 'a.b/c:1')])
  t.deepEqual(all.blobs, digests(multi))
  t.is(all.docker, null)
  const told = await exported(store, [as(multi, 'a.b/c:1')], { dockerPlatform: arm64Only })
  t.is(told.docker[0].Config, one.docker[0].Config)
})

test('exportArchive() takes a manifest whatever its platform, as containerd does', async t => {
  const { blobs } = await exported(new Blobs(arm64), [as(arm64, 'a.b/c:1')], { platforms: [amd64Only] })
  t.deepEqual(blobs, digests(arm64))
})

test('exportArchive() says which platform an image does not have, and which it has', async t => {
  await t.throwsAsync(
    exported(new Blobs(multi), [as(multi, 'a.b/c:1')], { platforms: [amd64Only, windows] }),
    {
      code: 'NOT_FOUND',
      message:
        'image a.b/c:1: has no manifest for windows/amd64; it has linux/amd64, linux/arm64: give --platform or --all-platforms',
    },
  )
})

test('exportArchive() takes Docker manifests, lists and attestations', async t => {
  const docker = dockerManifest(
    config({ mediaType: mediaTypes.dockerConfig }),
    layer('x', mediaTypes.dockerLayerGzip),
  )
  const list = dockerList(docker)
  const attested = index(amd64, attestation(amd64))
  const { blobs, docker: found } = await exported(
    new Blobs(list, attested),
    [as(list, 'a.b/c:1'), as(attested, 'a.b/d:1')],
    { dockerPlatform: amd64Only },
  )
  t.deepEqual(blobs, digests(list, attested))
  t.is(found.length, 2)
})

test('exportArchive() tells Docker of no artifact, and of no name by digest', async t => {
  const artifact = manifest(emptyConfig(), blob('application/x-thing', 'thing'))
  const { docker } = await exported(new Blobs(artifact, amd64), [
    as(artifact, 'a.b/c:1'),
    as(amd64, `a.b/d@${amd64.desc.digest}`),
    as(amd64, 'no name'),
  ])
  t.is(docker.length, 1)
  t.is(docker[0].RepoTags, null)
})

test('exportArchive() leaves out manifest.json if asked to, and layers that may not travel', async t => {
  const root = manifest(config(), layer('far', mediaTypes.ociNondistributableLayer), layer('near'))
  const store = new Blobs(root)
  const { docker, blobs } = await exported(store, [as(root, 'a.b/c:1')], {
    skipDockerManifest: true,
    skipNonDistributable: true,
  })
  t.is(docker, null)
  t.deepEqual(
    blobs,
    digests(root).filter(digest => digest !== root.below[1]?.desc.digest),
  )
  store.lose(root.below[1] as Node)
  await t.notThrowsAsync(exported(store, [as(root)], { skipNonDistributable: true }))
  await t.throwsAsync(exported(store, [as(root)]), { code: 'NOT_FOUND' })
})

test('exportArchive() writes where an image came from', async t => {
  const store = new Blobs(amd64)
  await store.update(amd64.desc.digest, {
    labels: { 'containerd.io/distribution.source.docker.io': 'library/a', other: 'x' },
  })
  const { index: found } = await exported(store, [as(amd64)])
  t.deepEqual(found.manifests[0].annotations, { 'containerd.io/distribution.source.docker.io': 'library/a' })
})

test('exportArchive() says what is not here: image, platform, manifest, blob, and the way out', async t => {
  const gone = arm64.below[1] as Node
  const store = new Blobs(multi).lose(gone)
  await t.throwsAsync(exported(store, [as(multi, 'a.b/c:1')]), {
    code: 'NOT_FOUND',
    message: `image a.b/c:1: not all here: index ${multi.desc.digest} → linux/arm64/v8 manifest ${arm64.desc.digest} → layer ${gone.desc.digest}; pull it for the platform, or give --missing fetch or --missing skip`,
  })
  await t.notThrowsAsync(exported(store, [as(multi, 'a.b/c:1')], { platforms: [amd64Only] }))
})

test('exportArchive() with skip writes of a manifest that is not whole only itself, and says what is missing', async t => {
  const gone = arm64.below[1] as Node
  const store = new Blobs(multi).lose(gone)
  const { blobs, archive } = await exported(store, [as(multi, 'a.b/c:1')], { onMissing: 'skip' })
  t.deepEqual(blobs, [...new Set([...digests(amd64), multi.desc.digest, arm64.desc.digest])].toSorted())
  t.deepEqual(
    archive.missing.map(({ descriptor }) => descriptor.digest),
    [gone.desc.digest],
  )
})

test('exportArchive() with skip leaves out images of which nothing is here, and fails when none is left', async t => {
  const store = new Blobs(amd64)
  const { archive, index: found } = await exported(store, [as(arm64, 'a.b/gone:1'), as(amd64, 'a.b/c:1')], {
    onMissing: 'skip',
  })
  t.deepEqual(
    archive.left.map(({ name }) => name),
    ['a.b/gone:1'],
  )
  t.is(found.manifests.length, 1)
  await t.throwsAsync(exported(store, [as(arm64)], { onMissing: 'skip' }), {
    code: 'NOT_FOUND',
    message: /nothing of the images/,
  })
})

test('exportArchive() refuses a target that is no image', async t => {
  const thing = blob('application/x-thing', 'x')
  await t.throwsAsync(exported(new Blobs(thing), [as(thing, 'a.b/c:1')]), {
    code: 'INVALID_ARGUMENT',
    message: /only indexes and manifests/,
  })
})

test('exportArchive() finds a blob whose bytes are wrong while it writes', async t => {
  const store = new Blobs(amd64).damage(amd64.below[1] as Node)
  await t.throwsAsync(exported(store, [as(amd64, 'a.b/c:1')]), {
    code: 'DATA_LOSS',
    message: /its bytes are those of/,
  })
})

test('exportArchive() stops for its signal', async t => {
  const stop = new AbortController()
  const reason = new Error('enough')
  const archive = await exportArchive(new Blobs(amd64), [as(amd64)], { signal: stop.signal })
  const bytes = archive.bytes()
  await bytes.next()
  stop.abort(reason)
  await t.throwsAsync(collect(bytes), { is: reason })
})

test('exportArchive() tells of each blob', async t => {
  const events: FileEvent[] = []
  await exported(new Blobs(amd64), [as(amd64)], { onFile: event => events.push(event) })
  const [first] = digests(amd64)
  t.deepEqual(
    events.filter(({ digest }) => digest === first).map(({ type }) => type),
    ['writing', 'writing', 'written'],
  )
})

test('exportArchive() leaves out what the other side has, and says that it is partial', async t => {
  const base = layer('base')
  const old = manifest(config({ author: 'old' }), base)
  const next = manifest(config({ author: 'new' }), base, layer('top'))
  const store = new Blobs(old, next)
  const since = await sinceArchive(inChunks(layoutTar(tagged(old, 'v1')), 5000), 'old.tar')
  const { blobs, archive, index: found, docker } = await exported(store, [as(next, 'a.b/c:2')], { since })
  t.deepEqual(
    blobs,
    digests(next).filter(digest => digest !== base.desc.digest),
  )
  t.deepEqual(
    archive.omitted.map(({ digest }) => digest),
    [base.desc.digest],
  )
  t.deepEqual(found.annotations, { 'io.orlop.archive.since': 'old.tar' })
  t.is(docker, null)
  // What is not here need not be: the other side has it.
  store.lose(base)
  await t.notThrowsAsync(exported(store, [as(next)], { since }))
})

test('an archive since another that has nothing of it is whole', async t => {
  const since = await sinceArchive(
    inChunks(layoutTar(tagged(image('linux/s390x', 'other'), 'v1'))),
    'old.tar',
  )
  const { index: found, docker } = await exported(new Blobs(amd64), [as(amd64, 'a.b/c:1')], { since })
  t.is(found.annotations, undefined)
  t.is(docker.length, 1)
})

test('sinceArchive() knows the layers of docker save by their bytes', async t => {
  const { has } = await sinceArchive(inChunks(rawTar(...dockerEntries())), 'old.tar')
  const target = (text: string) => ({
    mediaType: mediaTypes.dockerLayer,
    digest: digestOf(layerTar(text)),
    size: 1,
  })
  t.true(has(target('one')) && has(target('two')))
  t.false(has(target('three')))
})

test('sinceImage() knows all of an image, or the layers of some platforms', async t => {
  const store = new Blobs(multi)
  const all = await sinceImage(store, multi.desc, 'x')
  t.true(flat(multi).every(({ desc }) => all.has(desc)))
  const one = await sinceImage(store, multi.desc, 'x', { platforms: [amd64Only, windows] })
  t.true(amd64.below.every(({ desc }) => one.has(desc)))
  t.false(one.has((arm64.below[1] as Node).desc))
})

test('goJson() escapes as Go does', t => {
  t.is(goJson({ a: '<b>&\u2028' }), '{"a":"\\u003cb\\u003e\\u0026\\u2028"}')
})

const chunks = async function* (...texts: readonly string[]) {
  for (const text of texts) yield Buffer.from(text)
}

test('writeWholeFile() writes a file whole', async t => {
  const dir = await temporaryDirectory(t)
  const file = path.join(dir, 'x.tar')
  const big = 'x'.repeat(3_000_000)
  await writeWholeFile(file, chunks('a', '', big, 'b'))
  t.is(await fs.readFile(file, 'utf8'), `a${big}b`)
  await writeWholeFile(file, chunks('next'))
  t.is(await fs.readFile(file, 'utf8'), 'next')
  t.deepEqual(await fs.readdir(dir), ['x.tar'])
})

test('writeWholeFile() leaves what was there when it fails, and nothing else', async t => {
  const dir = await temporaryDirectory(t)
  const file = path.join(dir, 'x.tar')
  await fs.writeFile(file, 'before')
  const failing = (async function* () {
    yield Buffer.from('half')
    throw new Error('broken')
  })()
  await t.throwsAsync(writeWholeFile(file, failing), { message: 'broken' })
  t.is(await fs.readFile(file, 'utf8'), 'before')
  t.deepEqual(await fs.readdir(dir), ['x.tar'])
})

test('writeWholeFile() replaces what a link points at, and writes into what is no file', async t => {
  const dir = await temporaryDirectory(t)
  await fs.writeFile(path.join(dir, 'real'), 'before')
  await fs.symlink('real', path.join(dir, 'link'))
  await writeWholeFile(path.join(dir, 'link'), chunks('after'))
  t.is(await fs.readFile(path.join(dir, 'real'), 'utf8'), 'after')
  t.true((await fs.lstat(path.join(dir, 'link'))).isSymbolicLink())
  await t.notThrowsAsync(writeWholeFile('/dev/null', chunks('x')))
})

test('writeWholeFile() says what is wrong with the place', async t => {
  const dir = await temporaryDirectory(t)
  await t.throwsAsync(writeWholeFile(path.join(dir, 'none/x'), chunks('x')), {
    code: 'NOT_FOUND',
    message: /no such file/,
  })
  await t.throwsAsync(writeWholeFile(dir, chunks('x')), { code: 'FAILED_PRECONDITION', message: /directory/ })
})
