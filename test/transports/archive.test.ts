import { execFileSync } from 'node:child_process'
import fs from 'node:fs/promises'
import path from 'node:path'
import zlib from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { FileSource } from '../../src/archive/file-source.ts'
import { readTar } from '../../src/archive/tar.ts'
import { type TarPart, writeTar } from '../../src/archive/tar-writer.ts'
import { copyBlob } from '../../src/content/copy.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { mediaTypes as types } from '../../src/oci/media-type.ts'
import { ArchiveReader } from '../../src/transports/archive-reader.ts'
import { ArchiveWriter } from '../../src/transports/archive-writer.ts'
import { openDockerArchiveSource } from '../../src/transports/docker-archive.ts'
import { openOciArchiveDestination, openOciArchiveSource } from '../../src/transports/oci-archive.ts'
import { Blobs, blob, config, flat, image, type Node } from '../support/image.ts'
import { realLayer } from '../support/real-layer.ts'
import { collect } from '../support/resolver.ts'
import { temporaryDirectory } from '../support/tmp.ts'

const file = (name: string, text: string | Uint8Array = ''): TarPart => {
  const body = Buffer.from(text)
  return { name, size: body.byteLength, mode: 0o644, body: [body] }
}

const symlink = (name: string, linkName: string): TarPart => ({
  name,
  type: 'symlink',
  linkName,
  mode: 0o777,
})

async function tarOf(
  t: ExecutionContext,
  parts: readonly TarPart[],
  pack = (bytes: Buffer) => bytes,
): Promise<string> {
  const place = path.join(await temporaryDirectory(t), 'a.tar')
  await fs.writeFile(place, pack(await collect(writeTar(parts))))
  return place
}

const node = image('linux/amd64', 'base', 'top')
const blobName = ({ desc }: Node): string => `blobs/${desc.digest.replace(':', '/')}`
const layout = (root: Node): readonly TarPart[] => [
  file('oci-layout', '{"imageLayoutVersion":"1.0.0"}'),
  file('index.json', JSON.stringify({ schemaVersion: 2, manifests: [root.desc] })),
  ...new Map(flat(root).map(one => [one.desc.digest, file(blobName(one), one.bytes)])).values(),
]

const open = (place: string) => openOciArchiveSource({ transport: 'oci-archive', path: place })

const packs = [
  ['plain', (bytes: Buffer) => bytes],
  ['gzip', (bytes: Buffer) => zlib.gzipSync(bytes)],
] as const
for (const [name, pack] of packs) {
  test(`a layout in a tar is read in any order: ${name}`, async t => {
    await using source = await open(await tarOf(t, layout(node), pack))
    const { mediaType, digest, size } = node.desc
    t.deepEqual(await source.resolve(), { mediaType, digest, size })
    for (const { desc, bytes } of flat(node).toReversed()) {
      t.deepEqual(await collect(source.blobs.read(desc)), Buffer.from(bytes))
      t.deepEqual(
        await collect(source.blobs.read(desc, { offset: 1, length: 2 })),
        Buffer.from(bytes).subarray(1, 3),
      )
    }
  })
}

test('blobs may be reached by links, and names may begin with ./', async t => {
  const [, cfg] = flat(node)
  if (cfg === undefined) throw new Error('no config')
  const parts = layout(node).map(part =>
    part.name === blobName(cfg) ? symlink(part.name, '../../elsewhere') : { ...part, name: `./${part.name}` },
  )
  await using source = await open(await tarOf(t, [...parts, file('elsewhere', cfg.bytes)]))
  t.deepEqual(await collect(source.blobs.read(cfg.desc)), Buffer.from(cfg.bytes))
})

const refuses = test.macro<[string, readonly TarPart[], string, RegExp, ((bytes: Buffer) => Buffer)?]>({
  async exec(t, _, parts, code, message, pack) {
    const place = await tarOf(t, parts, pack)
    await t.throwsAsync(
      async () => {
        await using source = await open(place)
        await collect(source.blobs.read(await source.resolve()))
      },
      { code, message },
    )
  },
  title: (_, what) => `an archive is refused: ${what}`,
})

test(refuses, 'a name that leads out', [...layout(node), file('../x')], 'INVALID_ARGUMENT', /leads out/)
test(refuses, 'an absolute name', [...layout(node), file('/x')], 'INVALID_ARGUMENT', /absolute/)
test(
  refuses,
  'a link that leads out',
  [...layout(node), symlink('x', '../../x')],
  'INVALID_ARGUMENT',
  /leads out/,
)
test(
  refuses,
  'links that go round',
  [
    ...layout(node).filter(({ name }) => name !== blobName(node)),
    symlink(blobName(node), 'x'),
    symlink(`${path.dirname(blobName(node))}/x`, path.basename(blobName(node))),
  ],
  'INVALID_ARGUMENT',
  /leads to itself/,
)
test(
  refuses,
  'two files of one name',
  [...layout(node), file('oci-layout', '{}')],
  'INVALID_ARGUMENT',
  /comes twice/,
)
test(
  refuses,
  'a file and a link of one name',
  [...layout(node), symlink('oci-layout', 'x')],
  'INVALID_ARGUMENT',
  /comes twice/,
)
test(
  refuses,
  'no index.json',
  [file('oci-layout', '{"imageLayoutVersion":"1.0.0"}')],
  'NOT_FOUND',
  /index\.json/,
)
test(
  refuses,
  'another version',
  [file('oci-layout', '{"imageLayoutVersion":"9"}'), ...layout(node).slice(1)],
  'FAILED_PRECONDITION',
  /"9"/,
)
test(refuses, 'a blob that is not there', layout(node).slice(0, 2), 'NOT_FOUND', /there is no/)
test(
  refuses,
  'a blob of another size',
  layout(node).map(part => (part.name === blobName(node) ? file(part.name, 'short') : part)),
  'DATA_LOSS',
  /has 5 bytes/,
)
test(refuses, 'one that is cut off', layout(node), 'DATA_LOSS', /./, bytes => bytes.subarray(0, 1500))
test(refuses, 'one whose gzip is cut off', layout(node), 'DATA_LOSS', /./, bytes =>
  zlib.gzipSync(bytes).subarray(0, 200),
)

test('a decompression bomb is refused, and nothing of it stays', async t => {
  const zeros = Buffer.alloc(64 * 1024 * 1024)
  const place = await tarOf(t, [file('zeros', zeros)], bytes => zlib.gzipSync(bytes, { level: 9 }))
  const limits = { free: 1024 * 1024, ratio: 10 }
  await t.throwsAsync(ArchiveReader.open(place, { limits }), { code: 'RESOURCE_EXHAUSTED', message: /bomb/ })
})

test('a directory is no archive, and what is not there neither', async t => {
  const directory = await temporaryDirectory(t)
  await t.throwsAsync(open(directory), { code: 'INVALID_ARGUMENT', message: /is a directory/ })
  await t.throwsAsync(open(path.join(directory, 'none.tar')), { code: 'NOT_FOUND' })
})

test('an archive is read from a pipe', async t => {
  const place = await tarOf(t, layout(node))
  const pipe = `${place}.pipe`
  execFileSync('mkfifo', [pipe])
  const writing = fs.readFile(place).then(bytes => fs.writeFile(pipe, bytes))
  await using source = await open(pipe)
  await writing
  t.deepEqual(await collect(source.blobs.read(node.desc)), Buffer.from(node.bytes))
})

test('the same file twice is one file', async t => {
  await using source = await open(await tarOf(t, [...layout(node), ...layout(node)]))
  t.is((await source.resolve()).digest, node.desc.digest)
})

test('an archive that is not finished is not seen, and leaves nothing', async t => {
  const directory = await temporaryDirectory(t)
  const place = path.join(directory, 'a.tar')
  await fs.writeFile(place, 'before')
  {
    await using destination = await openOciArchiveDestination({ transport: 'oci-archive', path: place })
    await copyBlob(new Blobs(node), destination.blobs, node.desc)
  }
  t.is(await fs.readFile(place, 'utf8'), 'before')
  t.deepEqual(await fs.readdir(directory), ['a.tar'])
})

test('a blob that fails leaves no trace among those that come after', async t => {
  const place = path.join(await temporaryDirectory(t), 'a.tar')
  {
    await using destination = await openOciArchiveDestination({ transport: 'oci-archive', path: place })
    const big = blob('application/octet-stream', Buffer.alloc(100_000, 'x'))
    const damaged = new Blobs(big).damage(big)
    await t.throwsAsync(copyBlob(damaged, destination.blobs, big.desc), { code: 'DATA_LOSS' })
    for (const { desc } of flat(node).toReversed()) await copyBlob(new Blobs(node), destination.blobs, desc)
    await destination.put(node.desc)
  }
  t.true((await fs.stat(place)).size < 50_000)
  await using source = await open(place)
  for (const { desc, bytes } of flat(node))
    t.deepEqual(await collect(source.blobs.read(desc)), Buffer.from(bytes))
})

test('blobs wait for each other, and one of unknown size and digest finds its name in the end', async t => {
  const place = path.join(await temporaryDirectory(t), 'a.tar')
  await using archive = await ArchiveWriter.create(place, digest => ({ name: digest.slice(7) }))
  const texts = ['first', 'second', '', 'first']
  const write = async (text: string): Promise<void> => {
    await using writer = await archive.writer({ ref: text || 'empty' })
    await writer.write(Buffer.from('wrong'))
    await writer.reset()
    await writer.write(Buffer.from(text))
    await writer.commit().catch(error => t.is(error.code, 'ALREADY_EXISTS'))
  }
  await Promise.all(texts.map(write))
  await archive.finish()
  const found: string[] = []
  for await (const entry of readTar(new FileSource(place))) {
    const body = await collect(entry.body())
    t.is(entry.name, digestOf(body).slice(7))
    found.push(body.toString())
  }
  t.deepEqual(found, ['first', 'second', ''])
})

const docker = async (change: (parts: TarPart[]) => readonly TarPart[] = parts => parts) => {
  const [a, b] = [await realLayer('a', 'a'), await realLayer('b', 'b')]
  const cfg = config({ diffIds: [a.diffId, b.diffId], mediaType: types.dockerConfig })
  const manifest = [
    { Config: 'c.json', RepoTags: ['busybox:1', 'x/y:2'], Layers: ['a/layer.tar', 'b/layer.tar'] },
  ]
  return change([
    file('a/layer.tar', a.tar),
    symlink('b/layer.tar', '../gz'),
    file('gz', b.gzip.bytes),
    file('c.json', cfg.bytes),
    file('manifest.json', JSON.stringify(manifest)),
  ])
}

const openDocker = (place: string, more: object = {}) =>
  openDockerArchiveSource({ transport: 'docker-archive', path: place, ...more })

test('an archive of docker save has an image for each name and number, its layers as they lie there', async t => {
  const place = await tarOf(t, await docker())
  const [a, b] = [await realLayer('a', 'a'), await realLayer('b', 'b')]
  for (const more of [
    {},
    { reference: 'docker.io/library/busybox:1' },
    { reference: 'docker.io/x/y:2' },
    { index: 0 },
  ]) {
    await using source = await openDocker(place, more)
    const root = await source.resolve()
    const { layers } = JSON.parse((await collect(source.blobs.read(root))).toString())
    t.deepEqual(layers, [
      { mediaType: types.dockerLayer, digest: a.diffId, size: a.tar.byteLength },
      { mediaType: types.dockerLayerGzip, digest: b.gzip.desc.digest, size: b.gzip.desc.size },
    ])
    t.deepEqual(await collect(source.blobs.read(layers[0])), a.tar)
  }
  await t.throwsAsync(openDocker(place, { index: 1 }), { code: 'NOT_FOUND', message: /it has busybox:1/ })
  await t.throwsAsync(openDocker(place, { reference: 'docker.io/library/none:1' }), { code: 'NOT_FOUND' })
})

test('an archive of docker save is refused whose layers are not those of the config', async t => {
  const other = await realLayer('c', 'c')
  const wrong = await docker(parts =>
    parts.map(part => (part.name === 'gz' ? file('gz', other.gzip.bytes) : part)),
  )
  await t.throwsAsync(openDocker(await tarOf(t, wrong)), { code: 'DATA_LOSS', message: /its config says/ })
  const fewer = await docker(parts =>
    parts.map(part => (part.name === 'c.json' ? file('c.json', config({ diffIds: [] }).bytes) : part)),
  )
  await t.throwsAsync(openDocker(await tarOf(t, fewer)), {
    code: 'INVALID_ARGUMENT',
    message: /names 0 layers/,
  })
  const missing = await docker(parts => parts.filter(({ name }) => name !== 'gz'))
  await t.throwsAsync(openDocker(await tarOf(t, missing)), { code: 'NOT_FOUND' })
})

test('an archive of docker save with several images wants one named', async t => {
  const twice = await docker(parts =>
    parts.map(part => {
      if (part.name !== 'manifest.json') return part
      const one = { Config: 'c.json', RepoTags: ['a:1'], Layers: ['a/layer.tar', 'b/layer.tar'] }
      return file('manifest.json', JSON.stringify([one, { ...one, RepoTags: null }]))
    }),
  )
  const place = await tarOf(t, twice)
  await t.throwsAsync(openDocker(place), { code: 'INVALID_ARGUMENT', message: /has 2 images.*a:1, @1/ })
  await using source = await openDocker(place, { index: 1 })
  t.truthy(await source.resolve())
})
