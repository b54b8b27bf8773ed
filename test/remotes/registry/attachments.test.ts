import test, { type ExecutionContext } from 'ava'
import { MemoryStore } from '../../../src/content/memory-store.ts'
import type { SigstoreSignature } from '../../../src/images/signature.ts'
import { descriptorOf } from '../../../src/oci/descriptor.ts'
import { digestOf, parseDigest } from '../../../src/oci/digest.ts'
import { mediaTypes } from '../../../src/oci/media-type.ts'
import { readAttachments, signatureTag, writeAttachments } from '../../../src/remotes/registry/attachments.ts'
import type { Pusher } from '../../../src/remotes/types.ts'
import { collect } from '../../support/bytes.ts'
import { startRecorder, startRegistry, type TestRegistry } from '../../support/registry.ts'
import { status, wrongBytes } from '../../support/registry-faults.ts'
import { quickResolver } from '../../support/resolver.ts'
import { signingKey, sigstoreSignature } from '../../support/signing.ts'

const digest = digestOf('a manifest')
const tag = signatureTag(digest)
const key = signingKey()
const signature = (name: string): SigstoreSignature => sigstoreSignature({ key, digest, reference: name })

/** Attaches as cosign does. */
const attach = (registry: TestRegistry, signatures: readonly SigstoreSignature[], more: object = {}) => {
  const layers = signatures.map(one => ({
    ...registry.blob('app', one.payload, one.mediaType),
    annotations: one.annotations,
  }))
  const config = registry.blob('app', '{"rootfs":{}}', mediaTypes.ociConfig)
  return registry.put('app', tag, {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config,
    layers,
    ...more,
  })
}

const setUp = async (t: ExecutionContext) => {
  const registry = await startRegistry(t)
  const { resolver } = quickResolver(t)
  return { registry, repository: await resolver.repository(`${registry.host}/app`) }
}

test('signatureTag() is that of sigstore’s tools', t => {
  t.is(tag, `sha256-${digest.slice(7)}.sig`)
  t.regex(signatureTag(digestOf('x', 'sha512')), /^sha512-[0-9a-f]{128}\.sig$/)
})

test('readAttachments() gives what is attached, payload and annotations, in order', async t => {
  const { registry, repository } = await setUp(t)
  const all = [
    signature('q.io/a'),
    { ...signature('q.io/b'), mediaType: 'application/vnd.other', annotations: {} },
  ]
  attach(registry, all)
  const read = await readAttachments(repository, digest)
  t.deepEqual(
    read.map(({ payload, ...rest }) => ({ ...rest, payload: Buffer.from(payload).toString() })),
    all.map(({ payload, ...rest }) => ({ ...rest, payload: Buffer.from(payload).toString() })),
  )
})

test('readAttachments() gives nothing when nothing is attached, and asks once', async t => {
  const { registry, repository } = await setUp(t)
  t.deepEqual(await readAttachments(repository, digest), [])
  t.is(registry.requests.length, 1)
})

test('readAttachments() refuses an index, and a tag that is no manifest', async t => {
  const { registry, repository } = await setUp(t)
  registry.put('app', tag, { schemaVersion: 2, manifests: [] }, mediaTypes.ociIndex)
  await t.throwsAsync(readAttachments(repository, digest), {
    code: 'INVALID_ARGUMENT',
    message: /where signatures should be/,
  })
  registry.put('app', tag, { hello: 1 })
  await t.throwsAsync(readAttachments(repository, digest), { code: 'INVALID_ARGUMENT' })
})

test('readAttachments() refuses a payload of other bytes, and one that is too large, unread', async t => {
  const { registry, repository } = await setUp(t)
  attach(registry, [signature('q.io/a')])
  registry.next(/GET .*\/blobs\//, wrongBytes)
  await t.throwsAsync(readAttachments(repository, digest), { code: 'DATA_LOSS' })
  registry.requests.length = 0
  const layers = [{ ...descriptorOf('x/y', Buffer.from('x')), size: 4 * 1024 * 1024 + 1 }]
  attach(registry, [], { layers })
  await t.throwsAsync(readAttachments(repository, digest), { code: 'RESOURCE_EXHAUSTED' })
  t.is(registry.seen(/\/blobs\//).length, 0)
})

test('readAttachments() refuses more than 128, unread', async t => {
  const { registry, repository } = await setUp(t)
  const layers = Array.from({ length: 129 }, () => descriptorOf('x/y', Buffer.from('x')))
  attach(registry, [], { layers })
  await t.throwsAsync(readAttachments(repository, digest), {
    code: 'RESOURCE_EXHAUSTED',
    message: /more than 128 signatures/,
  })
  t.is(registry.seen(/\/blobs\//).length, 0)
})

test('CVE-2024-3727: digests of attached signatures that are none are refused, and never part of a URL', async t => {
  const { registry, repository } = await setUp(t)
  for (const wrong of ['sha256:../../../secret', 'sha256:', `sha256:${'A'.repeat(64)}`, 'md5:00', '']) {
    attach(registry, [], { layers: [{ mediaType: 'x/y', size: 1, digest: wrong }] })
    registry.requests.length = 0
    await t.throwsAsync(readAttachments(repository, digest), { code: 'INVALID_ARGUMENT', message: /digest/ })
    t.deepEqual(registry.seen(/blobs|secret/), [])
  }
})

test('CVE-2021-41190: a tag that is index and manifest at once attaches nothing', async t => {
  const { registry, repository } = await setUp(t)
  attach(registry, [signature('q.io/a')], { manifests: [] })
  await t.throwsAsync(readAttachments(repository, digest), {
    code: 'INVALID_ARGUMENT',
    message: /must not have "manifests"/,
  })
})

test('CVE-2020-15157: URLs of attached payloads get no credentials, and private addresses are refused', async t => {
  const recorder = await startRecorder(t, ({ response }) => response.writeHead(200).end('x'))
  const { registry, repository } = await setUp(t)
  const layer = { ...descriptorOf('x/y', Buffer.from('x')), urls: [`http://${recorder.host}/x`] }
  attach(registry, [], { layers: [layer] })
  await t.throwsAsync(readAttachments(repository, digest))
  t.deepEqual(recorder.requests, [])
})

test('readAttachments() fails when the registry does', async t => {
  const { registry, repository } = await setUp(t)
  registry.always(/GET .*\.sig/, status(403))
  await t.throwsAsync(readAttachments(repository, digest), { code: 'PERMISSION_DENIED' })
})

/** A place to push to, and the references that were pushed to. */
const sink = () => {
  const store = new MemoryStore()
  const references: string[] = []
  const pusher = async (reference: string): Promise<Pick<Pusher, 'writer'>> => {
    references.push(reference)
    return { writer: (init, options) => store.writer(init, options) }
  }
  return { store, references, pusher }
}

test('writeAttachments() adds to what is attached, keeps the rest, and writes nothing anew', async t => {
  const { registry, repository } = await setUp(t)
  const [one, two] = [signature('q.io/a'), signature('q.io/b')]
  attach(registry, [one])
  const { store, references, pusher } = sink()
  const reference = `${registry.host}/app:1`
  await writeAttachments({ repository, pusher }, reference, digest, [one])
  t.deepEqual(references, [])
  await writeAttachments({ repository, pusher }, reference, digest, [one, two])
  t.is(references.length, 1)
  const [name = '', written = ''] = (references[0] ?? '').split('@')
  t.is(name, `${registry.host}/app:${tag}`)
  const read = async (wanted: string) => {
    const { digest, size } = await store.info(parseDigest(wanted))
    return JSON.parse((await collect(store.read({ digest, size, mediaType: '' }))).toString())
  }
  const manifest = await read(written)
  t.deepEqual(
    manifest.layers.map((layer: { annotations: unknown; mediaType: string }) => [
      layer.mediaType,
      layer.annotations,
    ]),
    [one, two].map(({ mediaType, annotations }) => [mediaType, annotations]),
  )
  t.deepEqual(
    (await read(manifest.config.digest)).rootfs.diff_ids,
    manifest.layers.map((layer: { digest: string }) => layer.digest),
  )
})
