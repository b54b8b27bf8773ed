import test from 'ava'
import { Image } from '../../src/images/image.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { only } from '../../src/oci/matcher.ts'
import { formatPlatform, parsePlatform } from '../../src/oci/platform.ts'
import {
  Blobs,
  collect,
  config,
  image,
  index,
  layer,
  manifest,
  type Node,
  on,
  sizeOf,
} from '../support/image.ts'

const diffIds = [digestOf('a')]
const amd = on('linux/amd64', manifest(config({ diffIds }), layer('a')))
const arm64 = image('linux/arm64')
const root = index(amd, arm64)
const platform = only(parsePlatform('linux/arm64'))
const at = new Date(0)

const imageOf = (node: Node, store = new Blobs(node)): Image =>
  new Image(
    { name: 'docker.io/library/a:1', target: node.desc, labels: {}, createdAt: at, updatedAt: at },
    store,
  )

test('Image has the name and target of its record', t => {
  const { name, target, record } = imageOf(root)
  t.is(name, 'docker.io/library/a:1')
  t.is(target, root.desc)
  t.is(record.createdAt, at)
})

test('Image answers each verb for its target', async t => {
  const found = imageOf(root)
  t.is(await found.size({ platform }), root.desc.size + sizeOf(arm64))
  t.is(await found.usage({ platform }), root.desc.size + sizeOf(arm64))
  t.true((await found.check({ platform })).available)
  t.is((await found.completeness()).state, 'complete')
  t.is((await found.manifest({ platform })).layers.length, 2)
  t.deepEqual(await found.config(), amd.below[0]?.desc)
  t.deepEqual(await found.rootFS(), diffIds)
  t.deepEqual((await collect(found.platforms())).map(formatPlatform), ['linux/amd64', 'linux/arm64'])
})

const verbs: ReadonlyArray<readonly [string, (image: Image, signal?: AbortSignal) => Promise<unknown>]> = [
  ['size', (image, signal) => image.size({ signal })],
  ['usage', (image, signal) => image.usage({ limit: 1, signal })],
  ['manifest', (image, signal) => image.manifest({ signal })],
  ['config', (image, signal) => image.config({ signal })],
  ['rootFS', (image, signal) => image.rootFS({ signal })],
  ['platforms', (image, signal) => collect(image.platforms({ signal }))],
  ['check', (image, signal) => image.check({ signal })],
  ['completeness', (image, signal) => image.completeness({ signal })],
]

for (const [name, verb] of verbs.slice(0, 6)) {
  test(`Image.${name}() names the image when something is missing`, async t => {
    const lost = imageOf(root, new Blobs(root).lose(root))
    await t.throwsAsync(verb(lost), {
      code: 'NOT_FOUND',
      message: /^image docker\.io\/library\/a:1: .*sha256:/,
    })
  })
}

for (const [name, verb] of verbs) {
  test(`Image.${name}() rejects with the reason when the signal has fired`, async t => {
    const reason = new Error('gone')
    t.is(await t.throwsAsync(verb(imageOf(root), AbortSignal.abort(reason))), reason)
  })
}

test('Image names image, platform, manifest and blob when a config is missing', async t => {
  const unmarked = manifest(config({ platform: 'linux/s390x' }), layer('x'))
  const store = new Blobs(index(unmarked)).lose(...unmarked.below.slice(0, 1))
  await t.throwsAsync(imageOf(index(unmarked), store).size({ platform }), {
    code: 'NOT_FOUND',
    message: new RegExp(
      `^image docker.io/library/a:1: index ${index(unmarked).desc.digest} → manifest ${unmarked.desc.digest}: .*${unmarked.below[0]?.desc.digest}`,
    ),
  })
})
