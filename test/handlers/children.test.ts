import test from 'ava'
import { children, readConfig, readIndex, readManifest } from '../../src/handlers/children.ts'
import { dispatch } from '../../src/handlers/dispatch.ts'
import { pipe } from '../../src/handlers/pipe.ts'
import { skipMissing } from '../../src/handlers/skip.ts'
import { walk } from '../../src/handlers/walk.ts'
import { descriptorOf } from '../../src/oci/descriptor.ts'
import { maxManifestSize } from '../../src/oci/document.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'
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
  indexWith,
  layer,
  manifest,
  manifestWith,
  type Node,
  on,
  withExtra,
} from '../support/image.ts'

const arm = image('linux/arm64')
const amd = image('linux/amd64')
const dockerConfig = config({ mediaType: mediaTypes.dockerConfig })

const names = test.macro({
  async exec(t, node: Node) {
    const found = await children(new Blobs(node))(node.desc, {})
    t.deepEqual(
      found,
      node.below.map(({ desc }) => desc),
    )
  },
  title: (title = '') => `children() names ${title}`,
})

test(
  'the config and the layers of a manifest, in this order',
  names,
  manifest(config(), layer('a'), layer('b')),
)
test('the entries of an index in order, with their platforms', names, index(arm, amd, attestation(arm)))
test(
  'the children of a Docker manifest',
  names,
  dockerManifest(dockerConfig, layer('a', mediaTypes.dockerLayerGzip)),
)
test('the children of a Docker list', names, dockerList(on('linux/amd64', dockerManifest(dockerConfig))))
test(
  'OCI entries of a Docker list, and Docker entries of an index',
  names,
  dockerList(arm, index(dockerManifest(dockerConfig))),
)
test(
  'the children of documents without a media type of their own',
  names,
  indexWith({ named: false }, manifestWith({ named: false }, config())),
)
test('nested indexes', names, index(index(index(arm))))
test('entries without platform', names, index(manifest(config())))
test(
  'the empty config of an artifact',
  names,
  manifestWith({ artifactType: 'application/x-thing' }, emptyConfig(), blob('text/plain', 'x')),
)
test('duplicate layers as often as they are listed', names, manifest(config(), layer('a'), layer('a')))
test('layers of no bytes', names, manifest(config(), layer('')))
test('128 layers', names, manifest(config(), ...Array.from({ length: 128 }, (_, at) => layer(`layer ${at}`))))
test('nothing in an empty index', names, index())
test(
  'annotations, urls, data and artifact types of entries',
  names,
  index(
    withExtra(arm, {
      annotations: { a: 'b' },
      urls: ['https://example.org/x'],
      artifactType: 'x/y',
      data: Buffer.from(arm.bytes).toString('base64'),
    }),
  ),
)

test('children() does not name a subject', async t => {
  const node = manifestWith({ subject: arm.desc }, emptyConfig(), layer('a'))
  t.is((await children(new Blobs(node))(node.desc, {})).length, 2)
  const list = indexWith({ subject: arm.desc }, amd)
  t.is((await children(new Blobs(list))(list.desc, {})).length, 1)
})

const isLeaf = test.macro({
  async exec(t, mediaType: string) {
    const store = new Blobs()
    t.deepEqual(await children(store)(blob(mediaType, '{}').desc, {}), [])
    t.deepEqual(store.reads, [])
  },
  title: (_, mediaType) => `children() takes ${JSON.stringify(mediaType)} for a leaf and does not read it`,
})

for (const mediaType of [
  '',
  'application/x-unknown',
  mediaTypes.ociConfig,
  mediaTypes.ociLayerGzip,
  mediaTypes.ociEmpty,
  mediaTypes.inToto,
  mediaTypes.octetStream,
]) {
  test(isLeaf, mediaType)
}

test('children() refuses Docker schema 1, signed or not', async t => {
  for (const mediaType of [mediaTypes.dockerSchema1, mediaTypes.dockerSchema1Signed]) {
    await t.throwsAsync(async () => children(new Blobs())(blob(mediaType, '{}').desc, {}), {
      code: 'INVALID_ARGUMENT',
      message: /schema 1/,
    })
  }
})

const refuses = test.macro({
  async exec(t, mediaType: string, bytes: string, message: RegExp) {
    const node = blob(mediaType, bytes)
    await t.throwsAsync(async () => children(new Blobs(node))(node.desc, {}), {
      code: 'INVALID_ARGUMENT',
      message,
    })
  },
  title: (title = '') => `children() refuses ${title}`,
})

const desc = `{"mediaType":"x/y","digest":"sha256:${'0'.repeat(64)}","size":1}`

test('a manifest that is not JSON', refuses, mediaTypes.ociManifest, 'hello', /not JSON/)
test('a manifest that is HTML', refuses, mediaTypes.ociManifest, '<html>', /HTML/)
test('a manifest that is an array', refuses, mediaTypes.ociManifest, '[]', /object/)
test('a manifest without config', refuses, mediaTypes.ociManifest, '{}', /config/)
test(
  'a manifest with entries of an index',
  refuses,
  mediaTypes.ociManifest,
  `{"config":${desc},"manifests":[]}`,
  /manifests/,
)
test('an index with layers', refuses, mediaTypes.ociIndex, '{"manifests":[],"layers":[]}', /layers/)
test(
  'an index that says it is a manifest',
  refuses,
  mediaTypes.ociIndex,
  `{"mediaType":"${mediaTypes.ociManifest}","manifests":[]}`,
  /mediaType/,
)
test(
  'a layer of negative size',
  refuses,
  mediaTypes.ociManifest,
  `{"config":${desc.replace('1}', '-1}')}}`,
  /size/,
)
test(
  'a layer of half a byte',
  refuses,
  mediaTypes.ociManifest,
  `{"config":${desc.replace('1}', '0.5}')}}`,
  /size/,
)
test(
  'a digest that is none',
  refuses,
  mediaTypes.ociIndex,
  '{"manifests":[{"mediaType":"x/y","digest":"sha256:1","size":1}]}',
  /digest/,
)
test('a key that comes twice', refuses, mediaTypes.ociIndex, '{"manifests":[],"manifests":[]}', /twice/)
test('a key that differs in case', refuses, mediaTypes.ociIndex, '{"Manifests":[]}', /Manifests/)

test('children() finds a manifest missing', async t => {
  await t.throwsAsync(async () => children(new Blobs())(arm.desc, {}), { code: 'NOT_FOUND' })
})

test('children() finds damaged bytes', async t => {
  const store = new Blobs(arm).damage(arm)
  await t.throwsAsync(async () => children(store)(arm.desc, {}), { code: 'DATA_LOSS' })
})

test('children() finds bytes too few and too many', async t => {
  for (const bytes of [arm.bytes.subarray(1), Buffer.concat([arm.bytes, Buffer.from(' ')])]) {
    await t.throwsAsync(async () => children(new Blobs(arm).damage(arm, bytes))(arm.desc, {}), {
      code: 'DATA_LOSS',
    })
  }
})

test('children() does not read a manifest over its limit', async t => {
  const store = new Blobs(arm)
  const huge = { ...arm.desc, size: maxManifestSize + 1 }
  await t.throwsAsync(async () => children(store)(huge, {}), { code: 'RESOURCE_EXHAUSTED' })
  t.deepEqual(store.reads, [])
})

test('children() passes its signal on', async t => {
  const signal = AbortSignal.abort(new Error('gone'))
  await t.throwsAsync(async () => children(new Blobs(arm))(arm.desc, { signal }), { message: 'gone' })
})

test('children() and walk() visit a whole image', async t => {
  const root = index(arm, amd, index(attestation(arm)))
  const found = await collect(walk(children(new Blobs(root)), [root.desc]))
  t.deepEqual(
    found,
    flat(root).map(node => node.desc),
  )
})

test('children() and walk() name the path to what is missing', async t => {
  const root = index(arm, index(amd))
  const store = new Blobs(root).lose(amd)
  await t.throwsAsync(collect(walk(children(store), [root.desc])), {
    code: 'NOT_FOUND',
    message: new RegExp(
      `^index ${root.desc.digest} → index sha256:[0-9a-f]+ → linux/amd64 manifest ${amd.desc.digest}: `,
    ),
  })
})

test('children() and dispatch() name the path to what is corrupt', async t => {
  const root = index(arm, amd)
  const store = new Blobs(root).damage(amd)
  await t.throwsAsync(
    dispatch(children(store), async () => {}, [root.desc]),
    {
      code: 'DATA_LOSS',
      message: new RegExp(`^index ${root.desc.digest} → linux/amd64 manifest ${amd.desc.digest}: `),
    },
  )
})

test('children() and skipMissing visit what is there', async t => {
  const root = index(arm, amd)
  const store = new Blobs(root).lose(arm)
  const found = await collect(walk(pipe(children(store), skipMissing), [root.desc]))
  t.deepEqual(found, [root.desc, arm.desc, ...flat(amd).map(node => node.desc)])
})

test('children() finds out a store that presents an index of itself', async t => {
  const self = index()
  const store = new Blobs()
  const bytes = Buffer.from(JSON.stringify({ manifests: [self.desc] }))
  store.put({ desc: self.desc, bytes })
  const lying = { ...self.desc, size: bytes.byteLength }
  await t.throwsAsync(collect(walk(children(store), [lying])), { code: 'DATA_LOSS' })
  await t.throwsAsync(
    dispatch(children(store), async () => {}, [lying]),
    { code: 'DATA_LOSS' },
  )
})

test('walk() and dispatch() refuse an index of itself from a handler that does not verify', async t => {
  const self = index().desc
  const handler = async () => [self]
  await t.throwsAsync(collect(walk(handler, [self])), {
    code: 'INVALID_ARGUMENT',
    message: /contains itself/,
  })
  await t.throwsAsync(
    dispatch(handler, async () => {}, [self]),
    { code: 'INVALID_ARGUMENT', message: /contains itself/ },
  )
})

test('children() with dispatch() reads each index of a 2^60-path image once', async t => {
  let node = index(arm)
  for (let at = 0; at < 60; at++) node = index(node, node)
  const store = new Blobs(node)
  let visits = 0
  await dispatch(children(store), async () => void visits++, [node.desc], { order: 'post' })
  t.is(visits, 61 + 4)
  t.is(store.reads.length, 62)
})

test('walk() and dispatch() refuse an image that is nested 100 deep', async t => {
  let node = index(arm)
  for (let at = 0; at < 100; at++) node = index(node)
  const store = new Blobs(node)
  await t.throwsAsync(collect(walk(children(store), [node.desc])), {
    code: 'INVALID_ARGUMENT',
    message: /levels deep/,
  })
  await t.throwsAsync(
    dispatch(children(store), async () => {}, [node.desc]),
    { code: 'INVALID_ARGUMENT' },
  )
})

test('readIndex() and readManifest() give the whole document', async t => {
  const node = manifestWith(
    { artifactType: 'x/y', annotations: { a: 'b' }, subject: arm.desc },
    config(),
    layer('a'),
  )
  const root = indexWith({ annotations: { c: 'd' } }, node)
  const store = new Blobs(root)
  const found = await readManifest(store, node.desc)
  t.like(found, { artifactType: 'x/y', annotations: { a: 'b' } })
  t.is(found.subject?.digest, arm.desc.digest)
  t.deepEqual((await readIndex(store, root.desc)).annotations, { c: 'd' })
})

test('readConfig() gives the config, and refuses what is none', async t => {
  const good = config({ platform: 'linux/arm/v7' })
  const store = new Blobs(good, layer('no json'))
  t.deepEqual((await readConfig(store, good.desc)).platform, {
    os: 'linux',
    architecture: 'arm',
    variant: 'v7',
  })
  await t.throwsAsync(readConfig(store, layer('no json').desc), { code: 'INVALID_ARGUMENT' })
})

test('readConfig() takes bytes that travel in the descriptor', async t => {
  const bytes = Buffer.from('{}')
  const found = await readConfig(
    new Blobs(),
    descriptorOf(mediaTypes.ociEmpty, bytes, { data: bytes.toString('base64') }),
  )
  t.deepEqual(found.diffIds, [])
})
