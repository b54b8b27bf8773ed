import test, { type ExecutionContext } from 'ava'
import type { ContentStore } from '../../src/content/types.ts'
import { labelKeys } from '../../src/oci/annotations.ts'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { parseDigest } from '../../src/oci/digest.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'
import type { BlobEvent, ProgressEvent } from '../../src/remotes/progress.ts'
import { referrersTag } from '../../src/remotes/registry/referrers.ts'
import { type PushOptions, push } from '../../src/runtime/push.ts'
import {
  attestation,
  config,
  emptyConfig,
  flat,
  image,
  index,
  layer,
  manifest,
  manifestWith,
  type Node,
  withExtra,
} from '../support/image.ts'
import { publish } from '../support/publish.ts'
import { putImage, putNode } from '../support/put-image.ts'
import { startRegistry } from '../support/registry.ts'
import { quickResolver } from '../support/resolver.ts'
import { openRuntime } from '../support/store.ts'
import { answers, refusal, startUploadRegistry } from '../support/upload-registry.ts'
import { wanted } from '../support/wanted.ts'

const setUp = async (t: ExecutionContext, node?: Node, ...lost: readonly Node[]) => {
  const [registry, runtime] = await Promise.all([startUploadRegistry(t), openRuntime(t)])
  const scope = runtime.scope('default')
  const { resolver } = quickResolver(t)
  const name = `${registry.host}/app:1`
  if (node) await putImage(scope, name, node)
  for (const { desc } of lost) await scope.content.delete(desc.digest)
  const at = (path: string): Buffer | undefined => registry.contents.get(`/v2/app/${path}`)
  const has = (...nodes: readonly Node[]): boolean =>
    flat(...nodes).every(({ desc, bytes, below }) => {
      const kind = below.length > 0 ? 'manifests' : 'blobs'
      return at(`${kind}/${desc.digest}`)?.equals(bytes) ?? false
    })
  return {
    registry,
    scope,
    resolver,
    name,
    at,
    has,
    push: (options: PushOptions = {}, reference = name) => push({ resolver, scope }, reference, options),
  }
}

const amd64 = image('linux/amd64')
const arm64 = image('linux/arm64')
const both = index(amd64, arm64)

test('push() sends an image under its name, and its tag last', async t => {
  const { registry, name, push, has, at } = await setUp(t, both)
  const { target, reference, skipped, totals } = await push()
  t.deepEqual(target.digest, both.desc.digest)
  t.is(reference, name)
  t.deepEqual(skipped, [])
  t.true(has(both))
  t.deepEqual(at('manifests/1'), both.bytes)
  t.is(registry.requests.at(-1)?.path, '/v2/app/manifests/1')
  t.is(totals.fetched, sum(unique(both)))
})

const unique = (...nodes: readonly Node[]): readonly Node[] => [
  ...new Map(flat(...nodes).map(node => [node.desc.digest, node])).values(),
]
const sum = (nodes: readonly Node[]): number => nodes.reduce((all, { desc }) => all + desc.size, 0)

test('push() a second time only asks, and another tag is one request more', async t => {
  const { registry, push } = await setUp(t, both)
  await push()
  let before = registry.requests.length
  const { totals } = await push()
  t.true(registry.requests.slice(before).every(({ method }) => method === 'HEAD'))
  t.is(totals.fetched, 0)
  t.is(totals.reused, sum(unique(both)))
  before = registry.requests.length
  await push({ image: `${registry.host}/app:1` }, `${registry.host}/app:2`)
  const writes = registry.requests.slice(before).filter(({ method }) => method !== 'HEAD')
  t.deepEqual(
    writes.map(({ method, path }) => `${method} ${path}`),
    ['PUT /v2/app/manifests/2'],
  )
})

test('push() sends nothing twice to another repository of the same registry', async t => {
  const { registry, push } = await setUp(t, both)
  await push()
  const before = registry.requests.length
  const events: ProgressEvent[] = []
  const options = {
    image: `${registry.host}/app:1`,
    onProgress: (event: ProgressEvent) => events.push(event),
  }
  await push(options, `${registry.host}/team/other:1`)
  const sent = registry.requests.slice(before)
  t.false(sent.some(({ method, path }) => /PUT|PATCH/.test(method) && path.includes('/blobs/')))
  t.true(events.some(event => event.type === 'exists' && event.from === 'app'))
})

test('push() notes in labels what the registry has', async t => {
  const { registry, scope, push } = await setUp(t, both)
  await push()
  const key = `${labelKeys.distributionSource}127.0.0.1`
  for (const { desc } of unique(both)) {
    const { labels } = await scope.content.info(desc.digest)
    t.is(labels[key], 'app')
  }
  await push({ image: `${registry.host}/app:1` }, `${registry.host}/b:1`)
  t.is((await scope.content.info(both.desc.digest)).labels[key], 'app,b')
})

test('push() tells how each blob goes up', async t => {
  const events: ProgressEvent[] = []
  const { push } = await setUp(t, amd64)
  await push({ onProgress: event => events.push(event) })
  const blobs = events.filter((event): event is BlobEvent => 'ref' in event)
  t.deepEqual([...new Set(blobs.map(({ type }) => type))].sort(), ['complete', 'uploading', 'waiting'])
})

test('push() of one platform sends its manifest alone, as ctr does', async t => {
  const { at, has, push } = await setUp(t, both)
  const { target } = await push({ platforms: wanted('linux/arm64') })
  t.is(target.digest, arm64.desc.digest)
  t.deepEqual(at('manifests/1'), arm64.bytes)
  t.true(has(arm64))
  t.false(has(amd64))
})

test('push() of some platforms sends an index of theirs', async t => {
  const third = image('linux/s390x')
  const all = index(amd64, attestation(amd64), arm64, third, attestation(third))
  const { at, has, push } = await setUp(t, all)
  const { target } = await push({ platforms: wanted('linux/amd64', 'linux/s390x') })
  t.deepEqual(
    manifestsIn(at('manifests/1')),
    [amd64, third].map(({ desc }) => desc.digest),
  )
  t.not(target.digest, all.desc.digest)
  t.true(has(amd64, third))
  t.false(has(arm64))
})

const manifestsIn = (bytes: Buffer | undefined): readonly string[] =>
  (JSON.parse(String(bytes)) as { manifests: readonly Descriptor[] }).manifests.map(({ digest }) => digest)

test('push() of a platform that the image has not says which it has', async t => {
  const { registry, push } = await setUp(t, both)
  await t.throwsAsync(push({ platforms: wanted('linux/s390x') }), {
    code: 'NOT_FOUND',
    message: /linux\/s390x.*linux\/amd64, linux\/arm64/,
  })
  t.is(registry.requests.length, 0)
})

test('push() of a platform that is not here says so, and the way out', async t => {
  const { name, push } = await setUp(t, both, arm64)
  const error = await t.throwsAsync(push({ platforms: wanted('linux/arm64') }), { code: 'NOT_FOUND' })
  t.true(error?.message.includes(`linux/arm64 manifest ${arm64.desc.digest}; pull all of it`), error?.message)
  t.true(error?.message.startsWith(`image ${name}`))
})

test('push() of an image that is not all here sends nothing, and names what is missing and the way out', async t => {
  const [, gone] = arm64.below
  const { registry, name, push } = await setUp(t, both, ...(gone ? [gone] : []))
  const error = await t.throwsAsync(push(), { code: 'NOT_FOUND' })
  const message = error?.message ?? ''
  t.true(message.includes(name))
  t.true(
    message.includes(
      `index ${both.desc.digest} → linux/arm64 manifest ${arm64.desc.digest} → layer ${gone?.desc.digest}`,
    ),
  )
  t.regex(message, /--all-platforms.*--missing fetch.*--platform.*--missing skip/)
  t.true(registry.requests.every(({ method }) => method === 'HEAD'))
})

test('push() of an image that is not all here works when the registry has the rest', async t => {
  const [, gone] = arm64.below
  const lost = [arm64, ...(gone ? [gone] : [])]
  const { registry, has, at, push } = await setUp(t, both, ...lost)
  for (const { desc, bytes, below } of [arm64, ...arm64.below])
    registry.contents.set(
      `/v2/app/${below.length > 0 ? 'manifests' : 'blobs'}/${desc.digest}`,
      Buffer.from(bytes),
    )
  await push()
  t.true(has(both))
  t.deepEqual(at('manifests/1'), both.bytes)
})

test('push() of an image that is not all here works when the rest can be mounted', async t => {
  const [, gone] = arm64.below
  const { registry, scope, has, push } = await setUp(t, both, ...(gone ? [gone] : []))
  registry.contents.set(`/v2/library/app/blobs/${gone?.desc.digest}`, Buffer.from(gone?.bytes ?? ''))
  const labels = { [`${labelKeys.distributionSource}127.0.0.1`]: 'library/app' }
  await scope.content.update(both.desc.digest, { labels })
  await push()
  t.true(has(both))
})

test('push() may leave out the platforms that are not all here, attestations of theirs too', async t => {
  const all = index(amd64, attestation(amd64), arm64, attestation(arm64))
  const [, gone] = arm64.below
  const { at, has, push } = await setUp(t, all, ...(gone ? [gone] : []))
  const { target, skipped } = await push({ onMissing: 'skip' })
  t.deepEqual(
    skipped.map(({ manifest: { digest } }) => digest),
    [arm64.desc.digest],
  )
  t.deepEqual(
    manifestsIn(at('manifests/1')),
    [amd64, attestation(amd64)].map(({ desc }) => desc.digest),
  )
  t.deepEqual(at(`manifests/${target.digest}`), at('manifests/1'))
  t.true(has(amd64, attestation(amd64)))
  t.false(has(attestation(arm64)))
})

test('push() leaves out entries of nested indexes, and what is left empty', async t => {
  const inner = index(arm64)
  const mixed = index(amd64, arm64)
  const all = withExtra(index(inner, mixed), {})
  const [, gone] = arm64.below
  const { at, push } = await setUp(t, all, ...(gone ? [gone] : []))
  await push({ onMissing: 'skip' })
  const [only, ...others] = manifestsIn(at('manifests/1'))
  t.deepEqual(others, [])
  t.deepEqual(manifestsIn(at(`manifests/${only}`)), [amd64.desc.digest])
})

test('push() of a manifest that is not all here has nothing to leave out', async t => {
  const [, gone] = amd64.below
  const { push } = await setUp(t, amd64, ...(gone ? [gone] : []))
  for (const onMissing of ['error', 'skip'] as const)
    await t.throwsAsync(push({ onMissing }), {
      code: 'NOT_FOUND',
      message: new RegExp(String(gone?.desc.digest)),
    })
})

test('push() may fetch what is missing from where the image came from', async t => {
  const origin = await startRegistry(t)
  const { scope, resolver, has, at, registry } = await setUp(t)
  const name = publish(origin, 'lib/app', '1', both)
  await putImage(scope, name, both)
  for (const { desc } of flat(arm64)) await scope.content.delete(desc.digest).catch(() => {})
  await push({ resolver, scope }, `${registry.host}/app:1`, { image: name, onMissing: 'fetch' })
  t.true(has(both))
  t.deepEqual(at('manifests/1'), both.bytes)
  await t.throwsAsync(scope.content.info(arm64.desc.digest), { code: 'NOT_FOUND' }, 'it is not stored here')
})

test('push() leaves out foreign layers, unless it shall send them', async t => {
  const foreign = withExtra(layer('windows', mediaTypes.ociNondistributableLayerGzip), {
    urls: ['https://example.com/layer'],
  })
  const node = manifest(config(), foreign, layer('own'))
  const { has, push } = await setUp(t, node)
  await push()
  t.false(has(foreign))
  await push({ nonDistributable: true })
  t.true(has(node))
})

test('push() does not miss a foreign layer that is not here', async t => {
  const foreign = withExtra(layer('windows', mediaTypes.ociNondistributableLayerGzip), {
    urls: ['https://example.com/layer'],
  })
  const { at, push } = await setUp(t, manifest(config(), foreign), foreign)
  await push()
  t.truthy(at('manifests/1'))
})

test('push() takes along what refers to an image, when it shall', async t => {
  const { scope, name, has, at, push, registry } = await setUp(t, amd64)
  const signature = manifestWith(
    { subject: { ...amd64.desc }, artifactType: 'application/vnd.sig' },
    emptyConfig(),
    layer('sig'),
  )
  await putNode(scope, signature)
  const key = `${labelKeys.gcRefContent}.referrer.sha256.${signature.desc.digest.slice(7, 19)}`
  await scope.content.update(amd64.desc.digest, { labels: { [key]: signature.desc.digest } })
  await push()
  t.false(has(signature))
  await push({ referrers: true })
  t.true(has(signature))
  const tag = `manifests/${referrersTag(amd64.desc.digest)}`
  t.deepEqual(manifestsIn(at(tag)), [signature.desc.digest])
  // As when a push dies before the list was written.
  registry.contents.delete(`/v2/app/${tag}`)
  await push({ referrers: true, image: name })
  t.deepEqual(manifestsIn(at(tag)), [signature.desc.digest])
})

test('push() of a descriptor needs no image', async t => {
  const { scope, at, push } = await setUp(t)
  await putNode(scope, arm64)
  await push({ image: arm64.desc })
  t.deepEqual(at('manifests/1'), arm64.bytes)
})

test('push() to a digest wants it to be that of the image', async t => {
  const { registry, name, has, at, push } = await setUp(t, amd64)
  await push({ image: name }, `${registry.host}/app@${amd64.desc.digest}`)
  t.true(has(amd64))
  t.is(at('manifests/1'), undefined)
  const other = parseDigest(`sha256:${'0'.repeat(64)}`)
  await t.throwsAsync(push({ image: name }, `${registry.host}/app@${other}`), { code: 'INVALID_ARGUMENT' })
})

test('push() of an image that is not here says so', async t => {
  const { registry, push } = await setUp(t)
  await t.throwsAsync(push(), { code: 'NOT_FOUND', message: /app:1/ })
  t.is(registry.requests.length, 0)
})

test('push() of corrupt bytes fails, and puts no manifest there', async t => {
  const { registry, scope, resolver, name } = await setUp(t, amd64)
  const [, first] = amd64.below
  const read: ContentStore['read'] = (target, options) =>
    target.digest === first?.desc.digest ? garbage(target.size) : scope.content.read(target, options)
  const content = new Proxy(scope.content, {
    get: (store, key) => {
      const value = Reflect.get(store, key)
      if (key === 'read') return read
      return typeof value === 'function' ? value.bind(store) : value
    },
  })
  await t.throwsAsync(push({ resolver, scope: { ...scope, content } }, name), {
    code: 'DATA_LOSS',
    message: new RegExp(String(first?.desc.digest)),
  })
  t.is(registry.seen(/^PUT .*manifests/).length, 0)
})

async function* garbage(size: number): AsyncGenerator<Uint8Array> {
  yield Buffer.alloc(size, 1)
}

test('push() that the registry refuses says why, where, and leaves no tag', async t => {
  const { registry, at, push } = await setUp(t, both)
  registry.always(/^POST/, answers(refusal(403, 'DENIED')))
  await t.throwsAsync(push(), { code: 'PERMISSION_DENIED', message: /index sha256.*denied \(DENIED\)/ })
  t.is(at('manifests/1'), undefined)
})

test('push() that is aborted stops at once', async t => {
  const { registry, push } = await setUp(t, both)
  const stop = new AbortController()
  registry.next(/^POST/, () => stop.abort(new Error('enough')))
  await t.throwsAsync(push({ signal: stop.signal }), { message: 'enough' })
})

test('two pushes at once send each blob once', async t => {
  const { registry, push, has } = await setUp(t, both)
  await Promise.all([push(), push({ image: `${registry.host}/app:1` }, `${registry.host}/app:2`)])
  t.true(has(both))
  const blobs = new Set(unique(both).filter(({ below }) => below.length === 0)).size
  t.is(registry.seen(/^PUT .*blobs/).length, blobs)
})
