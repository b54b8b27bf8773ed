import fs from 'node:fs/promises'
import test, { type ExecutionContext } from 'ava'
import { readBlob } from '../../src/content/blob.ts'
import { completeness } from '../../src/images/completeness.ts'
import { labelKeys } from '../../src/oci/annotations.ts'
import type { ProgressEvent } from '../../src/remotes/progress.ts'
import type { RegistryResolverOptions } from '../../src/remotes/registry/resolver.ts'
import { type PullOptions, pull } from '../../src/runtime/pull.ts'
import type { Scope } from '../../src/runtime/runtime.ts'
import { randomBytes } from '../support/bytes.ts'
import {
  attestation,
  blob,
  collect,
  config,
  emptyConfig,
  flat,
  image,
  index,
  layer,
  manifest,
  manifestWith,
  type Node,
  on,
} from '../support/image.ts'
import { publish } from '../support/publish.ts'
import { startRegistry, type TestRegistry } from '../support/registry.ts'
import { dropAfter, stallAfter, status } from '../support/registry-faults.ts'
import { quickResolver } from '../support/resolver.ts'
import { blobFile, openRuntime } from '../support/store.ts'
import { storedDigests, storedIngests } from '../support/store-files.ts'
import { wanted } from '../support/wanted.ts'

const setUp = async (t: ExecutionContext, options: RegistryResolverOptions = {}) => {
  const [registry, runtime] = await Promise.all([startRegistry(t), openRuntime(t)])
  const { resolver } = quickResolver(t, options)
  const scope = runtime.scope('default')
  return {
    registry,
    runtime,
    resolver,
    scope,
    pull: (reference: string, options: PullOptions = {}, into: Scope = scope) =>
      pull({ resolver, scope: into }, reference, options),
  }
}

const digestsOf = (...nodes: readonly Node[]): readonly string[] =>
  [...new Set(flat(...nodes).map(({ desc }) => desc.digest))].toSorted()

const here = async ({ content }: Scope): Promise<readonly string[]> =>
  (await collect(content.list())).map(({ digest }) => digest)

const bodies = (registry: TestRegistry): number => registry.seen(/^GET .*\/(?:blobs|manifests)\//).length

const arm = image('linux/arm64', 'arm 1', 'both')
const amd = image('linux/amd64', 'amd 1', 'both')
const both = index(arm, amd, attestation(amd))

test('pull() copies one platform, and its index', async t => {
  const { registry, pull, scope } = await setUp(t)
  const reference = publish(registry, 'app', '1', both)
  const { image, totals, replaced } = await pull(reference, { platforms: wanted('linux/arm64') })
  t.is(image.name, reference)
  t.is(image.target.digest, both.desc.digest)
  t.is(replaced, undefined)
  t.deepEqual(await here(scope), [both.desc.digest, ...digestsOf(arm)].toSorted())
  t.like(totals, { blobs: 5, done: 5, fetched: totals.total, reused: 0 })
  for (const node of flat(arm)) t.deepEqual(Buffer.from(await readBlob(scope.content, node.desc)), node.bytes)
})

test('pull() copies several platforms, and all when none is named', async t => {
  const { registry, pull, runtime } = await setUp(t)
  const other = image('linux/s390x')
  const root = index(arm, amd, other)
  const reference = publish(registry, 'app', '1', root)
  const [several, all] = [runtime.scope('several'), runtime.scope('all')]
  await pull(reference, { platforms: wanted('linux/arm64', 'linux/amd64') }, several)
  t.deepEqual(await here(several), [...new Set([root.desc.digest, ...digestsOf(arm, amd)])].toSorted())
  await pull(reference, {}, all)
  t.deepEqual(await here(all), digestsOf(root))
  t.is((await completeness(all.disk, root.desc)).state, 'complete')
})

test('pull() takes an attestation only when all is asked for', async t => {
  const { registry, pull, scope } = await setUp(t)
  const reference = publish(registry, 'app', '1', both)
  await pull(reference, { platforms: wanted('linux/amd64') })
  t.deepEqual(await here(scope), [both.desc.digest, ...digestsOf(amd)].toSorted())
  await pull(reference)
  t.deepEqual(await here(scope), digestsOf(both))
})

test('pull() with metadataOnly leaves the layers, and a later pull adds only them', async t => {
  const { registry, pull, scope } = await setUp(t)
  const reference = publish(registry, 'app', '1', both)
  await pull(reference, { platforms: wanted('linux/arm64'), metadataOnly: true })
  const [armConfig] = arm.below
  t.deepEqual(
    await here(scope),
    [both.desc.digest, arm.desc.digest, armConfig?.desc.digest].toSorted() as string[],
  )
  registry.requests.length = 0
  await pull(reference, { platforms: wanted('linux/arm64') })
  t.is(bodies(registry), 2)
  t.is(registry.seen(/manifests.*sha256/).length, 0)
})

test('pull() names all children in GC labels, those of other platforms too', async t => {
  const { registry, pull, scope } = await setUp(t)
  await pull(publish(registry, 'app', '1', both), { platforms: wanted('linux/arm64') })
  const labels = Object.entries((await scope.content.info(both.desc.digest)).labels)
  const edges = labels.filter(([key]) => key.startsWith('containerd.io/gc.ref.content'))
  t.deepEqual(
    edges.map(([, digest]) => digest).toSorted(),
    both.below.map(({ desc }) => desc.digest as string).toSorted(),
  )
  const own = (await scope.content.info(arm.desc.digest)).labels
  const [armConfig, ...layers] = arm.below
  t.is(own['containerd.io/gc.ref.content.config'], armConfig?.desc.digest)
  t.is(own['containerd.io/gc.ref.content.l.0'], layers[0]?.desc.digest)
  t.is(own['containerd.io/gc.ref.content.l.1'], layers[1]?.desc.digest)
})

test('pull() remembers every repository that a blob came from', async t => {
  const { registry, pull, scope } = await setUp(t)
  await pull(publish(registry, 'b/two', '1', arm))
  await pull(publish(registry, 'a/one', '1', arm))
  const key = `${labelKeys.distributionSource}127.0.0.1`
  for (const { labels } of await collect(scope.content.list())) t.is(labels[key], 'a/one,b/two')
})

test('pull() keeps and merges the labels of the image', async t => {
  const { registry, pull, scope } = await setUp(t)
  const reference = publish(registry, 'app', '1', arm)
  await pull(reference, { labels: { a: '1', b: '1' } })
  const { image } = await pull(reference, { labels: { b: '2', c: '2' } })
  t.deepEqual(image.labels, { a: '1', b: '2', c: '2' })
  await pull(reference)
  t.deepEqual((await scope.images.get(reference)).labels, { a: '1', b: '2', c: '2' })
})

test('pull() calls the image what it is told to', async t => {
  const { registry, pull, scope } = await setUp(t)
  const { image } = await pull(publish(registry, 'app', '1', arm), { name: 'mine' })
  t.is(image.name, 'mine')
  t.deepEqual(
    (await collect(scope.images.list())).map(({ name }) => name),
    ['mine'],
  )
})

test('pull() leaves no lease behind, nor an ingest', async t => {
  const { registry, pull, scope } = await setUp(t)
  await pull(publish(registry, 'app', '1', both))
  t.deepEqual(await collect(scope.leases.list()), [])
  t.deepEqual(await collect(scope.content.statuses()), [])
})

test('pull() that fails leaves neither lease nor image, and keeps what came', async t => {
  const { registry, pull, scope } = await setUp(t)
  const reference = publish(registry, 'app', '1', arm)
  const [, , last] = arm.below
  registry.always(new RegExp(`GET .*${last?.desc.digest}`), status(403))
  await t.throwsAsync(pull(reference, { concurrency: 1 }), { code: 'PERMISSION_DENIED' })
  t.deepEqual(await collect(scope.leases.list()), [])
  t.deepEqual(await collect(scope.images.list()), [])
  t.false((await here(scope)).includes(arm.desc.digest))
  t.true((await here(scope)).length > 0)
})

test('pull() of what is here fetches nothing, not even a manifest', async t => {
  const { registry, pull } = await setUp(t)
  const reference = publish(registry, 'app', '1', both)
  await pull(reference)
  registry.requests.length = 0
  const { totals, replaced } = await pull(reference)
  t.is(bodies(registry), 0)
  t.is(totals.fetched, 0)
  t.is(totals.reused, totals.total)
  t.is(replaced, undefined)
})

test('pull() of a second platform fetches only what it adds', async t => {
  const { registry, pull } = await setUp(t)
  const reference = publish(registry, 'app', '1', both)
  await pull(reference, { platforms: wanted('linux/arm64') })
  registry.requests.length = 0
  await pull(reference, { platforms: wanted('linux/amd64') })
  // Manifest, config and a layer; the other layer and the index are here.
  t.is(bodies(registry), 3)
})

test('pull() of a tag that moved says what it pointed at', async t => {
  const { registry, pull, scope } = await setUp(t)
  const reference = publish(registry, 'app', '1', arm)
  await pull(reference, { labels: { kept: 'yes' } })
  publish(registry, 'app', '1', amd)
  const { image, replaced } = await pull(reference)
  t.is(replaced?.digest, arm.desc.digest)
  t.is(image.target.digest, amd.desc.digest)
  t.deepEqual((await scope.images.get(reference)).labels, { kept: 'yes' })
})

test('pull() takes a manifest without index whatever its platform', async t => {
  const { registry, pull, scope } = await setUp(t)
  const only = manifest(config({ platform: 'linux/s390x' }), layer('z'))
  await pull(publish(registry, 'app', '1', only), { platforms: wanted('linux/amd64') })
  t.deepEqual(await here(scope), digestsOf(only))
})

test('pull() takes an artifact with its blobs', async t => {
  const { registry, pull, scope } = await setUp(t)
  const artifact = manifestWith(
    { artifactType: 'application/vnd.example.sbom' },
    emptyConfig(),
    blob('application/json', '{"sbom":true}'),
    blob('application/octet-stream', ''),
  )
  await pull(publish(registry, 'app', 'sbom', artifact), { platforms: wanted('linux/amd64') })
  t.deepEqual(await here(scope), digestsOf(artifact))
})

test('pull() of a platform that is not offered lists those that are, and names nothing', async t => {
  const { registry, pull, scope } = await setUp(t)
  const reference = publish(registry, 'app', '1', both)
  await t.throwsAsync(pull(reference, { platforms: wanted('windows/amd64') }), {
    code: 'NOT_FOUND',
    message: /no manifest for platform windows\/amd64; it offers linux\/amd64, linux\/arm64/,
  })
  t.deepEqual(await collect(scope.images.list()), [])
  t.deepEqual(await collect(scope.leases.list()), [])
})

test('pull() twice at once shares the work: each blob crosses the network once', async t => {
  const { registry, pull, scope } = await setUp(t)
  const root = manifest(config(), ...[1, 2, 3, 4].map(seed => layer(randomBytes(seed, 300_000))))
  const reference = publish(registry, 'app', '1', root)
  const [one, two] = await Promise.all([pull(reference), pull(reference)])
  t.is(one.image.target.digest, two.image.target.digest)
  t.is(registry.seen(/^GET .*\/blobs\//).length, 5)
  t.is(one.totals.fetched + two.totals.fetched, one.totals.total)
  t.deepEqual(await here(scope), digestsOf(root))
})

test('pull() into a second namespace shares the bytes and fetches none', async t => {
  const { registry, pull, runtime } = await setUp(t)
  const reference = publish(registry, 'app', '1', arm)
  await pull(reference)
  const before = await storedDigests(runtime.root)
  registry.requests.length = 0
  const other = runtime.scope('other')
  await pull(reference, {}, other)
  t.is(registry.seen(/^GET .*\/blobs\//).length, 0)
  t.deepEqual(await storedDigests(runtime.root), before)
  t.deepEqual(await here(other), digestsOf(arm))
})

test('pull() fetches a blob anew whose file was deleted under its record', async t => {
  const { registry, pull, runtime, scope } = await setUp(t)
  const reference = publish(registry, 'app', '1', arm)
  await pull(reference)
  const [, first] = arm.below
  if (first === undefined) return t.fail()
  await fs.rm(blobFile(runtime.root, first.desc.digest))
  const { totals } = await pull(reference)
  t.is(totals.fetched, first.desc.size)
  t.deepEqual(Buffer.from(await readBlob(scope.content, first.desc)), first.bytes)
})

const large = manifest(config(), layer(randomBytes(7, 2_000_000)))

test('pull() that is aborted keeps the ingest, and the next goes on by Range', async t => {
  const { registry, pull, runtime } = await setUp(t)
  const reference = publish(registry, 'app', '1', large)
  registry.always(new RegExp(`GET .*${large.below[1]?.desc.digest}`), stallAfter(1_200_000))
  const stop = new AbortController()
  const reason = new Error('enough')
  const onProgress = (event: ProgressEvent): void => {
    if (event.type === 'downloading' && event.offset >= 1_000_000) stop.abort(reason)
  }
  t.is(await t.throwsAsync(pull(reference, { signal: stop.signal, onProgress })), reason)
  const [ingest] = (await storedIngests(runtime.root)).filter(({ size }) => size > 1000)
  t.true(ingest !== undefined && ingest.size >= 1_000_000 && ingest.size <= 1_200_000)
  t.deepEqual(await collect(runtime.scope('default').leases.list()), [])
  registry.heal()
  registry.requests.length = 0
  const { totals } = await pull(reference)
  const [rest] = registry.seen(new RegExp(`GET .*${large.below[1]?.desc.digest}`))
  t.is(rest?.headers.range, `bytes=${ingest?.size}-`)
  t.true(totals.reused >= 1_000_000)
  t.deepEqual(await storedDigests(runtime.root), digestsOf(large))
})

test('pull() goes on by Range when the connection drops, with no abort at all', async t => {
  const { registry, pull, runtime } = await setUp(t)
  const reference = publish(registry, 'app', '1', large)
  registry.next(new RegExp(`GET .*${large.below[1]?.desc.digest}`), dropAfter(700_000))
  await pull(reference)
  const [, again] = registry.seen(new RegExp(`GET .*${large.below[1]?.desc.digest}`))
  t.regex(again?.headers.range ?? '', /^bytes=\d{4,}-/)
  t.deepEqual(await storedDigests(runtime.root), digestsOf(large))
})

test('pull() that was aborted before it began asks for nothing', async t => {
  const { registry, pull } = await setUp(t)
  const reference = publish(registry, 'app', '1', arm)
  const reason = new Error('no')
  t.is(await t.throwsAsync(pull(reference, { signal: AbortSignal.abort(reason) })), reason)
  t.is(registry.requests.length, 0)
})

test('pull() finds a platform in a nested index, and in an entry that does not say its own', async t => {
  const { registry, pull, runtime } = await setUp(t)
  const unmarked = manifest(config({ platform: 'linux/riscv64' }), layer('r'))
  const inner = index(arm)
  const root = index(inner, amd, unmarked)
  const reference = publish(registry, 'app', '1', root)
  const [nested, plain] = [runtime.scope('nested'), runtime.scope('plain')]
  await pull(reference, { platforms: wanted('linux/arm64') }, nested)
  t.true((await here(nested)).includes(arm.desc.digest))
  t.true((await here(nested)).includes(inner.desc.digest))
  t.false((await here(nested)).includes(amd.desc.digest))
  await pull(reference, { platforms: wanted('linux/riscv64') }, plain)
  t.true((await here(plain)).includes(unmarked.desc.digest))
  t.false((await here(plain)).includes(arm.desc.digest))
})

test('pull() gives each platform its one best manifest', async t => {
  const { registry, pull, scope } = await setUp(t)
  const [v6, v7] = [image('linux/arm/v6'), image('linux/arm/v7')]
  await pull(publish(registry, 'app', '1', index(v6, v7)), { platforms: wanted('linux/arm/v7') })
  t.true((await here(scope)).includes(v7.desc.digest))
  t.false((await here(scope)).includes(v6.desc.digest))
})

test('pull() tells of each blob once that it is complete', async t => {
  const { registry, pull } = await setUp(t)
  const done: string[] = []
  await pull(publish(registry, 'app', '1', both), {
    onProgress: event => {
      if (event.type === 'complete') done.push(event.target.digest)
    },
  })
  t.deepEqual(done.toSorted(), digestsOf(both))
})

test('pull() refuses an index that contains itself by another media type, and keeps the store as it was', async t => {
  const { registry, pull, scope } = await setUp(t)
  const both = manifestWith({}, config(), layer('x'))
  const confused = { ...JSON.parse(Buffer.from(both.bytes).toString()), manifests: [] }
  registry.put('app', '1', confused)
  await t.throwsAsync(pull(`${registry.host}/app:1`), { code: 'INVALID_ARGUMENT' })
  t.deepEqual(await collect(scope.images.list()), [])
  t.deepEqual(await collect(scope.content.list()), [])
})

test('pull() of a platform entry marked wrongly believes the index, as containerd does', async t => {
  const { registry, pull, scope } = await setUp(t)
  const lying = on('linux/arm64', manifest(config({ platform: 'linux/amd64' }), layer('lie')))
  await pull(publish(registry, 'app', '1', index(lying)), { platforms: wanted('linux/arm64') })
  t.true((await here(scope)).includes(lying.desc.digest))
})
