import test, { type ExecutionContext } from 'ava'
import { readBlob } from '../../src/content/blob.ts'
import { storeSignatures } from '../../src/images/stored-signatures.ts'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { onlyStrict } from '../../src/oci/matcher.ts'
import { mediaTypes as types } from '../../src/oci/media-type.ts'
import { type ConvertOptions, convert } from '../../src/runtime/convert.ts'
import type { Scope } from '../../src/runtime/runtime.ts'
import {
  attestation,
  config,
  dockerManifest,
  index,
  layer,
  manifestWith,
  type Node,
  on,
  platformOf,
  withExtra,
} from '../support/image.ts'
import { putImage } from '../support/put-image.ts'
import { realImage, realLayer } from '../support/real-layer.ts'
import { openRuntime } from '../support/store.ts'

const name = 'docker.io/library/it:1'

async function converted(
  t: ExecutionContext,
  node: Node,
  options: ConvertOptions,
  { to = 'docker.io/library/it:2', labels = {} } = {},
) {
  const runtime = await openRuntime(t)
  const scope = runtime.scope()
  const record = await putImage(scope, name, node, labels)
  const made = await convert(scope, record, to, options)
  await runtime.gc.collect()
  return { ...made, scope }
}

const json = async ({ content }: Scope, desc: Descriptor) =>
  JSON.parse(Buffer.from(await readBlob(content, desc)).toString())

test('convert() makes an image of a new name; the old one stays, and collections leave both whole', async t => {
  const [a, b] = [await realLayer('a', 'a'), await realLayer('b', 'b')]
  const node = realImage([a, b])
  const { image, scope, lost } = await converted(
    t,
    node,
    { change: { compression: { type: 'none' } } },
    { labels: { mine: 'yes' } },
  )
  t.deepEqual(image.labels, { mine: 'yes' })
  t.deepEqual(lost, [])
  const manifest = await json(scope, image.target)
  t.deepEqual(
    manifest.layers.map(({ digest, mediaType }: Descriptor) => [digest, mediaType]),
    [a, b].map(({ diffId }) => [diffId, types.ociLayer]),
  )
  for (const desc of [manifest.config, ...manifest.layers, node.desc]) await readBlob(scope.content, desc)
  t.is((await scope.images.get(name)).target.digest, node.desc.digest)
})

test('convert() to its own name replaces it', async t => {
  const node = realImage([await realLayer('a', 'a')])
  const { image, scope } = await converted(
    t,
    node,
    { change: { compression: { type: 'none' } } },
    { to: name },
  )
  t.is((await scope.images.get(name)).target.digest, image.target.digest)
  t.not(image.target.digest, node.desc.digest)
})

test('convert() that changes nothing gives another name to the same', async t => {
  const node = realImage([await realLayer('a', 'a')])
  const { image } = await converted(t, node, { change: { format: 'oci', compression: { type: 'gzip' } } })
  t.is(image.target.digest, node.desc.digest)
})

test('convert() with a level compresses anew what is compressed so already, and always to the same', async t => {
  const node = realImage([await realLayer('a', 'abc'.repeat(5000))])
  const change = { compression: { type: 'gzip', level: 9 } } as const
  const [one, two] = [await converted(t, node, { change }), await converted(t, node, { change })]
  t.not(one.image.target.digest, node.desc.digest)
  t.is(one.image.target.digest, two.image.target.digest)
})

test('convert() leaves out other platforms, and attestations go on to name their image', async t => {
  const [a, b] = [await realLayer('a', 'a'), await realLayer('b', 'b')]
  const arm = on('linux/arm64', realImage([a, b], { platform: 'linux/arm64' }))
  const node = index(on('linux/amd64', realImage([a])), arm)
  const { image, scope } = await converted(t, node, {
    change: { compression: { type: 'none' } },
    platform: onlyStrict(platformOf('linux/arm64')),
  })
  const { manifests } = await json(scope, image.target)
  t.is(manifests.length, 1)
  t.deepEqual(manifests[0].platform, { architecture: 'arm64', os: 'linux' })

  const one = on('linux/amd64', realImage([a]))
  const all = await converted(t, index(one, attestation(one)), { change: { compression: { type: 'none' } } })
  const [entry, about] = (await json(all.scope, all.image.target)).manifests
  t.is(about.annotations['vnd.docker.reference.digest'], entry.digest)
  t.not(entry.digest, one.desc.digest)
})

test('convert() for a platform that is not there fails, and makes nothing', async t => {
  const node = index(on('linux/amd64', realImage([await realLayer('a', 'a')])))
  const runtime = await openRuntime(t)
  const scope = runtime.scope()
  const record = await putImage(scope, name, node)
  const platform = onlyStrict(platformOf('linux/s390x'))
  await t.throwsAsync(convert(scope, record, 'x', { change: {}, platform }), { code: 'NOT_FOUND' })
  await t.throwsAsync(scope.images.get('x'), { code: 'NOT_FOUND' })
})

test("convert() makes OCI of Docker and Docker of OCI, and tells what Docker's format has no place for", async t => {
  const { gzip, diffId } = await realLayer('a', 'a')
  const cfg = config({ diffIds: [diffId], mediaType: types.dockerConfig })
  const docker = dockerManifest(cfg, { ...gzip, desc: { ...gzip.desc, mediaType: types.dockerLayerGzip } })
  const oci = await converted(t, docker, { change: { format: 'oci' } })
  const manifest = await json(oci.scope, oci.image.target)
  t.is(manifest.mediaType, types.ociManifest)
  t.is(manifest.layers[0].digest, gzip.desc.digest)

  const annotated = manifestWith({ annotations: { a: '1' } }, config({ diffIds: [diffId] }), gzip)
  const back = await converted(t, annotated, { change: { format: 'docker' } })
  t.deepEqual(back.lost, [`annotations of ${annotated.desc.digest}, for which Docker's format has no place`])
  t.is(back.image.target.mediaType, types.dockerManifest)
})

test('convert() asks the bytes of a Docker layer whose type says nothing', async t => {
  const { gzip, diffId } = await realLayer('a', 'a')
  const vague = { ...gzip, desc: { ...gzip.desc, mediaType: types.dockerLayer } }
  const node = dockerManifest(config({ diffIds: [diffId], mediaType: types.dockerConfig }), vague)
  const { image, scope } = await converted(t, node, { change: { format: 'oci' } })
  t.is((await json(scope, image.target)).layers[0].mediaType, types.ociLayerGzip)
})

test('convert() refuses layers that are not what the config says', async t => {
  const { gzip } = await realLayer('a', 'a')
  const convertIt = (diffIds: readonly string[]) =>
    converted(t, manifestWith({}, config({ diffIds }), gzip), { change: { compression: { type: 'none' } } })
  await t.throwsAsync(convertIt([digestOf('other')]), { code: 'DATA_LOSS', message: /its config says/ })
  await t.throwsAsync(convertIt([]), { code: 'DATA_LOSS', message: /0 diff ids for 1 layers/ })
})

test('convert() leaves a foreign layer as it is', async t => {
  const { gzip, diffId } = await realLayer('a', 'a')
  const licensed = withExtra(
    { ...gzip, desc: { ...gzip.desc, mediaType: types.ociNondistributableLayerGzip } },
    { urls: ['https://example.com/'] },
  )
  const node = manifestWith({}, config({ diffIds: [diffId] }), licensed)
  const { image } = await converted(t, node, { change: { compression: { type: 'none' } } })
  t.is(image.target.digest, node.desc.digest)
})

test('convert() tells which attestations and signatures stay behind', async t => {
  const one = on('linux/amd64', realImage([await realLayer('a', 'a')]))
  const about = attestation(one)
  const scope = (await openRuntime(t)).scope()
  const record = await putImage(scope, name, index(one, about))
  const labels = await storeSignatures(scope.content, [
    { format: 'simple-signing', bytes: Buffer.from([0x90, 1]) },
  ])
  await scope.content.update(one.desc.digest, { labels })
  const platform = onlyStrict(platformOf('linux/amd64'))
  const { lost } = await convert(scope, record, 'x', { change: { compression: { type: 'none' } }, platform })
  t.is(lost.length, 2)
  t.true(lost[0]?.startsWith(`attestation ${about.desc.digest}`))
  t.true(lost[1]?.startsWith(`1 signatures of ${one.desc.digest}`))
})

test('convert() keeps the annotations of the target', async t => {
  const node = withExtra(realImage([await realLayer('a', 'a')]), { annotations: { k: 'v' } })
  const { image } = await converted(t, node, { change: { compression: { type: 'none' } } })
  t.deepEqual(image.target.annotations, { k: 'v' })
})

test('convert() reads nothing when it cannot be done', async t => {
  const scope = (await openRuntime(t)).scope()
  const record = await putImage(scope, name, manifestWith({}, config(), layer('x')))
  const failing = (change: ConvertOptions['change'], to = 'x') => convert(scope, record, to, { change })
  await t.throwsAsync(failing({ format: 'docker', compression: { type: 'zstd' } }), {
    code: 'FAILED_PRECONDITION',
  })
  await t.throwsAsync(failing({ compression: { type: 'gzip', level: 12 } }), { code: 'INVALID_ARGUMENT' })
  await t.throwsAsync(failing({}, ''), { code: 'INVALID_ARGUMENT' })
})
