import fs from 'node:fs/promises'
import path from 'node:path'
import test from 'ava'
import type { Repaired } from '../../src/fsck/repair.ts'
import { openLevel } from '../../src/metadata/level-kv.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { checkStore, type RepairStoreOptions, repairStore } from '../../src/runtime/fsck.ts'
import { pull } from '../../src/runtime/pull.ts'
import { type DamagedStore, damagedStore, short } from '../support/damaged-store.ts'
import { corruptDigests, storedIngests } from '../support/store-files.ts'

/** Checks, repairs, checks again, and tells of it all. */
const mend = async (store: DamagedStore, options: RepairStoreOptions = { resolver: store.resolver }) => {
  await using runtime = await store.open()
  const { findings } = await checkStore(runtime)
  const { repaired, quarantine } = await repairStore(runtime, findings, options)
  const after = await checkStore(runtime)
  return { outcomes: repaired.map(inShort), repaired, quarantine, after: short(after.findings) }
}

const inShort = ({ finding, outcome }: Repaired): string => `${outcome} ${finding.class}`

const filesIn = async (directory: string | undefined): Promise<readonly string[]> =>
  directory === undefined
    ? []
    : (await fs.readdir(directory, { recursive: true, withFileTypes: true }))
        .filter(entry => entry.isFile())
        .map(entry => path.relative(directory, path.join(entry.parentPath, entry.name)))
        .sort()

test('repair() fetches what is missing, and puts nothing into quarantine', async t => {
  const store = await damagedStore(t)
  for (const digest of [store.manifest, store.config, ...store.layers]) await fs.rm(store.file(digest))
  const { outcomes, after, quarantine } = await mend(store)
  t.deepEqual(outcomes, Array(5).fill('repaired missing'))
  t.deepEqual(after, [])
  t.is(quarantine, undefined)
  t.deepEqual(await storedIngests(store.root), [])
  t.is((await fs.stat(store.file(store.manifest))).mode & 0o777, 0o444)
})

test('repair() swaps bad files for good ones, and keeps the bad ones with a note', async t => {
  const store = await damagedStore(t)
  const [one = store.config, two = store.config] = store.layers
  await store.flip(one)
  await store.overwrite(two, 'sec')
  await store.flip(store.manifest)
  const bad = await fs.readFile(store.file(one))
  const { outcomes, after, quarantine = '' } = await mend(store)
  t.deepEqual(outcomes.toSorted(), ['repaired truncated', 'repaired wrong-digest', 'repaired wrong-digest'])
  t.deepEqual(after, [])
  t.deepEqual(await corruptDigests(store.root), [])
  const names = [one, two, store.manifest].map(digest => `blobs/${digest.replace(':', '/')}`)
  t.deepEqual(await filesIn(quarantine), names.flatMap(name => [name, `${name}.json`]).sort())
  t.true(quarantine.startsWith(path.join(store.root, 'quarantine')))
  t.deepEqual(await fs.readFile(path.join(quarantine, `blobs/${one.replace(':', '/')}`)), bad)
  const note = JSON.parse(
    await fs.readFile(path.join(quarantine, `blobs/${one.replace(':', '/')}.json`), 'utf8'),
  )
  t.like(note, { digest: one, from: `${store.registry.host}/app` })
  t.is(note.findings[0].class, 'wrong-digest')
})

test('repair() asks for layers and configs as blobs: a registry may answer 500 when asked for such a manifest', async t => {
  const store = await damagedStore(t)
  const [one = store.config] = store.layers
  for (const digest of [store.config, one]) await fs.rm(store.file(digest))
  let asked = 0
  store.registry.always(/manifests\/sha256/, ({ response }) => {
    asked++
    response.writeHead(500).end()
  })
  const { outcomes, after } = await mend(store)
  t.deepEqual([outcomes, after, asked], [['repaired missing', 'repaired missing'], [], 0])
})

test('repair() fetches a blob also when its record has a wrong size', async t => {
  const store = await damagedStore(t)
  const [one = store.config] = store.layers
  const dates = { createdAt: new Date().toISOString(), updatedAt: new Date().toISOString() }
  const labels = { [`containerd.io/distribution.source.${store.registry.host.split(':')[0]}`]: 'app' }
  await store.records([
    { type: 'put', key: `v1/default/content/${one}`, value: { size: 3, labels, ...dates } },
  ])
  await fs.rm(store.file(one))
  const { outcomes, after } = await mend(store)
  t.deepEqual([outcomes, after], [['repaired missing'], []])
})

test('repair() removes an image record of which nothing is known, and a lease keeps what it may have kept', async t => {
  const store = await damagedStore(t)
  await store.records([
    { type: 'put', key: `v1/default/image/${encodeURIComponent(store.name)}`, value: { labels: {} } },
  ])
  const { outcomes, repaired } = await mend(store)
  t.deepEqual(outcomes, ['repaired unreadable-record'])
  t.regex(
    repaired[0]?.detail ?? '',
    /removed; as it was it is in .*; lease repaired-\S+ keeps the namespace's 5 blobs until/,
  )
  await using runtime = await store.open()
  t.like(await runtime.gc.collect(), { blobs: 0, records: {} })
})

test('repair() leaves a bad file where it is when nobody has a good one', async t => {
  const store = await damagedStore(t)
  const [one = store.config] = store.layers
  await store.flip(one)
  const bad = await fs.readFile(store.file(one))
  store.registry.always(/blobs/, ({ response }) => {
    response.writeHead(404).end()
  })
  const { outcomes, repaired, quarantine } = await mend(store)
  t.deepEqual([outcomes, quarantine], [['failed wrong-digest'], undefined])
  t.regex(repaired[0]?.detail ?? '', new RegExp(`${store.registry.host}/app: .*`))
  t.deepEqual(await fs.readFile(store.file(one)), bad)
  t.deepEqual(await storedIngests(store.root), [])
})

test('repair() takes no wrong bytes for good ones', async t => {
  const store = await damagedStore(t)
  const [one = store.config] = store.layers
  await store.flip(one)
  const bad = await fs.readFile(store.file(one))
  store.registry.always(/GET .*blobs/, ({ response }) => {
    response.writeHead(200, { 'content-length': bad.length }).end(bad)
  })
  const { outcomes, repaired, quarantine } = await mend(store)
  t.deepEqual([outcomes, quarantine], [['failed wrong-digest'], undefined])
  t.regex(repaired[0]?.detail ?? '', /its bytes are/)
  t.deepEqual(await fs.readFile(store.file(one)), bad)
  t.deepEqual(await storedIngests(store.root), [])
})

test('repair() says what to do when it does not know where a blob came from', async t => {
  const store = await damagedStore(t)
  await using runtime = await store.open()
  const { content } = runtime.scope()
  await using writer = await content.writer({ ref: 'own' })
  await writer.write(Buffer.from('own bytes'))
  const digest = await writer.commit()
  await store.flip(digest)
  const { findings } = await checkStore(runtime)
  const { repaired } = await repairStore(runtime, findings, { resolver: store.resolver })
  t.deepEqual(repaired.map(inShort), ['failed wrong-digest'])
  t.regex(repaired[0]?.detail ?? '', /--from <reference>/)
})

test('repair() asks the repository that it is given', async t => {
  const store = await damagedStore(t)
  const [one = store.config] = store.layers
  const key = `v1/default/content/${one}`
  await store.records([{ type: 'put', key, value: await withoutLabels(store, key) }])
  await store.flip(one)
  store.registry.blob('mirror/app', 'first layer')
  const from = `${store.registry.host}/mirror/app`
  const { outcomes, after, repaired } = await mend(store, { resolver: store.resolver, from })
  t.deepEqual([outcomes, after], [['repaired wrong-digest'], []])
  t.regex(repaired[0]?.detail ?? '', /mirror\/app; the bad file is /)
})

const withoutLabels = async ({ root }: DamagedStore, key: string): Promise<object> => {
  await using kv = await openLevel(path.join(root, 'metadata'))
  await using view = kv.snapshot()
  return { ...Object(await view.get(key)), labels: {} }
}

test('repair() writes the right size into a record whose file is right', async t => {
  const store = await damagedStore(t)
  const [one = store.config] = store.layers
  const key = `v1/default/content/${one}`
  const value = { ...(await withoutLabels(store, key)), size: 3 }
  await store.records([{ type: 'put', key, value }])
  const { outcomes, after, quarantine } = await mend(store, {})
  t.deepEqual([outcomes, after, quarantine], [['repaired truncated'], [], undefined])
})

test('repair() moves wrong bytes that no record names out of the store', async t => {
  const store = await damagedStore(t)
  const digest = digestOf('nobody')
  await fs.writeFile(store.file(digest), 'somebody')
  const { outcomes, after, quarantine = '' } = await mend(store, {})
  t.deepEqual([outcomes, after], [['repaired wrong-digest'], []])
  t.is(await fs.readFile(path.join(quarantine, `blobs/${digest.replace(':', '/')}`), 'utf8'), 'somebody')
})

test('repair() leaves orphans, stale ingests and dangling names as they are', async t => {
  const store = await damagedStore(t)
  const digest = digestOf('nobody')
  await fs.writeFile(store.file(digest), 'nobody')
  await store.records([{ type: 'put', key: 'v1/default/lease-resource/gone/content/x', value: {} }])
  await using runtime = await store.open()
  {
    await using writer = await runtime.parts.backend.writer({ ref: 'left' })
    await writer.write(Buffer.from('half'))
  }
  const { findings } = await checkStore(runtime)
  const { repaired } = await repairStore(runtime, findings)
  t.deepEqual(repaired.map(inShort).toSorted(), ['left dangling', 'left orphan', 'left stale-ingest'])
  t.deepEqual(short((await checkStore(runtime)).findings), short(findings))
})

test('repair() adds the gc labels that are missing, and keeps those that are there', async t => {
  const store = await damagedStore(t)
  const key = `v1/default/content/${store.manifest}`
  const other = digestOf('other')
  const labels = { 'containerd.io/gc.ref.content.l.0': other, mine: 'kept' }
  await store.records([{ type: 'put', key, value: { ...(await withoutLabels(store, key)), labels } }])
  await using runtime = await store.open()
  const { findings } = await checkStore(runtime)
  const { repaired } = await repairStore(runtime, findings)
  t.true(repaired.map(inShort).includes('repaired label-mismatch'))
  const { labels: now } = await runtime.scope().content.info(store.manifest)
  t.like(now, labels)
  const kept = Object.values(now)
  for (const child of [store.config, ...store.layers]) t.true(kept.includes(child))
  t.deepEqual(short((await checkStore(runtime)).findings), [`dangling content ${store.manifest}`])
})

test('repair() writes records anew that cannot be read, and keeps a copy of them', async t => {
  const store = await damagedStore(t)
  const image = `v1/default/image/${store.name}`
  const lease = 'v1/default/lease/mine'
  const blob = `v1/default/content/${store.manifest}`
  const before = Object(await withoutLabels(store, image))
  const bad = [
    { key: image, value: { ...before, labels: { good: 'kept', bad: 7 }, createdAt: 'never' } },
    { key: lease, value: 'rubbish' },
    { key: blob, value: { size: 'big', labels: { mine: 'kept' } } },
    { key: 'namespaces/default', value: 1 },
    { key: 'v1/default/sequence', value: 'many' },
    { key: 'unknown', value: {} },
    { key: 'v1/default/ingest/x', value: {} },
  ]
  await store.records(bad.map(one => ({ type: 'put', ...one })))
  const { outcomes, after, quarantine = '' } = await mend(store, {})
  t.deepEqual(outcomes, Array(bad.length).fill('repaired unreadable-record'))
  t.deepEqual(after, [])
  const lines = (await fs.readFile(path.join(quarantine, 'records.jsonl'), 'utf8')).trim().split('\n')
  t.deepEqual(
    lines
      .map(line => ({ key: JSON.parse(line).key, value: JSON.parse(JSON.parse(line).raw) }))
      .toSorted(byKey),
    bad.toSorted(byKey),
  )
  await using runtime = await store.open()
  const { images, content, leases } = runtime.scope()
  t.like(await images.get(store.name), { target: { digest: store.manifest }, labels: { good: 'kept' } })
  const info = await content.info(store.manifest)
  t.is(info.labels.mine, 'kept')
  t.true(Object.values(info.labels).includes(store.config))
  const ids: string[] = []
  for await (const { id } of leases.list()) ids.push(id)
  t.deepEqual(ids, ['mine'])
})

const byKey = (a: { key: string }, b: { key: string }): number => (a.key < b.key ? -1 : 1)

test('repair() lists a namespace again', async t => {
  const store = await damagedStore(t)
  await store.records([{ type: 'delete', key: 'namespaces/default' }])
  const { outcomes, after } = await mend(store, {})
  t.deepEqual([outcomes, after], [['repaired dangling'], []])
})

test('repair() does nothing to what others have repaired meanwhile', async t => {
  const store = await damagedStore(t)
  const [one = store.config] = store.layers
  await fs.rm(store.file(one))
  await using runtime = await store.open()
  const { findings } = await checkStore(runtime)
  t.deepEqual(short(findings), [`missing content ${one}`])
  await pull({ resolver: store.resolver, scope: runtime.scope() }, store.name)
  const requests = store.registry.requests.length
  const { repaired } = await repairStore(runtime, findings, { resolver: store.resolver })
  t.deepEqual(
    repaired.map(({ detail }) => detail),
    ['it is right by now'],
  )
  t.is(store.registry.requests.length, requests)
})

test('repair() brings back no blob that was deleted meanwhile', async t => {
  const store = await damagedStore(t)
  const [one = store.config] = store.layers
  await fs.rm(store.file(one))
  await using runtime = await store.open()
  const { findings } = await checkStore(runtime)
  const { content } = runtime.scope()
  store.registry.next(/GET .*blobs/, ({ response, answer }) => {
    void content.delete(one).then(() => {
      response.end(answer().body)
    })
  })
  const { repaired } = await repairStore(runtime, findings, { resolver: store.resolver, from: store.name })
  t.deepEqual(repaired.map(inShort), ['failed missing'])
  t.regex(repaired[0]?.detail ?? '', /no record names it any more/)
  await t.throwsAsync(fs.stat(store.file(one)), { code: 'ENOENT' })
  t.deepEqual(await storedIngests(store.root), [])
})

test('repair() works while others read and write the same blobs', async t => {
  const store = await damagedStore(t)
  for (const digest of store.layers) await store.flip(digest)
  await using runtime = await store.open()
  const { findings } = await checkStore(runtime)
  const pulls = Array.from({ length: 4 }, (_, at) =>
    pull({ resolver: store.resolver, scope: runtime.scope(`n${at}`) }, store.name),
  )
  const [{ repaired }] = await Promise.all([
    repairStore(runtime, findings, { resolver: store.resolver }),
    ...pulls,
  ])
  t.true(repaired.every(({ outcome }) => outcome === 'repaired'))
  t.deepEqual(short((await checkStore(runtime)).findings), [])
})

test('repair() stops at its signal with its reason, and goes on the next time', async t => {
  const store = await damagedStore(t)
  for (const digest of store.layers) await fs.rm(store.file(digest))
  const reason = new Error('enough')
  const stop = new AbortController()
  {
    await using runtime = await store.open()
    const { findings } = await checkStore(runtime)
    const repairing = repairStore(runtime, findings, {
      resolver: store.resolver,
      signal: stop.signal,
      onRepaired: () => stop.abort(reason),
    })
    t.is(await t.throwsAsync(repairing), reason)
  }
  t.deepEqual((await mend(store)).after, [])
})
