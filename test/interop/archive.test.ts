import fs from 'node:fs/promises'
import path from 'node:path'
import zlib from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { FileSource } from '../../src/archive/file-source.ts'
import { readTar } from '../../src/archive/tar.ts'
import { writeWholeFile } from '../../src/archive/write-file.ts'
import { readBlob } from '../../src/content/blob.ts'
import { completeness } from '../../src/images/completeness.ts'
import type { ImageRecord } from '../../src/images/types.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'
import { save } from '../../src/runtime/export.ts'
import { load } from '../../src/runtime/import.ts'
import type { Scope } from '../../src/runtime/runtime.ts'
import { hostWanted } from '../../src/runtime/select.ts'
import { layerTar, layoutTar, named } from '../support/archives.ts'
import { type Containerd, canRunContainerd, startContainerd } from '../support/containerd.ts'
import {
  attestation,
  blob,
  collect,
  config,
  dockerManifest,
  flat,
  index,
  layer,
  manifest,
  type Node,
  on,
} from '../support/image.ts'
import { testWith } from '../support/programs.ts'
import { output, run } from '../support/run.ts'
import { openRuntime } from '../support/store.ts'
import { afterFile, temporaryDirectory } from '../support/tmp.ts'

const shared = afterFile(test.after.always)
const name = 'example.com/team/app:1'
const host = hostWanted().text

type Pack = (tar: Buffer) => Node

const gzip: Pack = tar => layer(zlib.gzipSync(tar))

/** An image whose layers are real ones. */
function real(platform: string, texts: readonly string[], pack: Pack = gzip): Node {
  const tars = texts.map(layerTar)
  const diffIds = tars.map(tar => digestOf(tar))
  return on(platform, manifest(config({ platform, diffIds }), ...tars.map(pack)))
}

const zstd: Pack = tar => layer(zstdFrame(tar), mediaTypes.ociLayerZstd)

/** Bytes as a zstd frame of one raw block; these have fewer than 128 KiB. */
const zstdFrame = (bytes: Buffer): Buffer => {
  const header = Buffer.alloc(3)
  header.writeUIntLE((bytes.byteLength << 3) | 1, 0, 3)
  return Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38]), header, bytes])
}

const schema2 = (): Node => {
  const tar = layerTar('schema 2')
  const init = { platform: host, diffIds: [digestOf(tar)], mediaType: mediaTypes.dockerConfig }
  return on(host, dockerManifest(config(init), blob(mediaTypes.dockerLayerGzip, zlib.gzipSync(tar))))
}

const single = real(host, ['one', 'two'])
const images: Readonly<Record<string, Node>> = {
  'an OCI image': single,
  'an image of schema 2': schema2(),
  'an image with zstd layers': real(host, ['one', 'two'], zstd),
  'an image for several platforms': index(
    single,
    real('linux/s390x', ['three']),
    real('linux/arm/v7', ['four']),
  ),
  'an image with attestations': index(single, attestation(single)),
  'an image of 128 layers': real(
    host,
    Array.from({ length: 128 }, (_, at) => `layer ${at}`),
  ),
}

const containerd = async (): Promise<Containerd | undefined> => {
  if (!canRunContainerd()) return undefined
  started ??= startContainerd(shared)
  return started
}
let started: Promise<Containerd> | undefined

interface Stored {
  readonly scope: Scope
  readonly record: ImageRecord
}

/** A file's images in a store of its own. */
async function imported(t: ExecutionContext, file: string): Promise<Stored> {
  const scope = (await openRuntime(t)).scope()
  const { images: found } = await load(scope, new FileSource(file))
  const [first] = found
  if (first === undefined) throw new Error(`${file}: nothing imported`)
  return { scope, record: first.image }
}

/** Writes what the host's `docker load` and all others can take. */
async function exportTo(file: string, { scope, record }: Stored): Promise<string> {
  const archive = await save(scope, [record], { dockerPlatform: hostWanted() })
  await writeWholeFile(file, archive.bytes())
  return file
}

/** A node in a store, and an archive of it that orlop wrote. */
async function prepared(t: ExecutionContext, node: Node) {
  const dir = await temporaryDirectory(t)
  const source = path.join(dir, 'source.tar')
  await fs.writeFile(source, layoutTar(named(node, name)))
  const stored = await imported(t, source)
  return { dir, stored, file: await exportTo(path.join(dir, 'ours.tar'), stored) }
}

/** All of an image is in the store, byte for byte what was put there. */
async function isWhole(t: ExecutionContext, { scope, record }: Stored, node: Node): Promise<void> {
  t.is(record.target.digest, node.desc.digest)
  t.is((await completeness(scope.content, record.target, { deep: true })).state, 'complete')
  for (const { desc, bytes } of flat(node).filter(({ below }) => below.length > 0))
    t.deepEqual(Buffer.from(await readBlob(scope.content, desc)), Buffer.from(bytes))
}

/** The entries of an archive with their modes and bytes, but for the index, whose fields differ between versions. */
async function entriesOf(file: string): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>()
  for await (const { body, ...entry } of readTar(new FileSource(file))) {
    const digest = digestOf(Buffer.concat(await collect(body())))
    if (entry.name !== 'index.json')
      found.set(entry.name, `${entry.type} ${entry.mode} ${entry.modifiedAt} ${digest}`)
  }
  return found
}

const skopeo = (...args: readonly string[]): Promise<string> =>
  output('skopeo', ['--insecure-policy', ...args])

for (const [title, node] of Object.entries(images)) {
  testWith('skopeo')(`skopeo reads what orlop exports, byte for byte: ${title}`, async t => {
    const { dir, file } = await prepared(t, node)
    t.deepEqual(Buffer.from(await skopeo('inspect', '--raw', `oci-archive:${file}`)), Buffer.from(node.bytes))
    // Attestations are no images to this skopeo.
    if (title.includes('attestations')) return
    await skopeo('copy', '-q', '--all', '--preserve-digests', `oci-archive:${file}`, `dir:${dir}/copy`)
    t.deepEqual(await fs.readFile(path.join(dir, 'copy/manifest.json')), Buffer.from(node.bytes))
  })

  testWith('ctr')(`ctr takes what orlop exports, and orlop what ctr exports of it: ${title}`, async t => {
    const real = await containerd()
    if (real === undefined) return void t.pass('containerd needs root')
    const { dir, file, stored } = await prepared(t, node)
    const namespace = `n${digestOf(title).slice(7, 17)}`
    const ctr = (...args: readonly string[]) => output('ctr', ['-a', real.address, '-n', namespace, ...args])
    await ctr('images', 'import', '--no-unpack', '--all-platforms', file)
    t.regex(await ctr('images', 'list'), new RegExp(`${name} +\\S+ ${node.desc.digest}`))
    const theirs = path.join(dir, 'theirs.tar')
    await ctr('images', 'export', '--all-platforms', theirs, name)
    await isWhole(t, await imported(t, theirs), node)
    t.deepEqual(await entriesOf(file), await entriesOf(theirs))
    t.is(stored.record.target.digest, node.desc.digest)
  })
}

testWith('skopeo')('orlop takes what skopeo writes as oci-archive', async t => {
  const multi = images['an image for several platforms'] ?? single
  const { dir, file } = await prepared(t, multi)
  const theirs = path.join(dir, 'theirs.tar')
  await skopeo('copy', '-q', '--all', `oci-archive:${file}`, `oci-archive:${theirs}:${name}`)
  await isWhole(t, await imported(t, theirs), multi)
})

testWith('skopeo')(
  'orlop takes what skopeo writes as docker-archive, and skopeo what orlop exports of that',
  async t => {
    const { dir, file } = await prepared(t, images['an image of 128 layers'] ?? single)
    const theirs = path.join(dir, 'theirs.tar')
    await skopeo('copy', '-q', `oci-archive:${file}`, `docker-archive:${theirs}:${name}`)
    const stored = await imported(t, theirs)
    t.is(stored.record.name, name)
    t.is((await completeness(stored.scope.content, stored.record.target, { deep: true })).state, 'complete')
    const again = await exportTo(path.join(dir, 'again.tar'), stored)
    const config = async (from: string) =>
      skopeo('inspect', '--config', '--raw', `docker-archive:${from}:${name}`)
    t.is(await config(again), await config(theirs))
    const ctr = await containerd()
    if (ctr === undefined) return
    // The manifest that is made of it is the one that containerd makes.
    await output('ctr', ['-a', ctr.address, '-n', 'docker', 'images', 'import', '--no-unpack', theirs])
    const listed = await output('ctr', ['-a', ctr.address, '-n', 'docker', 'images', 'list'])
    t.true(listed.includes(stored.record.target.digest), listed)
  },
)

testWith('umoci')('umoci reads what orlop exports, and orlop what umoci writes', async t => {
  const { dir, file } = await prepared(t, single)
  const layout = path.join(dir, 'layout')
  await fs.mkdir(layout)
  await output('tar', ['-xf', file, '-C', layout])
  t.regex(await output('umoci', ['ls', '--layout', layout]), /^1$/m)
  await output('umoci', ['unpack', '--rootless', '--image', `${layout}:1`, path.join(dir, 'bundle')])
  t.is(await fs.readFile(path.join(dir, 'bundle/rootfs/file'), 'utf8'), 'two')
  await output('umoci', ['config', '--image', `${layout}:1`, '--author', 'someone'])
  const theirs = path.join(dir, 'theirs.tar')
  await output('tar', ['-C', layout, '-cf', theirs, '.'])
  const { scope, record } = await imported(t, theirs)
  t.is((await completeness(scope.content, record.target, { deep: true })).state, 'complete')
})

test('podman loads what orlop exports, and orlop what podman saves', async t => {
  const there = await run('podman', ['--version']).catch(() => undefined)
  if (there?.code !== 0 || process.getuid?.() !== 0) {
    t.log('skipped: podman is not installed, or this is not root')
    return void t.pass()
  }
  const { dir, file } = await prepared(t, single)
  const place = ['--root', `${dir}/r`, '--runroot', `${dir}/rr`, '--storage-driver', 'vfs']
  const podman = (...args: readonly string[]) => output('podman', [...place, ...args])
  t.regex(await podman('load', '-q', '-i', file), /example\.com\/team\/app:1/)
  const id = (await podman('images', '-q', '--no-trunc')).trim()
  t.is(id, String(single.below[0]?.desc.digest))
  for (const format of ['docker-archive', 'oci-archive']) {
    const theirs = path.join(dir, `${format}.tar`)
    await podman('save', '-q', '--format', format, '-o', theirs, name)
    const { scope, record } = await imported(t, theirs)
    t.is(record.name, name)
    t.is((await completeness(scope.content, record.target, { deep: true })).state, 'complete')
  }
})
