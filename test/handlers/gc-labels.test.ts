import test from 'ava'
import { childLabels, childLabelsWithoutLayers } from '../../src/handlers/gc-labels.ts'
import { pipe } from '../../src/handlers/pipe.ts'
import { referrers } from '../../src/handlers/referrers.ts'
import { annotationKeys } from '../../src/oci/annotations.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'
import {
  attestation,
  blob,
  config,
  dockerManifest,
  emptyConfig,
  image,
  index,
  layer,
  manifest,
  type Node,
  withExtra,
} from '../support/image.ts'

const prefix = 'containerd.io/gc.ref.content.'

const labels = test.macro({
  exec(t, children: readonly Node[], expected: readonly string[], make: typeof childLabels = childLabels) {
    const found = Object.entries(make(children.map(({ desc }) => desc)))
    t.deepEqual(
      found.map(([key]) => key),
      expected.map(key => prefix + key),
    )
    const kept =
      make === childLabels ? children : children.filter(({ desc }) => !desc.mediaType.includes('layer'))
    t.deepEqual(
      found.map(([, digest]) => digest),
      kept.map(({ desc }) => desc.digest),
    )
  },
  title: (title = '') => `childLabels() ${title}`,
})

const one = manifest(config(), layer('a'))
const two = image('linux/arm64')

test('gives none to no children', labels, [], [])
test('names a config and layers', labels, [config(), layer('a'), layer('b')], ['config', 'l.0', 'l.1'])
test('names a Docker config', labels, [config({ mediaType: mediaTypes.dockerConfig })], ['config'])
test(
  'names a second config config1',
  labels,
  [config(), config({ author: 'x' }), config({ author: 'y' })],
  ['config', 'config1', 'config2'],
)
test(
  'names the configs of a checkpoint',
  labels,
  [blob(mediaTypes.checkpointConfig, '1'), blob(mediaTypes.checkpointOptions, '2')],
  ['config', 'config1'],
)
test('names manifests', labels, [one, two, dockerManifest(config())], ['m.0', 'm.1', 'm.2'])
test('numbers indexes among all else', labels, [index(one), one, index(two)], ['0', 'm.0', '1'])
test(
  'numbers opaque blobs',
  labels,
  [emptyConfig(), blob('text/plain', 'x'), blob(mediaTypes.inToto, 'y')],
  ['0', '1', '2'],
)
test('gives duplicates labels of their own', labels, [layer('a'), layer('a')], ['l.0', 'l.1'])
test(
  'names foreign and unknown OCI layers',
  labels,
  [layer('a', mediaTypes.dockerForeignLayerGzip), layer('b', 'application/vnd.oci.image.layer.v9.tar')],
  ['l.0', 'l.1'],
)
test('names attestation manifests as manifests', labels, [two, attestation(two)], ['m.0', 'm.1'])
test('can leave out layers', labels, [config(), layer('a'), one], ['config', 'm.0'], childLabelsWithoutLayers)

test('childLabels() counts each kind by itself, whatever their order', t => {
  const children = [layer('a'), one, config(), layer('b'), blob('x/y'), two].map(({ desc }) => desc)
  t.deepEqual(
    Object.keys(childLabels(children)),
    ['l.0', 'm.0', 'config', 'l.1', '0', 'm.1'].map(key => prefix + key),
  )
})

test('childLabels() names 128 layers', t => {
  const children = Array.from({ length: 128 }, (_, at) => layer(`layer ${at}`).desc)
  const keys = Object.keys(childLabels(children))
  t.is(keys.length, 128)
  t.is(keys.at(-1), `${prefix}l.127`)
})

test('childLabels() names a referrer after its own digest, in any order', t => {
  const referrer = withExtra(manifest(emptyConfig()), {
    annotations: { [annotationKeys.manifestSubject]: one.desc.digest },
  })
  const hex = referrer.desc.digest.slice('sha256:'.length, 'sha256:'.length + 12)
  for (const nodes of [
    [referrer, two],
    [two, referrer],
  ]) {
    const found = childLabels(nodes.map(({ desc }) => desc))
    t.is(found[`${prefix}referrer.sha256.${hex}`], referrer.desc.digest)
    t.is(found[`${prefix}m.0`], two.desc.digest)
  }
})

test('childLabels() says sha256 in the key of a referrer with another algorithm, as containerd does', t => {
  const digest = digestOf('x', 'sha512')
  const annotations = { [annotationKeys.manifestSubject]: one.desc.digest }
  const found = childLabels([{ mediaType: mediaTypes.ociManifest, digest, size: 1, annotations }])
  t.deepEqual(found, { [`${prefix}referrer.sha256.${digest.slice(7, 19)}`]: digest })
})

const signature = manifest(emptyConfig(), blob('application/x-signature', 'signed'))
const find = async () => [signature.desc]

test('referrers() adds what refers to a manifest, marked with its subject', async t => {
  const found = await pipe(async () => one.below.map(({ desc }) => desc), referrers(find))(one.desc, {})
  t.is(found.length, 3)
  t.deepEqual(found.at(-1), {
    ...signature.desc,
    annotations: { [annotationKeys.manifestSubject]: one.desc.digest },
  })
  t.is(signature.desc.annotations, undefined)
})

test('referrers() asks for indexes too, and not for others', async t => {
  const asked: string[] = []
  const handler = pipe(
    async () => [],
    referrers(async desc => {
      asked.push(desc.mediaType)
      return []
    }),
  )
  for (const node of [index(one), one, config(), layer('a'), blob('x/y')]) await handler(node.desc, {})
  t.deepEqual(asked, [mediaTypes.ociIndex, mediaTypes.ociManifest])
})

test('referrers() keeps other annotations, and the list when there are none', async t => {
  const noted = withExtra(signature, { annotations: { note: 'mine' } })
  const [added] = await pipe(
    async () => [],
    referrers(async () => [noted.desc]),
  )(one.desc, {})
  t.deepEqual(added?.annotations, { note: 'mine', [annotationKeys.manifestSubject]: one.desc.digest })
  const list = [layer('a').desc]
  t.is(
    await pipe(
      async () => list,
      referrers(async () => []),
    )(one.desc, {}),
    list,
  )
})

test('referrers() passes options and errors of the search', async t => {
  const { signal } = new AbortController()
  const handler = pipe(
    async () => [],
    referrers(async (_, options) => {
      t.is(options.signal, signal)
      throw new TypeError('no')
    }),
  )
  await t.throwsAsync(async () => handler(one.desc, { signal }), { instanceOf: TypeError })
})
