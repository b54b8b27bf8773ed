import test from 'ava'
import { type ChildChange, rewriteDocument } from '../../../src/images/convert/rewrite.ts'
import type { Descriptor } from '../../../src/oci/descriptor.ts'
import { isObject } from '../../../src/oci/json.ts'
import { mediaTypes as types } from '../../../src/oci/media-type.ts'
import {
  attestation,
  config,
  image,
  index,
  indexWith,
  layer,
  manifestWith,
  type Node,
  withExtra,
} from '../../support/image.ts'

const base = layer('base')
const other = layer('other', types.ociLayer)

const kept = (...nodes: readonly Node[]): readonly ChildChange[] =>
  nodes.map(({ desc }) => ({ before: desc, after: desc }))

const rewrite = (
  node: Node,
  changes: readonly ChildChange[],
  mediaType = node.desc.mediaType,
  format?: 'oci' | 'docker',
) => {
  const json = JSON.parse(Buffer.from(node.bytes).toString())
  const made = rewriteDocument(node.desc, json, changes, mediaType, format)
  return made && { ...made, json: JSON.parse(Buffer.from(made.bytes).toString()) }
}

const to = (before: Node, { desc: { mediaType, digest, size } }: Node): ChildChange => ({
  before: before.desc,
  after: { mediaType, digest, size },
})

test('rewriteDocument() changes nothing when nothing changes', t => {
  const node = manifestWith({}, config(), base)
  t.is(rewrite(node, kept(...node.below)), undefined)
})

test('rewriteDocument() keeps fields that it does not know, behind those it does', t => {
  const node = manifestWith(
    { annotations: { a: '1' } },
    config(),
    withExtra(base, { annotations: { b: '2' } }),
  )
  const [cfg] = node.below
  if (!cfg) throw new Error('no config')
  const json = { extra: { z: 1 }, ...JSON.parse(Buffer.from(node.bytes).toString()) }
  const made = rewriteDocument(node.desc, json, [...kept(cfg), to(base, other)], types.ociManifest, undefined)
  const text = Buffer.from(made?.bytes ?? []).toString()
  t.is(
    text,
    JSON.stringify({
      schemaVersion: 2,
      mediaType: types.ociManifest,
      config: { mediaType: cfg.desc.mediaType, digest: cfg.desc.digest, size: cfg.desc.size },
      layers: [
        {
          mediaType: types.ociLayer,
          digest: other.desc.digest,
          size: other.desc.size,
          annotations: { b: '2' },
        },
      ],
      annotations: { a: '1' },
      extra: { z: 1 },
    }),
  )
  t.deepEqual(made?.lost, [])
})

test('rewriteDocument() writes JSON as Go does', t => {
  const node = manifestWith({ annotations: { a: '<&>\u2028' } }, config(), base)
  const [cfg] = node.below
  if (!cfg) throw new Error('no config')
  const made = rewrite(node, [...kept(cfg), to(base, other)])
  t.regex(Buffer.from(made?.bytes ?? []).toString(), /"a":"\\u003c\\u0026\\u003e\\u2028"/)
})

test('rewriteDocument() drops what belongs to the old bytes of a layer: URLs, data, tables of contents', t => {
  const annotations = {
    'containerd.io/snapshot/stargz/toc.digest': 'sha256:1',
    'io.github.containers.zstd-chunked.manifest-position': '1:2:3:1',
    mine: 'yes',
  }
  const old = withExtra(base, { annotations, urls: ['https://example.com/x'], data: 'eA==' })
  const node = manifestWith({}, config(), old)
  const [cfg] = node.below
  if (!cfg) throw new Error('no config')
  const made = rewrite(node, [...kept(cfg), to(old, other)])
  t.deepEqual(made?.json.layers, [
    {
      mediaType: types.ociLayer,
      digest: other.desc.digest,
      size: other.desc.size,
      annotations: { mine: 'yes' },
    },
  ])
})

test('rewriteDocument() takes an entry out of an index, and keeps the order', t => {
  const nodes = [image('linux/amd64'), image('linux/arm64'), image('linux/s390x')] as const
  const node = indexWith({ annotations: { a: '1' } }, ...nodes)
  const made = rewrite(node, [...kept(nodes[0]), { before: nodes[1].desc }, ...kept(nodes[2])])
  t.deepEqual(
    made?.json.manifests.map(({ digest }: Descriptor) => digest),
    [nodes[0].desc.digest, nodes[2].desc.digest],
  )
  t.deepEqual(made?.json.annotations, { a: '1' })
})

test('rewriteDocument() lets an attestation name its image by the new digest', t => {
  const [one, two] = [image('linux/amd64'), image('linux/amd64', 'new')]
  const about = attestation(one)
  const made = rewrite(index(one, about), [to(one, two), ...kept(about)])
  const [, entry] = made?.json.manifests ?? []
  t.true(isObject(entry))
  t.is(entry.annotations['vnd.docker.reference.digest'], two.desc.digest)
})

test("rewriteDocument() to Docker's format leaves annotations out and says so, and writes fields as skopeo does", t => {
  const node = manifestWith(
    { annotations: { a: '1' } },
    config(),
    withExtra(base, { annotations: { b: '2' } }),
  )
  const changes = node.below.map(({ desc }, at) => ({
    before: desc,
    after: { ...desc, mediaType: at === 0 ? types.dockerConfig : types.dockerLayerGzip },
  }))
  const made = rewrite(node, changes, types.dockerManifest, 'docker')
  t.deepEqual(Object.keys(made?.json), ['schemaVersion', 'mediaType', 'config', 'layers'])
  t.deepEqual(Object.keys(made?.json.layers[0]), ['mediaType', 'size', 'digest'])
  t.deepEqual(made?.lost, [`annotations of ${node.desc.digest}`, `annotations of ${base.desc.digest}`])
})

test("rewriteDocument() refuses in Docker's format what has no place there", t => {
  const docker = (node: Node) => () => rewrite(node, kept(...node.below), types.dockerManifest, 'docker')
  const refusal = { code: 'FAILED_PRECONDITION', message: /no place in Docker's format/ }
  t.throws(docker(manifestWith({ subject: base.desc }, config(), base)), refusal)
  t.throws(docker(manifestWith({ artifactType: 'x/y' }, config(), base)), refusal)
  t.throws(docker(manifestWith({}, config(), base)), refusal)
  const nested = index(index(image('linux/amd64')))
  t.throws(() => rewrite(nested, kept(...nested.below), types.dockerManifestList, 'docker'), refusal)
})

test('rewriteDocument() gives an index that says nothing of itself no type, unless it gets another', t => {
  const one = image('linux/amd64')
  const node = indexWith({ named: false }, one)
  t.false('mediaType' in (rewrite(node, [{ before: one.desc }])?.json ?? {}))
  t.is(rewrite(node, kept(one), types.dockerManifestList)?.json.mediaType, types.dockerManifestList)
})
