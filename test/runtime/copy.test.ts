import fs from 'node:fs/promises'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { readBlob } from '../../src/content/blob.ts'
import { only } from '../../src/oci/matcher.ts'
import { mediaTypes as types } from '../../src/oci/media-type.ts'
import { copy } from '../../src/runtime/copy.ts'
import { openDestination, openSource } from '../../src/transports/open.ts'
import { parsePlace } from '../../src/transports/place.ts'
import { copyPlaces } from '../support/copying.ts'
import {
  attestation,
  blob,
  config,
  dockerList,
  dockerManifest,
  flat,
  image,
  index,
  layer,
  manifestWith,
  type Node,
  on,
  platformOf,
  withExtra,
} from '../support/image.ts'
import { putImage, putNode } from '../support/put-image.ts'
import { realImage, realLayer } from '../support/real-layer.ts'
import { openRuntime } from '../support/store.ts'
import { temporaryDirectory } from '../support/tmp.ts'

const wanted = (text: string) => ({ matcher: only(platformOf(text)), text })

/** A store with an image `docker.io/library/it:latest`, and a directory to copy to. */
async function setUp(t: ExecutionContext, node: Node) {
  const runtime = await openRuntime(t)
  const store = runtime.scope()
  await putImage(store, 'docker.io/library/it:latest', node)
  const directory = await temporaryDirectory(t)
  const at = (name: string): string => path.join(directory, name)
  return { store, parts: { store }, at, runtime }
}

const two = index(image('linux/amd64'), image('linux/arm64'))

test('copy() keeps the digest, and all blobs come', async t => {
  const { parts, at } = await setUp(t, two)
  const copied = await copyPlaces('store:it', `oci:${at('l')}:v1`, {}, parts)
  t.is(copied.target.digest, two.desc.digest)
  t.is(copied.source.digest, two.desc.digest)
  t.is(copied.totals.blobs, new Set(flat(two).map(({ desc }) => desc.digest)).size)
  const back = await copyPlaces(`oci:${at('l')}:v1`, 'store:back', {}, parts)
  t.deepEqual(back.target, copied.target)
})

test('copy() to a store writes labels that keep all children, those left out too', async t => {
  const { store, parts, at } = await setUp(t, two)
  await copyPlaces('store:it', `oci:${at('l')}`, {}, parts)
  const other = (await openRuntime(t)).scope()
  const options = { multiArch: 'system', platforms: [wanted('linux/arm64'), wanted('linux/amd64')] } as const
  await copyPlaces(`oci:${at('l')}`, 'store:x', { ...options, preserveDigests: true }, { store: other })
  const { labels } = await other.content.info(two.desc.digest)
  t.deepEqual(labels, (await store.content.info(two.desc.digest)).labels)
  t.deepEqual(Object.keys(labels), ['containerd.io/gc.ref.content.m.0', 'containerd.io/gc.ref.content.m.1'])
  const leases = []
  for await (const lease of other.leases.list()) leases.push(lease)
  t.deepEqual(leases, [])
})

test('copy() of one platform copies its manifest by itself', async t => {
  const { parts, at } = await setUp(t, two)
  const [, arm] = two.below
  const copied = await copyPlaces(
    'store:it',
    `dir:${at('d')}`,
    { multiArch: 'system', platforms: [wanted('linux/arm64')] },
    parts,
  )
  t.is(String(copied.target.digest), String(arm?.desc.digest))
  t.deepEqual(copied.left, [])
})

test('copy() of a platform that is not there lists what there is', async t => {
  const { parts, at } = await setUp(t, two)
  const options = { multiArch: 'system', platforms: [wanted('linux/s390x')] } as const
  await t.throwsAsync(copyPlaces('store:it', `dir:${at('d')}`, options, parts), {
    code: 'NOT_FOUND',
    message: /linux\/amd64, linux\/arm64/,
  })
})

test('copy() of one platform tells of the attestations that stay behind', async t => {
  const one = image('linux/amd64')
  const about = attestation(one)
  const { parts, at } = await setUp(t, index(one, about))
  const options = { multiArch: 'system', platforms: [wanted('linux/amd64')] } as const
  const { left } = await copyPlaces('store:it', `dir:${at('d')}`, options, parts)
  t.is(left.length, 1)
  t.true(left[0]?.includes(about.desc.digest))
})

test('copy() of several platforms makes an index that lists them alone', async t => {
  const three = index(image('linux/amd64'), image('linux/arm64'), image('linux/s390x'))
  const { store, parts } = await setUp(t, three)
  const platforms = [wanted('linux/s390x'), wanted('linux/amd64')]
  const { target } = await copyPlaces('store:it', 'store:b', { multiArch: 'system', platforms }, parts)
  const { manifests } = JSON.parse(Buffer.from(await readBlob(store.content, target)).toString())
  const [a, , c] = three.below
  t.deepEqual(
    manifests.map(({ digest }: { readonly digest: string }) => digest),
    [a?.desc.digest, c?.desc.digest],
  )
  const { labels } = await store.content.info(target.digest)
  t.deepEqual(Object.values(labels), [a?.desc.digest, c?.desc.digest])
})

test('copy() of the index alone copies one blob', async t => {
  const { parts, at } = await setUp(t, two)
  const { totals } = await copyPlaces('store:it', `oci:${at('l')}`, { multiArch: 'index-only' }, parts)
  t.is(totals.blobs, 1)
  const options = { multiArch: 'index-only', format: 'docker' } as const
  await t.throwsAsync(copyPlaces('store:it', `dir:${at('d')}`, options, parts), {
    code: 'FAILED_PRECONDITION',
    message: /lists more than is copied/,
  })
})

test('copy() names the way to a blob that is not there', async t => {
  const { store, parts, at } = await setUp(t, two)
  const [, arm] = two.below
  const missing = arm?.below[1]?.desc
  if (missing === undefined) throw new Error('no layer')
  await store.content.delete(missing.digest)
  const error = await t.throwsAsync(copyPlaces('store:it', `oci:${at('l')}`, {}, parts), {
    code: 'NOT_FOUND',
  })
  for (const text of [two.desc.digest, 'linux/arm64 manifest', missing.digest])
    t.true(error.message.includes(text))
  t.false((await fs.readdir(at('l'))).includes('index.json'))
})

test('copy() goes on where it was broken off', async t => {
  const { store, parts, at } = await setUp(t, two)
  const missing = two.below[1]?.below[1]
  if (missing === undefined) throw new Error('no layer')
  await store.content.delete(missing.desc.digest)
  await t.throwsAsync(copyPlaces('store:it', `oci:${at('l')}`, {}, parts))
  await putNode(store, missing)
  const { totals } = await copyPlaces('store:it', `oci:${at('l')}`, {}, parts)
  t.true(totals.reused > 0)
  t.is(totals.fetched + totals.reused, totals.total)
})

test('copy() of bytes that are wrong fails, and names nothing', async t => {
  const { parts, at } = await setUp(t, two)
  await copyPlaces('store:it', `oci:${at('l')}`, {}, parts)
  const [layer] = flat(two).filter(({ desc }) => desc.mediaType === types.ociLayerGzip)
  if (layer === undefined) throw new Error('no layer')
  const file = path.join(at('l'), 'blobs', ...layer.desc.digest.split(':'))
  await fs.chmod(file, 0o644)
  await fs.writeFile(file, Buffer.alloc(layer.bytes.byteLength, 'x'))
  const error = await t.throwsAsync(copyPlaces(`oci:${at('l')}`, `dir:${at('d')}`, {}, parts), {
    code: 'DATA_LOSS',
  })
  t.true(error.message.includes(layer.desc.digest))
  t.deepEqual((await fs.readdir(at('d'))).includes('manifest.json'), false)
})

const dockerImage = (platform: string): Node =>
  on(
    platform,
    dockerManifest(
      config({ platform, mediaType: types.dockerConfig }),
      layer('gz', types.dockerLayerGzip),
      layer('plain', types.dockerLayer),
    ),
  )

test('copy() to a layout makes OCI of Docker, and configs and layers keep their bytes', async t => {
  const { parts, at } = await setUp(t, dockerList(dockerImage('linux/amd64'), dockerImage('linux/arm64')))
  const { target } = await copyPlaces('store:it', `oci:${at('l')}`, {}, parts)
  t.is(target.mediaType, types.ociIndex)
  const source = await openSource(parsePlace(`oci:${at('l')}`))
  const read = async (desc: typeof target) =>
    JSON.parse(Buffer.from(await readBlob(source.blobs, desc)).toString())
  const { manifests } = await read(target)
  const { mediaType, config: cfg, layers } = await read(manifests[0])
  t.is(mediaType, types.ociManifest)
  t.is(cfg.mediaType, types.ociConfig)
  t.is(cfg.digest, config({ mediaType: types.dockerConfig }).desc.digest)
  t.deepEqual(
    layers.map((desc: typeof target) => desc.mediaType),
    [types.ociLayerGzip, types.ociLayer],
  )
})

test('copy() with preserveDigests leaves Docker in a layout, and refuses another format', async t => {
  const node = dockerImage('linux/amd64')
  const { parts, at } = await setUp(t, node)
  const kept = await copyPlaces('store:it', `oci:${at('l')}`, { preserveDigests: true }, parts)
  t.is(kept.target.digest, node.desc.digest)
  await t.throwsAsync(
    copyPlaces('store:it', `oci:${at('m')}`, { preserveDigests: true, format: 'oci' }, parts),
    { code: 'FAILED_PRECONDITION', message: /preserved/ },
  )
})

test('copy() compresses layers, and what is compressed so already stays', async t => {
  const [a, b] = await Promise.all([realLayer('a', 'a'.repeat(5000)), realLayer('b', 'b')])
  const node = realImage([a, b])
  const { store, parts } = await setUp(t, node)
  const plain = await copyPlaces('store:it', 'store:plain', { compression: { type: 'none' } }, parts)
  const read = async (desc: typeof plain.target) =>
    JSON.parse(Buffer.from(await readBlob(store.content, desc)).toString())
  t.deepEqual(
    (await read(plain.target)).layers.map(({ digest }: { readonly digest: string }) => digest),
    [a.diffId, b.diffId],
  )
  t.deepEqual((await read(plain.target)).config, JSON.parse(Buffer.from(node.bytes).toString()).config)
  const gzip = await copyPlaces('store:plain', 'store:gzip', { compression: { type: 'gzip' } }, parts)
  for (const layer of (await read(gzip.target)).layers) {
    t.is(layer.mediaType, types.ociLayerGzip)
    const { labels } = await store.content.info(layer.digest)
    t.truthy(labels['containerd.io/uncompressed'])
  }
  const again = await copyPlaces('store:gzip', 'store:again', { compression: { type: 'gzip' } }, parts)
  t.deepEqual(again.target, gzip.target)
})

test("copy() tells what Docker's format has no place for", async t => {
  const node = manifestWith({ annotations: { k: 'v' } }, config(), layer('x'))
  const { parts, at } = await setUp(t, node)
  const { left } = await copyPlaces('store:it', `dir:${at('d')}`, { format: 'docker' }, parts)
  t.deepEqual(left, [`annotations of ${node.desc.digest}, for which Docker's format has no place`])
})

test('copy() changes neither artifacts nor encrypted layers', async t => {
  const artifact = manifestWith(
    {},
    blob('application/vnd.wasm.config.v1+json', '{}'),
    layer('wasm', types.ociLayer),
  )
  const encrypted = manifestWith(
    {},
    config({ diffIds: [layer('x').desc.digest] }),
    layer('x', `${types.ociLayerGzip}+encrypted`),
  )
  const node = index(artifact, encrypted)
  const { parts, at } = await setUp(t, node)
  const { target } = await copyPlaces('store:it', `oci:${at('l')}`, { compression: { type: 'gzip' } }, parts)
  t.is(target.digest, node.desc.digest)
})

const foreign = (mediaType: string): Node =>
  withExtra(layer('licensed', mediaType), { urls: ['https://example.com/layer'] })

test('copy() leaves a foreign layer that the source does not have at its URL, and tells', async t => {
  const missing = foreign(types.ociNondistributableLayerGzip)
  const node = manifestWith({}, config(), missing, layer('free'))
  const { store, parts, at } = await setUp(t, node)
  await store.content.delete(missing.desc.digest)
  for (const options of [{}, { format: 'docker' as const }]) {
    const { left } = await copyPlaces('store:it', `dir:${at('d')}`, options, parts)
    t.deepEqual(left, [`layer ${missing.desc.digest}, which stays at its URL`])
    t.false((await fs.readdir(at('d'))).includes(missing.desc.digest.slice(7)))
  }
})

test('copy() takes a foreign layer along that the source has', async t => {
  const there = foreign(types.ociNondistributableLayerGzip)
  const { parts, at } = await setUp(t, manifestWith({}, config(), there))
  const { left } = await copyPlaces('store:it', `dir:${at('d')}`, {}, parts)
  t.deepEqual(left, [])
  t.true((await fs.readdir(at('d'))).includes(there.desc.digest.slice(7)))
})

/** What looks like a packet of OpenPGP. */
const simple = (text: string): Buffer => Buffer.from(`\x90${text}`, 'latin1')

async function signedDirectory(
  t: ExecutionContext,
  at: (name: string) => string,
  parts: object,
): Promise<string> {
  await copyPlaces('store:it', `dir:${at('signed')}`, {}, parts)
  await fs.writeFile(path.join(at('signed'), 'signature-1'), simple('of the index'))
  const [one] = two.below
  await fs.writeFile(path.join(at('signed'), `${one?.desc.digest.slice(7)}.signature-1`), simple('of one'))
  t.pass()
  return `dir:${at('signed')}`
}

test('copy() brings signatures along', async t => {
  const { parts, at } = await setUp(t, two)
  const from = await signedDirectory(t, at, parts)
  const { signatures } = await copyPlaces(from, `dir:${at('d')}`)
  t.is(signatures, 2)
  t.deepEqual(await fs.readFile(path.join(at('d'), 'signature-1')), simple('of the index'))
})

test('copy() refuses to leave signatures behind, or to make them wrong, unless it is told to', async t => {
  const { parts, at } = await setUp(t, two)
  const from = await signedDirectory(t, at, parts)
  await t.throwsAsync(copyPlaces(from, `oci:${at('l')}`), {
    code: 'FAILED_PRECONDITION',
    message: /keeps no signatures.*--remove-signatures/,
  })
  await t.throwsAsync(copyPlaces(from, `dir:${at('d')}`, { format: 'docker' }), {
    code: 'FAILED_PRECONDITION',
    message: /preserved/,
  })
  const { signatures } = await copyPlaces(from, `oci:${at('l')}`, { removeSignatures: true })
  t.is(signatures, 0)
  const one = await copyPlaces(from, `dir:${at('one')}`, {
    multiArch: 'system',
    platforms: [wanted('linux/amd64')],
  })
  t.is(one.signatures, 1)
})

test('copy() to a name with a digest wants just that', async t => {
  const { parts } = await setUp(t, two)
  const [one] = two.below
  await t.throwsAsync(copyPlaces('store:it', `store:b@${one?.desc.digest}`, {}, parts), {
    code: 'FAILED_PRECONDITION',
  })
  await copyPlaces('store:it', `store:b@${two.desc.digest}`, {}, parts)
})

test('copy() stops when it is told to', async t => {
  const { parts, at } = await setUp(t, two)
  const stop = new AbortController()
  await using source = await openSource(parsePlace('store:it'), {
    ...parts,
    find: images => images.get('docker.io/library/it:latest'),
  })
  await using destination = await openDestination(parsePlace(`oci:${at('l')}`))
  const copying = copy(source, destination, {
    multiArch: 'all',
    onProgress: () => stop.abort(new Error('stop')),
    signal: stop.signal,
  })
  await t.throwsAsync(copying, { message: 'stop' })
})

test('a store needs to be given to copy from or to it', async t => {
  await t.throwsAsync(openSource(parsePlace('store:it')), {
    code: 'INVALID_ARGUMENT',
    message: /needs a store/,
  })
  await t.throwsAsync(openDestination(parsePlace('store:it')), { code: 'INVALID_ARGUMENT' })
  await t.throwsAsync(openSource(parsePlace('docker://it')), {
    code: 'INVALID_ARGUMENT',
    message: /a resolver/,
  })
})
