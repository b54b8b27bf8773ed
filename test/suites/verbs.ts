import fs from 'node:fs/promises'
import type { ExecutionContext, TestFn } from 'ava'
import { contentNode, imageNode } from '../../src/metadata/collectible.ts'
import { digestOf } from '../../src/oci/digest.ts'
import type { AbortOptions } from '../../src/options.ts'
import { RegistryError } from '../../src/remotes/registry/error.ts'
import type { Scope } from '../../src/runtime/runtime.ts'
import type { Verbs } from '../../src/runtime/verbs.ts'
import { commitBytes } from '../support/commit.ts'
import { type DamagedStore, damagedStore, short } from '../support/damaged-store.ts'

/** The verbs on a store, by whatever way, and its namespace `default`. */
export interface OpenVerbs {
  readonly verbs: Verbs
  readonly scope: Scope
  /** Those of the process that has the store open. */
  readonly local: Verbs
}

type Open = (t: ExecutionContext, root: string) => Promise<OpenVerbs>

/** What a registry says that has had enough; the disk is not full. */
const enough = new RegistryError('RESOURCE_EXHAUSTED', 'too many requests', {
  method: 'GET',
  url: new URL('https://lender.example/'),
})

const garbage = Buffer.from('garbage')

/** What the verbs of every store must do, in this process or behind a socket. */
export function verbSuite(test: TestFn, name: string, open: Open): void {
  const openStore = async (t: ExecutionContext, damage?: (store: DamagedStore) => Promise<void>) => {
    const store = await damagedStore(t)
    await damage?.(store)
    return { ...store, ...(await open(t, store.root)) }
  }

  test(`${name}: collect() removes what nothing keeps, and tells of each thing`, async t => {
    const { verbs, scope } = await openStore(t)
    const digest = await commitBytes(scope.content, garbage)
    const removed: unknown[] = []
    const done = await verbs.collect({ onRemoved: item => removed.push({ ...item }) })
    t.like(done, { records: { content: 1 }, blobs: 1, ingests: 0, bytes: 7 })
    t.true(done.scanned >= 7 && done.pauses.count > 0 && done.durations.mark >= 0)
    t.deepEqual(removed, [
      { kind: 'content', namespace: 'default', key: digest, frees: 0 },
      { kind: 'content', key: digest, frees: 7 },
    ])
    await t.throwsAsync(scope.content.info(digest), { code: 'NOT_FOUND' })
    t.like(await verbs.collect(), { records: {}, blobs: 0 })
  })

  test(`${name}: plan() and why() are those of the store`, async t => {
    const { verbs, scope, local, name: image, manifest } = await openStore(t)
    const digest = await commitBytes(scope.content, garbage)
    const plan = await verbs.plan()
    t.deepEqual(plan, await local.plan())
    t.deepEqual(JSON.stringify(plan), JSON.stringify(await local.plan()))
    t.is(plan.bytes, 7)
    t.true(plan.items[0]?.createdAt instanceof Date)
    for (const node of [
      contentNode('default', digest),
      contentNode('default', manifest),
      imageNode('default', image),
    ]) {
      t.deepEqual(await verbs.why(node, { limit: 1 }), await local.why(node, { limit: 1 }))
    }
    await t.throwsAsync(verbs.why(contentNode('default', digestOf('no'))), {
      code: 'NOT_FOUND',
      message: /: there is none in namespace default$/,
    })
  })

  test(`${name}: measure() and measureSet() are those of the store`, async t => {
    const { verbs, local, name: image } = await openStore(t)
    const usage = await verbs.measure('default')
    t.deepEqual(usage, await local.measure('default'))
    t.is(usage.images[0]?.name, image)
    t.deepEqual(await verbs.measureSet('default', [image]), await local.measureSet('default', [image]))
    t.deepEqual((await verbs.measure('other')).images, [])
  })

  test(`${name}: prune() plans, and does what it has planned`, async t => {
    const { verbs, scope, local, name: image } = await openStore(t)
    const platform = { os: 'linux', architecture: 'arm64', osVersion: '1' }
    const { target } = await scope.images.get(image)
    await scope.images.create({ name: 'second', target: { ...target, platform }, labels: { k: 'v' } })
    const filters = ['name==second']
    const planned = await verbs.prune('default', { filters }, { dryRun: true })
    t.deepEqual(planned, await local.prune('default', { filters }, { dryRun: true }))
    t.deepEqual([planned.deleted, planned.collection], [[], undefined])
    const names: string[] = []
    const pruned = await verbs.prune('default', { filters }, { onDeleted: one => names.push(one.name) })
    t.deepEqual(names, ['second'])
    t.deepEqual(pruned.deleted, planned.plan.deletions)
    t.deepEqual(pruned.deleted[0]?.target.platform, platform)
    t.is(pruned.collection?.bytes, 0)
    await t.throwsAsync(scope.images.get('second'), { code: 'NOT_FOUND' })
    const { plan } = await verbs.prune(
      'default',
      { all: true, minFree: { part: 0.5 }, keepLast: 1 },
      { dryRun: true },
    )
    t.deepEqual(plan.deletions, [])
  })

  test(`${name}: prune() refuses no rule, rules out of range and filters that are none`, async t => {
    const { verbs } = await openStore(t)
    for (const rules of [{}, { keepLast: 0 }, { filters: ['==='] }]) {
      await t.throwsAsync(verbs.prune('default', rules), { code: 'INVALID_ARGUMENT' })
    }
    await t.throwsAsync(verbs.prune('b@d', { all: true }), { code: 'INVALID_ARGUMENT' })
  })

  test(`${name}: a result of many megabytes comes whole`, async t => {
    const { verbs, scope, local } = await openStore(t)
    const { target } = await scope.images.get((await local.measure('default')).images[0]?.name ?? '')
    for (let at = 0; at < 300; at++) {
      await scope.images.create({ name: `image-${at}`, target, labels: { long: `${'€'.repeat(1200)}${at}` } })
    }
    const planned = await verbs.prune('default', { all: true }, { dryRun: true })
    t.is(planned.plan.deletions.length, 301)
    t.deepEqual(planned, await local.prune('default', { all: true }, { dryRun: true }))
  })

  test(`${name}: check() finds damage, repair() fetches good bytes with the caller's resolver`, async t => {
    const { verbs, resolver, layers, config, registry } = await openStore(t, async store => {
      const [one = store.config] = store.layers
      await store.flip(one)
      await fs.rm(store.file(store.config))
    })
    const { findings } = await verbs.check()
    t.deepEqual(short(findings).toSorted(), [
      `missing content ${config}`,
      `wrong-digest content ${layers[0]}`,
    ])
    t.deepEqual(short((await verbs.check({ quick: true })).findings), [`missing content ${config}`])
    const unaided = await verbs.repair()
    t.deepEqual(unaided.findings, findings)
    t.deepEqual(
      unaided.repaired.map(({ outcome }) => outcome),
      ['failed', 'failed'],
    )
    const { repaired, quarantine } = await verbs.repair({ resolver })
    const from = `fetched from ${registry.host}/app`
    t.deepEqual(
      repaired.map(({ outcome, detail }) => `${outcome} ${detail.split(';')[0]}`),
      Array(2).fill(`repaired ${from}`),
    )
    t.true(quarantine !== undefined)
    t.deepEqual((await verbs.check()).findings, [])
  })

  test(`${name}: repair() tells why a registry gives nothing, and asks the one that is named`, async t => {
    const damage = (store: DamagedStore) => fs.rm(store.file(store.config))
    const { verbs, resolver, registry } = await openStore(t, damage)
    registry.always(/\/app\//, ({ response }) => response.writeHead(404).end())
    const from = `${registry.host}/elsewhere:1`
    const { repaired } = await verbs.repair({ resolver, from })
    t.regex(repaired[0]?.detail ?? '', /elsewhere: .*not found.*; .*\/app: .*not found/)
    t.is(repaired[0]?.outcome, 'failed')
  })

  test(`${name}: repair() reads large blobs piece by piece, and an error amid one is the source's`, async t => {
    const { verbs, scope, local, root } = await openStore(t)
    const bytes = Buffer.alloc(5_000_000, 'large and dull ')
    const digest = await commitBytes(scope.content, bytes, {
      labels: { 'containerd.io/gc.root': '1', 'containerd.io/distribution.source.lender.example': 'a/b' },
    })
    await fs.rm(`${root}/content/blobs/${digest.replace(':', '/')}`)
    const target = { digest, size: bytes.byteLength, mediaType: 'text/plain' }
    const lend = (failAt: number) => ({
      resolve: async () => target,
      fetcher: async () => ({
        async *read(_: unknown, { offset = 0 } = {}) {
          yield bytes.subarray(offset, failAt)
          if (failAt < bytes.byteLength) throw enough
        },
      }),
    })
    t.regex(
      (await verbs.repair({ resolver: lend(3_000_000) })).repaired[0]?.detail ?? '',
      /^lender\.example\/a\/b: .*too many requests/,
    )
    t.is((await verbs.repair({ resolver: lend(bytes.byteLength) })).repaired[0]?.outcome, 'repaired')
    t.deepEqual((await local.check()).findings, [])
  })

  test(`${name}: rebuild() makes no records where there are some, and merges when it is told to`, async t => {
    const { verbs, scope, layers } = await openStore(t)
    await t.throwsAsync(verbs.rebuild(), { code: 'FAILED_PRECONDITION', message: /--force-merge/ })
    const { target } = await scope.images.get((await verbs.measure('default')).images[0]?.name ?? '')
    const rebuilt = await verbs.rebuild({ namespace: 'again', merge: true })
    t.like(rebuilt, { namespace: 'again', damaged: [], loose: [] })
    t.is(rebuilt.blobs + rebuilt.images.length, 0, 'all of it has records')
    await scope.images.delete((await verbs.measure('default')).images[0]?.name ?? '')
    for (const digest of [target.digest, ...layers]) await scope.content.delete(digest)
    const made = await verbs.rebuild({ merge: true })
    t.deepEqual(
      made.images.map(image => image.target.digest),
      [target.digest],
    )
    t.is(made.blobs, 1 + layers.length)
  })

  const aborted: ReadonlyArray<readonly [string, (verbs: Verbs, signal: AbortSignal) => Promise<unknown>]> = [
    ['collect', (verbs, signal) => verbs.collect({ signal })],
    ['plan', (verbs, signal) => verbs.plan({ signal })],
    ['measure', (verbs, signal) => verbs.measure('default', { signal })],
    ['prune', (verbs, signal) => verbs.prune('default', { all: true }, { signal })],
    ['check', (verbs, signal) => verbs.check({ signal })],
    ['rebuild', (verbs, signal) => verbs.rebuild({ merge: true, signal })],
  ]
  test(`${name}: an aborted verb rejects with the reason, and changes nothing`, async t => {
    const { verbs, local, name: image } = await openStore(t)
    const reason = new Error('enough')
    for (const [verb, run] of aborted) {
      t.is(await t.throwsAsync(run(verbs, AbortSignal.abort(reason))), reason, verb)
    }
    t.is((await local.measure('default')).images[0]?.name, image)
  })

  test(`${name}: an abort stops a repair that waits for its source`, async t => {
    const damage = (store: DamagedStore) => fs.rm(store.file(store.config))
    const { verbs, local } = await openStore(t, damage)
    const control = new AbortController()
    const reason = new Error('enough')
    const resolver = {
      resolve: async (_: string, { signal }: AbortOptions = {}) => {
        control.abort(reason)
        signal?.throwIfAborted()
        throw reason
      },
      fetcher: async () => ({
        async *read(_: unknown, { signal }: AbortOptions = {}) {
          control.abort(reason)
          signal?.throwIfAborted()
          yield Buffer.from('not aborted')
        },
      }),
    }
    t.is(await t.throwsAsync(verbs.repair({ resolver, signal: control.signal })), reason)
    t.is((await local.check()).findings.length, 1)
  })
}
