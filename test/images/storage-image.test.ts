import zlib from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { LabelledDiffIds } from '../../src/images/labelled-diff-ids.ts'
import { LayerSource } from '../../src/images/layer-source.ts'
import { encodeSignature, type Signature } from '../../src/images/signature.ts'
import type { StorageImage } from '../../src/images/storage-image.ts'
import { emptyGzipDigest, emptyGzipLayer, layerInfos } from '../../src/images/storage-layers.ts'
import { storeSignatures } from '../../src/images/stored-signatures.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { only } from '../../src/oci/matcher.ts'
import { mediaTypes as types } from '../../src/oci/media-type.ts'
import type { Scope } from '../../src/runtime/runtime.ts'
import { storageImage } from '../../src/runtime/storage-image.ts'
import { commitBytes } from '../support/commit.ts'
import {
  blob,
  config,
  dockerManifest,
  index,
  layer,
  manifestWith,
  type Node,
  on,
  platformOf,
} from '../support/image.ts'
import { putImage } from '../support/put-image.ts'
import { type RealLayer, realImage, realLayer } from '../support/real-layer.ts'
import { collect } from '../support/resolver.ts'
import { openRuntime } from '../support/store.ts'

const layers = (): Promise<readonly RealLayer[]> =>
  Promise.all([realLayer('a', 'a'.repeat(3000)), realLayer('b', 'b')])

async function stored(
  t: ExecutionContext,
  node: Node,
): Promise<{ readonly scope: Scope; readonly image: StorageImage }> {
  const scope = (await openRuntime(t)).scope()
  const record = await putImage(scope, 'it', node)
  return { scope, image: await storageImage(scope, record) }
}

const simple = (text: string): Signature => ({
  format: 'simple-signing',
  bytes: Buffer.from(`\x90${text}`, 'latin1'),
})

async function sign(scope: Scope, { desc }: Node, ...signatures: readonly Signature[]): Promise<void> {
  const { id } = await scope.leases.create({})
  const labels = await storeSignatures(scope.under(id).content, signatures)
  await scope.content.update(desc.digest, { labels })
}

for (const [name, indexOf] of [
  ['records', (scope: Scope) => scope.diffIds],
  ['labels', (scope: Scope) => new LabelledDiffIds(scope.content)],
] as const) {
  test(`a layer is served by its diff id, without compression and with its size: ${name}`, async t => {
    const [a, b] = await layers()
    if (a === undefined || b === undefined) throw new Error('no layers')
    const { scope } = await stored(t, realImage([a, b]))
    const known = indexOf(scope)
    if (known === undefined) throw new Error('no index')
    const source = new LayerSource(scope.content, known)
    t.is(await source.find(a.diffId), undefined)
    const learnt = await source.learn(a.gzip.desc, a.diffId)
    t.is(learnt.size, a.tar.byteLength)
    const found = await source.find(a.diffId)
    t.is(found?.size, a.tar.byteLength)
    t.deepEqual(found && (await collect(found.read())), a.tar)
    const { labels } = await scope.content.info(a.gzip.desc.digest)
    t.is<string | undefined, string>(labels['containerd.io/uncompressed'], a.diffId)
  })

  test(`what a label says of a layer is not believed: ${name}`, async t => {
    const [a, b] = await layers()
    if (a === undefined || b === undefined) throw new Error('no layers')
    const { scope } = await stored(t, realImage([a]))
    await scope.content.update(a.gzip.desc.digest, { labels: { 'containerd.io/uncompressed': b.diffId } })
    const known = indexOf(scope)
    if (known === undefined) throw new Error('no index')
    t.is(await new LayerSource(scope.content, known).find(b.diffId), undefined)
  })

  test(`a layer that went is not found any more, also when it comes back: ${name}`, async t => {
    const [a] = await layers()
    if (a === undefined) throw new Error('no layers')
    const { scope } = await stored(t, realImage([a]))
    const known = indexOf(scope)
    if (known === undefined) throw new Error('no index')
    const source = new LayerSource(scope.content, known)
    await source.learn(a.gzip.desc, a.diffId)
    await scope.content.delete(a.gzip.desc.digest)
    t.is(await source.find(a.diffId), undefined)
    await t.throwsAsync(source.learn(a.gzip.desc, a.diffId), { code: 'NOT_FOUND' })
  })
}

test('of several blobs of one diff id the one without compression is read', async t => {
  const [a] = await layers()
  if (a === undefined) throw new Error('no layers')
  const { scope } = await stored(
    t,
    index(realImage([a]), manifestWith({}, config({ diffIds: [a.diffId] }), a.plain)),
  )
  const source = new LayerSource(scope.content, new LabelledDiffIds(scope.content))
  await source.learn(a.gzip.desc, a.diffId)
  const { diffIds } = scope
  await diffIds?.remember({ diffId: a.diffId, blob: a.gzip.desc.digest, size: a.tar.byteLength })
  await diffIds?.remember({ diffId: a.diffId, blob: a.plain.desc.digest, size: a.tar.byteLength })
  t.is((await diffIds?.find(a.diffId))?.length, 2)
  await scope.content.delete(a.gzip.desc.digest)
  t.deepEqual(
    (await diffIds?.find(a.diffId))?.map(found => found.blob),
    [a.plain.desc.digest],
  )
})

test('a layer that is another than the config says is an error that names it and both digests', async t => {
  const [a, b] = await layers()
  if (a === undefined || b === undefined) throw new Error('no layers')
  const { scope, image } = await stored(t, manifestWith({}, config({ diffIds: [b.diffId] }), a.gzip))
  const error = await t.throwsAsync(image.size(), { code: 'DATA_LOSS' })
  for (const digest of [a.gzip.desc.digest, a.diffId, b.diffId]) t.true(error.message.includes(digest))
  t.deepEqual(await scope.diffIds?.find(b.diffId), [])
})

test('a layer that changed since it was learnt is an error at its end', async t => {
  const [a, b] = await layers()
  if (a === undefined || b === undefined) throw new Error('no layers')
  const { scope } = await stored(t, realImage([a, b]))
  // As if the index were damaged.
  await scope.diffIds?.remember({ diffId: b.diffId, blob: a.gzip.desc.digest, size: b.tar.byteLength })
  const found = await new LayerSource(scope.content, scope.diffIds ?? t.fail('no index')).find(b.diffId)
  await t.throwsAsync(async () => found && collect(found.read()), {
    code: 'DATA_LOSS',
    message: /its config says/,
  })
})

test('a blob of an image: the empty layer, a layer by its diff id, and what the image names', async t => {
  const [a, b] = await layers()
  if (a === undefined || b === undefined) throw new Error('no layers')
  const node = realImage([a, b])
  const { scope, image } = await stored(t, node)
  const read = async (digest: typeof a.diffId) => {
    const found = await image.blob(digest)
    const bytes = await collect(found.read())
    t.is(bytes.byteLength, found.size)
    return bytes
  }
  t.deepEqual(await read(emptyGzipDigest), Buffer.from(emptyGzipLayer))
  t.is(digestOf(await read(emptyGzipDigest)), emptyGzipDigest)
  t.deepEqual(await read(a.diffId), a.tar)
  t.deepEqual(await read(b.gzip.desc.digest), Buffer.from(b.gzip.bytes))
  const [cfg] = node.below
  if (cfg === undefined) throw new Error('no config')
  t.deepEqual(await read(cfg.desc.digest), Buffer.from(cfg.bytes))
  t.is(image.id, cfg.desc.digest.slice(7))
  const other = await commitBytes(scope.content, Buffer.from('of somebody else'))
  await t.throwsAsync(image.blob(other), { code: 'NOT_FOUND', message: /none of image/ })
})

test('the manifest of an image is its own, or one that its index lists', async t => {
  const [a, b] = await layers()
  if (a === undefined || b === undefined) throw new Error('no layers')
  const [amd, arm] = [
    on('linux/amd64', realImage([a])),
    on('linux/arm64', realImage([b], { platform: 'linux/arm64' })),
  ]
  const node = index(amd, arm)
  const scope = (await openRuntime(t)).scope()
  const record = await putImage(scope, 'it', node)
  const image = await storageImage(scope, record, { platform: only(platformOf('linux/arm64')) })
  t.deepEqual(Buffer.from((await image.manifest()).bytes), Buffer.from(arm.bytes))
  t.deepEqual(Buffer.from((await image.manifest(node.desc.digest)).bytes), Buffer.from(node.bytes))
  t.is((await image.manifest(amd.desc.digest)).descriptor.mediaType, types.ociManifest)
  await t.throwsAsync(image.manifest(a.diffId), { code: 'NOT_FOUND' })
  await t.throwsAsync(image.layerInfosForCopy(node.desc.digest), { code: 'INVALID_ARGUMENT' })
})

test('a copy keeps the layers that are there, and lists all without compression when one is not', async t => {
  const [a, b] = await layers()
  if (a === undefined || b === undefined) throw new Error('no layers')
  for (const node of [
    realImage([a, b]),
    dockerManifest(config({ diffIds: [a.diffId, b.diffId], mediaType: types.dockerConfig }), a.gzip, b.gzip),
  ]) {
    const { scope, image } = await stored(t, node)
    t.is(await image.layerInfosForCopy(), undefined)
    await scope.content.delete(a.gzip.desc.digest)
    await t.throwsAsync(image.layerInfosForCopy(), { code: 'NOT_FOUND', message: new RegExp(a.diffId) })
    const other = zlib.gzipSync(a.tar, { level: 1 })
    const again = await commitBytes(scope.content, other)
    await image.layers.learn(blob(types.ociLayerGzip, other).desc, a.diffId)
    t.not(again, a.gzip.desc.digest)
    const mediaType = node.desc.mediaType === types.dockerManifest ? types.dockerLayer : types.ociLayer
    t.deepEqual(await image.layerInfosForCopy(), [
      { mediaType, digest: a.diffId, size: a.tar.byteLength },
      { mediaType, digest: b.diffId, size: b.tar.byteLength },
    ])
  }
})

test('a copy of an image whose config has other layers than its manifest is refused', async t => {
  const [a, b] = await layers()
  if (a === undefined || b === undefined) throw new Error('no layers')
  const { scope, image } = await stored(t, manifestWith({}, config({ diffIds: [a.diffId] }), a.gzip, b.gzip))
  await scope.content.delete(b.gzip.desc.digest)
  await t.throwsAsync(image.layerInfosForCopy(), {
    code: 'DATA_LOSS',
    message: /more than 1 layers are expected/,
  })
})

test('layerInfos() puts the empty layer where a step changed nothing, and wants the exact number of others', t => {
  const info = (text: string) => ({ mediaType: types.ociLayer, digest: digestOf(text), size: 1 })
  const [x, y] = [info('x'), info('y')]
  const empty = { mediaType: types.dockerLayerGzip, digest: emptyGzipDigest, size: 32 }
  t.deepEqual(layerInfos([false, true, false], [x, y]), [x, empty, y])
  t.deepEqual(layerInfos([], []), [])
  t.throws(() => layerInfos([false, false], [x]), { code: 'DATA_LOSS', message: /more than 1 layers/ })
  t.throws(() => layerInfos([false, true], [x, y]), { code: 'DATA_LOSS', message: /only 1 of 2 layers/ })
})

test('the signatures of an image, and of its index', async t => {
  const [a] = await layers()
  if (a === undefined) throw new Error('no layers')
  const inner = on('linux/amd64', realImage([a]))
  const node = index(inner)
  const { scope, image } = await stored(t, node)
  t.deepEqual(await image.signatures(), [])
  await sign(scope, inner, simple('of the image'))
  await sign(scope, node, simple('of the index'))
  t.deepEqual(await image.signatures(), [simple('of the image')])
  t.deepEqual(await image.signatures(inner.desc.digest), [simple('of the image')])
  t.deepEqual(await image.signatures(node.desc.digest), [simple('of the index')])
  await t.throwsAsync(image.signatures(a.diffId), { code: 'NOT_FOUND' })
})

test('sizes are summed as containers/image and as containers/storage sum them', async t => {
  const [a, b] = await layers()
  if (a === undefined || b === undefined) throw new Error('no layers')
  // A layer that is there twice.
  const inner = on('linux/amd64', realImage([a, b, b]))
  const node = index(inner)
  const { scope, image } = await stored(t, node)
  const [own, above] = [simple('of the image'), simple('of the index')]
  await sign(scope, inner, own)
  await sign(scope, node, above)
  const [cfg] = inner.below
  const documents = (cfg?.desc.size ?? 0) + inner.desc.size + node.desc.size
  const [one, two] = [encodeSignature(own).byteLength, encodeSignature(above).byteLength]
  const plain = a.tar.byteLength + b.tar.byteLength
  t.is(await image.size(), documents + inner.desc.size + one + two + one + plain + b.tar.byteLength)
  t.is(await image.imageSize(), documents + one + two + plain)
})

test('the size of an image of which a layer is missing, or of an artifact, is not known', async t => {
  const [a, b] = await layers()
  if (a === undefined || b === undefined) throw new Error('no layers')
  const { scope, image } = await stored(t, realImage([a, b]))
  await scope.content.delete(b.gzip.desc.digest)
  await t.throwsAsync(image.size(), { code: 'NOT_FOUND', message: new RegExp(b.gzip.desc.digest) })
  const artifact = await stored(t, manifestWith({}, blob('x/y', '{}'), layer('x', 'text/plain')))
  await t.throwsAsync(artifact.image.size(), { code: 'INVALID_ARGUMENT', message: /artifact/ })
})

test('what a conversion has read is known from then on', async t => {
  const { convert } = await import('../../src/runtime/convert.ts')
  const [a] = await layers()
  if (a === undefined) throw new Error('no layers')
  const { scope } = await stored(t, realImage([a]))
  const record = await scope.images.get('it')
  await convert(scope, record, 'plain', { change: { compression: { type: 'none' } } })
  const found = await scope.diffIds?.find(a.diffId)
  t.deepEqual(found?.map(known => known.blob).sort(), [a.gzip.desc.digest, a.plain.desc.digest].sort())
  t.true(found?.every(({ size }) => size === a.tar.byteLength))
})
