import test from 'ava'
import { digestOf } from '../../src/oci/digest.ts'
import { kindOfDocument, maxManifestSize, parseIndex, parseManifest } from '../../src/oci/document.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'

const desc = (mediaType: string) => ({ mediaType, digest: digestOf(mediaType), size: 1 })
const config = desc(mediaTypes.ociConfig)
const layer = desc(mediaTypes.ociLayerGzip)
const child = desc(mediaTypes.ociManifest)
const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [layer] }
const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [child] }
const bytes = (value: unknown): Uint8Array =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))

test('parseManifest() gives every field, frozen', t => {
  const extra = { artifactType: 'a/b', subject: child, annotations: { a: 'b' } }
  const found = parseManifest(bytes({ ...manifest, ...extra, unknown: 1 }))
  t.deepEqual(found, { mediaType: mediaTypes.ociManifest, ...extra, config, layers: [layer] })
  for (const part of [found, found.layers, found.config, found.subject, found.annotations])
    t.true(Object.isFrozen(part))
})

test('parseIndex() gives every field, frozen', t => {
  const extra = { artifactType: 'a/b', subject: child, annotations: { a: 'b' } }
  const found = parseIndex(bytes({ ...index, ...extra, unknown: 1 }))
  t.deepEqual(found, { mediaType: mediaTypes.ociIndex, ...extra, manifests: [child] })
  for (const part of [found, found.manifests, found.manifests[0]]) t.true(Object.isFrozen(part))
})

test('parseManifest() and parseIndex() do without a media type and without children', t => {
  t.deepEqual(parseManifest(bytes({ config })), { config, layers: [] })
  t.deepEqual(parseManifest(bytes({ config, layers: null, mediaType: null })), { config, layers: [] })
  t.deepEqual(parseIndex(bytes({})), { manifests: [] })
  t.deepEqual(parseIndex(bytes({ manifests: null, mediaType: '' })), { manifests: [] })
})

test('parseManifest() and parseIndex() take the media type of the other family', t => {
  t.is(
    parseManifest(bytes({ ...manifest, mediaType: mediaTypes.dockerManifest })).mediaType,
    mediaTypes.dockerManifest,
  )
  t.is(
    parseIndex(bytes({ ...index, mediaType: mediaTypes.dockerManifestList })).mediaType,
    mediaTypes.dockerManifestList,
  )
})

const refuses = test.macro<
  [parse: (bytes: Uint8Array, what?: string) => unknown, what: string, document: unknown, message: RegExp]
>({
  exec(t, parse, _, document, message) {
    t.throws(() => parse(bytes(document), 'doc'), { code: 'INVALID_ARGUMENT', message })
  },
  title: (_, parse, what) => `${parse.name}() refuses ${what}`,
})

test(
  refuses,
  parseManifest,
  'what is an index too',
  { ...manifest, manifests: [child] },
  /an image manifest must not have "manifests"/,
)
test(
  refuses,
  parseManifest,
  'an index that is null',
  { ...manifest, manifests: null },
  /must not have "manifests"/,
)
test(
  refuses,
  parseManifest,
  "an index's media type",
  { ...manifest, mediaType: mediaTypes.ociIndex },
  /must not have mediaType .*index/,
)
test(
  refuses,
  parseManifest,
  "a Docker list's media type",
  { ...manifest, mediaType: mediaTypes.dockerManifestList },
  /must not have mediaType/,
)
test(refuses, parseManifest, 'schema 1', { schemaVersion: 1, fsLayers: [], history: [] }, /schema 1/)
test(refuses, parseManifest, 'schema 1 in disguise', { ...manifest, fsLayers: null }, /schema 1/)
test(
  refuses,
  parseManifest,
  "schema 1's media type",
  { ...manifest, mediaType: mediaTypes.dockerSchema1Signed },
  /schema 1/,
)
test(
  refuses,
  parseManifest,
  'a key in other case',
  { ...manifest, Layers: [] },
  /key "Layers" can be taken for "layers"/,
)
test(
  refuses,
  parseManifest,
  'an index in other case',
  { ...manifest, MANIFESTS: [child] },
  /"MANIFESTS" can be taken for "manifests"/,
)
test(
  refuses,
  parseManifest,
  'an index behind a long s',
  { ...manifest, 'manife\u017fts': [child] },
  /can be taken for "manifests"/,
)
test(refuses, parseManifest, 'no config', { layers: [] }, /doc\.config: expected an object, got nothing/)
test(
  refuses,
  parseManifest,
  'a config that is null',
  { ...manifest, config: null },
  /doc\.config: expected an object, got null/,
)
test(
  refuses,
  parseManifest,
  'layers that are no list',
  { ...manifest, layers: {} },
  /doc\.layers: expected an array/,
)
test(
  refuses,
  parseManifest,
  'a layer that is null',
  { ...manifest, layers: [layer, null] },
  /doc\.layers\[1\]: expected an object, got null/,
)
test(
  refuses,
  parseManifest,
  'a layer without digest',
  { ...manifest, layers: [{ mediaType: 'a', size: 1 }] },
  /doc\.layers\[0\]\.digest/,
)
test(
  refuses,
  parseManifest,
  'a media type that is no text',
  { ...manifest, mediaType: 2 },
  /doc\.mediaType: expected a string, got 2/,
)
test(
  refuses,
  parseManifest,
  'a subject that is none',
  { ...manifest, subject: 'x' },
  /doc\.subject: expected an object/,
)
test(
  refuses,
  parseManifest,
  'two configs',
  `{"config":${JSON.stringify(config)},"layers":[],"config":${JSON.stringify(layer)}}`,
  /key "config" appears twice/,
)
test(
  refuses,
  parseManifest,
  'two digests in a layer',
  JSON.stringify(manifest).replace('"size"', `"digest":"${digestOf('y')}","size"`),
  /key "digest" appears twice/,
)
test(refuses, parseManifest, 'a list', [manifest], /doc: expected an object, got an array/)
test(refuses, parseManifest, 'null', 'null', /doc: expected an object, got null/)
test(refuses, parseManifest, 'nothing', '', /doc: not JSON/)
test(refuses, parseManifest, 'a web page', '<html>', /doc: not JSON but HTML/)
test(
  refuses,
  parseManifest,
  'more than 4 MiB',
  ' '.repeat(maxManifestSize + 1),
  /doc: 4194305 bytes, more than the 4194304 allowed/,
)
test(
  refuses,
  parseIndex,
  'what is a manifest too',
  { ...index, config, layers: [layer] },
  /an index must not have "config" and "layers"/,
)
test(refuses, parseIndex, 'a config that is null', { ...index, config: null }, /must not have "config"/)
test(refuses, parseIndex, 'layers', { ...index, layers: [] }, /must not have "layers"/)
test(
  refuses,
  parseIndex,
  "a manifest's media type",
  { ...index, mediaType: mediaTypes.ociManifest },
  /an index must not have mediaType/,
)
test(
  refuses,
  parseIndex,
  "a Docker manifest's media type",
  { ...index, mediaType: mediaTypes.dockerManifest },
  /must not have mediaType/,
)
test(refuses, parseIndex, 'schema 1', { fsLayers: [] }, /schema 1/)
test(
  refuses,
  parseIndex,
  'layers in other case',
  { ...index, Layers: [] },
  /"Layers" can be taken for "layers"/,
)
test(
  refuses,
  parseIndex,
  'a child with two digests',
  { ...index, manifests: [{ ...child, DIGEST: digestOf('y') }] },
  /doc\.manifests\[0\]: key "DIGEST"/,
)
test(
  refuses,
  parseIndex,
  'manifests that are no list',
  { manifests: {} },
  /doc\.manifests: expected an array/,
)

test('parseManifest() takes 4 MiB', t => {
  const text = JSON.stringify(manifest)
  t.is(parseManifest(bytes(text + ' '.repeat(maxManifestSize - text.length))).layers.length, 1)
})

test('parseIndex() takes a document with prototype keys for data', t => {
  const found = parseIndex(
    bytes('{"__proto__":{"manifests":[1]},"constructor":1,"annotations":{"__proto__":"x"}}'),
  )
  t.deepEqual(found.manifests, [])
  t.is(Object.entries(found.annotations ?? {}).length, 1)
})

test('kindOfDocument() tells by the fields', t => {
  t.is(kindOfDocument(index), 'index')
  t.is(kindOfDocument(manifest), 'manifest')
  t.is(kindOfDocument({ layers: [] }), 'manifest')
  for (const other of [{}, { fsLayers: [] }, [], null, 'manifests', Object.create({ manifests: [] })])
    t.is(kindOfDocument(other), undefined)
})
