import fs from 'node:fs/promises'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { FsckReport } from '../../src/fsck/types.ts'
import { openLevel } from '../../src/metadata/level-kv.ts'
import { type Digest, digestOf } from '../../src/oci/digest.ts'
import { checkStore } from '../../src/runtime/fsck.ts'
import { fetchImage } from '../../src/runtime/pull.ts'
import { type DamagedStore, damagedStore, short } from '../support/damaged-store.ts'

const check = async (store: DamagedStore, quick = false): Promise<FsckReport> => {
  await using runtime = await store.open()
  return await checkStore(runtime, { quick })
}

type Damage = (store: DamagedStore) => Promise<readonly string[]>

/** What a check finds in the store after it was damaged. */
const finds = test.macro({
  async exec(t, damage: Damage, quick?: boolean) {
    const store = await damagedStore(t)
    const expected = await damage(store)
    const modes = quick === undefined ? [false, true] : [quick]
    for (const mode of modes)
      t.deepEqual(short((await check(store, mode)).findings), expected, `quick: ${mode}`)
  },
  title: (_, damage: Damage, quick?: boolean) =>
    `fsck() finds ${damage.name.replace(/[A-Z]/g, letter => ` ${letter.toLowerCase()}`)}${quick === undefined ? '' : quick ? ', when quick' : ', when it hashes'}`,
})

const first = (digests: readonly Digest[]): Digest => digests[0] ?? digestOf('none')

async function nothingInAWholeStore(): Promise<readonly string[]> {
  return []
}
test(finds, nothingInAWholeStore)

async function aMissingLayer({ layers, file }: DamagedStore) {
  await fs.rm(file(first(layers)))
  return [`missing content ${first(layers)}`]
}
test(finds, aMissingLayer)

async function aMissingManifest({ manifest, file }: DamagedStore) {
  await fs.rm(file(manifest))
  return [`missing content ${manifest}`]
}
test(finds, aMissingManifest)

async function aDirectoryInPlaceOfABlob({ layers, file }: DamagedStore) {
  await fs.rm(file(first(layers)))
  await fs.mkdir(file(first(layers)))
  return [`orphan file ${file(first(layers))}`, `missing content ${first(layers)}`]
}
test(finds, aDirectoryInPlaceOfABlob)

async function aTruncatedLayer({ layers, overwrite }: DamagedStore) {
  await overwrite(first(layers), 'fir')
  return [`truncated content ${first(layers)}`]
}
test(finds, aTruncatedLayer)

async function anEmptyLayer({ layers, overwrite }: DamagedStore) {
  await overwrite(first(layers), '')
  return [`truncated content ${first(layers)}`]
}
test(finds, anEmptyLayer)

async function aLayerThatIsTooLong({ layers, overwrite }: DamagedStore) {
  await overwrite(first(layers), 'first layer and more')
  return [`truncated content ${first(layers)}`]
}
test(finds, aLayerThatIsTooLong)

async function aFlippedBitInALayer({ layers, flip }: DamagedStore) {
  await flip(first(layers))
  return [`wrong-digest content ${first(layers)}`]
}
test(finds, aFlippedBitInALayer, false)

async function noFlippedBitInALayer({ layers, flip }: DamagedStore) {
  await flip(first(layers))
  return []
}
test(finds, noFlippedBitInALayer, true)

async function otherBytesInAManifest({ manifest, file, overwrite }: DamagedStore) {
  const bytes = (await fs.readFile(file(manifest), 'utf8')).replace('"schemaVersion":2', '"schemaVersion":3')
  await overwrite(manifest, bytes)
  return [`wrong-digest content ${manifest}`]
}
test(finds, otherBytesInAManifest)

async function anOrphan({ file }: DamagedStore) {
  const digest = digestOf('nobody')
  await fs.writeFile(file(digest), 'nobody')
  return [`orphan content ${digest}`]
}
test(finds, anOrphan)

async function anOrphanWithWrongBytes({ file }: DamagedStore) {
  const digest = digestOf('nobody')
  await fs.writeFile(file(digest), 'somebody')
  return [`wrong-digest content ${digest}`]
}
test(finds, anOrphanWithWrongBytes, false)

async function filesThatAreNoBlobs({ file, manifest, root }: DamagedStore) {
  const directory = path.dirname(file(manifest))
  await fs.writeFile(path.join(directory, 'README'), '')
  await fs.writeFile(path.join(directory, '..', 'md5'), '')
  await fs.mkdir(path.join(directory, '..', 'blake3'))
  await fs.writeFile(path.join(directory, '..', 'blake3', 'aa'), '')
  const blobs = path.join(root, 'content/blobs')
  return ['blake3/aa', 'md5', 'sha256/README'].map(name => `orphan file ${path.join(blobs, name)}`)
}
test(finds, filesThatAreNoBlobs)

async function labelsThatLeaveOutALayer({ manifest, records, root, layers }: DamagedStore) {
  const key = `v1/default/content/${manifest}`
  const record = await readRecord(root, key)
  const labels = Object.entries(record.labels).filter(([, value]) => value !== layers[1])
  await records([{ type: 'put', key, value: { ...record, labels: Object.fromEntries(labels) } }])
  return [`label-mismatch content ${manifest}`]
}
test(finds, labelsThatLeaveOutALayer)

async function namesThatLeadNowhere({ manifest, records, root, name }: DamagedStore) {
  const key = `v1/default/image/${name}`
  const image = await readRecord(root, key)
  const blob = await readRecord(root, `v1/default/content/${manifest}`)
  const absent = digestOf('absent')
  const dead = { 'containerd.io/gc.ref.content.x': absent, 'containerd.io/gc.ref.image.y': 'no such image' }
  const labels = { ...blob.labels, ...dead, 'containerd.io/gc.ref.contentbad': absent, other: absent }
  const at = new Date().toISOString()
  await records([
    { type: 'put', key: `v1/default/content/${manifest}`, value: { ...blob, labels } },
    {
      type: 'put',
      key: 'v1/default/image/lost',
      value: { ...image, target: { ...image.target, digest: absent } },
    },
    { type: 'put', key: 'v1/default/lease/one', value: { labels: {}, createdAt: at } },
    { type: 'put', key: `v1/default/lease-resource/one/content/${absent}`, value: {} },
    { type: 'put', key: 'v1/default/lease-resource/one/ingests/over', value: {} },
    { type: 'put', key: 'v1/default/lease-resource/one/snapshots!2Foverlayfs/a', value: {} },
    { type: 'put', key: 'v1/default/lease-resource/two/ingests/over', value: {} },
  ])
  return [
    ...[`content ${manifest}`, `content ${manifest}`, 'image lost', 'lease one', 'lease two'].map(
      object => `dangling ${object}`,
    ),
  ]
}
test(finds, namesThatLeadNowhere)

test('fsck() finds records that cannot be read, and goes on', async t => {
  const store = await damagedStore(t)
  const keys = [
    'unknown',
    'v1/default/content/no-digest',
    `v1/default/content/${store.manifest}`,
    'v1/default/image/bad',
    'v1/default/lease/bad',
    'v1/default/sequence',
  ]
  await store.records(keys.map(key => ({ type: 'put', key, value: { size: -1 } })))
  const { findings } = await check(store)
  t.deepEqual(
    short(findings),
    keys.map(key => `unreadable-record record ${key}`),
  )
})

test('fsck() finds a record that is not even JSON', async t => {
  const store = await damagedStore(t)
  await rawPut(t, store, 'v1/default/lease/broken', '{"labels":')
  const { findings } = await check(store)
  t.deepEqual(short(findings), ['unreadable-record record v1/default/lease/broken'])
  t.regex(findings[0]?.found ?? '', /not JSON/)
})

test('fsck() finds a namespace that is not listed', async t => {
  const store = await damagedStore(t)
  await store.records([{ type: 'delete', key: 'namespaces/default' }])
  t.deepEqual(short((await check(store)).findings), ['dangling namespace default'])
})

test('fsck() names every namespace whose record lost its file', async t => {
  const store = await damagedStore(t)
  const [layer] = store.layers
  const value = await readRecord(store.root, `v1/default/content/${layer}`)
  await store.records([
    { type: 'put', key: 'namespaces/other', value: { labels: {} } },
    { type: 'put', key: `v1/other/content/${layer}`, value },
  ])
  await fs.rm(store.file(first(store.layers)))
  const { findings } = await check(store)
  t.deepEqual(
    findings.map(({ class: kind, namespace }) => [kind, namespace]),
    [
      ['missing', 'default'],
      ['missing', 'other'],
    ],
  )
})

test('fsck() finds ingests that nothing keeps', async t => {
  const store = await damagedStore(t)
  const day = 24 * 60 * 60 * 1000
  await using runtime = await store.open(() => new Date(Date.now() - 2 * day))
  const { content, leases } = runtime.scope()
  const lease = await leases.create({ id: 'one' })
  const keepers: Array<readonly [string, typeof content]> = [
    ['expired', content],
    ['held', runtime.scope('default', { lease: lease.id }).content],
    ['lost', content],
  ]
  for (const [ref, ingester] of keepers) {
    await using writer = await ingester.writer({ ref })
    await writer.write(Buffer.from('half'))
  }
  t.deepEqual(short((await checkStore(runtime)).findings), [])
  await leases.deleteResource('one', { type: 'ingests', id: 'held' })
  const { parts } = runtime
  for await (const { ref } of parts.backend.statuses())
    if (ref.endsWith('/lost')) await parts.backend.abort(ref)
  {
    await using _ = await parts.backend.writer({ ref: 'default/99/nobody' })
  }
  const late = { ...runtime.parts, now: () => new Date() }
  const { findings } = await checkStore(Object.assign(Object.create(runtime), { parts: late }))
  t.deepEqual(
    findings.map(({ object, found }) => [object, found.replace(/\d{4}-.*Z/, '<date>')]),
    [
      ['ingest default/99/nobody', '0 bytes that no record names'],
      ['ingest expired', 'expired at <date>'],
      ['ingest held', 'no lease holds it'],
      ['ingest lost', 'a record without bytes'],
    ],
  )
  t.true(findings.every(({ severity }) => severity === 'harmless'))
})

test('fsck() does not call a blob an orphan that an ingest was given', async t => {
  const store = await damagedStore(t)
  const digest = digestOf('shared')
  await fs.writeFile(store.file(digest), 'shared')
  await using runtime = await store.open()
  const { content } = runtime.scope('other')
  const writer = await content.writer({ ref: 'virtual', expected: { digest } })
  t.deepEqual(short((await checkStore(runtime)).findings), [])
  await writer[Symbol.asyncDispose]()
  t.deepEqual(short((await checkStore(runtime)).findings), [])
  await content.abort('virtual')
  t.deepEqual(short((await checkStore(runtime)).findings), [`orphan content ${digest}`])
})

test('fsck() does not take an upload under way for damage', async t => {
  const store = await damagedStore(t)
  await using runtime = await store.open()
  const { content } = runtime.scope()
  let stop = false
  const commits = (async () => {
    for (let at = 0; !stop; at++) {
      await using writer = await content.writer({ ref: `ref-${at}` })
      await writer.write(Buffer.from(`bytes ${at}`))
      await writer.commit()
      if (at % 3 === 0) await content.delete(digestOf(`bytes ${at}`))
    }
  })()
  for (let turn = 0; turn < 10; turn++) {
    const { findings } = await checkStore(runtime)
    t.true(
      findings.every(({ class: kind }) => kind === 'orphan'),
      JSON.stringify(findings),
    )
  }
  stop = true
  await commits
})

test('fsck() counts what partial pulls left out, and calls it no damage', async t => {
  const store = await damagedStore(t)
  store.registry.image('other', '1', 'a layer of its own')
  await using runtime = await store.open()
  const scope = runtime.scope('partial')
  await fetchImage({ resolver: store.resolver, scope }, `${store.registry.host}/other:1`, {
    metadataOnly: true,
  })
  const { findings, absent } = await checkStore(runtime)
  t.deepEqual([short(findings), absent], [[], 1])
})

test('fsck() tells what it looked at', async t => {
  const store = await damagedStore(t)
  const seen: Digest[] = []
  await using runtime = await store.open()
  const { checked } = await checkStore(runtime, { onFile: ({ digest }) => seen.push(digest) })
  t.like(checked, { namespaces: 1, blobs: 5, ingests: 0, hashed: true })
  t.deepEqual(seen.toSorted(), [store.manifest, store.config, ...store.layers].toSorted())
})

test('fsck() gives the reason of its signal', async t => {
  const store = await damagedStore(t)
  await using runtime = await store.open()
  const reason = new Error('enough')
  t.is(await t.throwsAsync(checkStore(runtime, { signal: AbortSignal.abort(reason) })), reason)
  const midway = new AbortController()
  const checking = checkStore(runtime, { signal: midway.signal, onFile: () => midway.abort(reason) })
  t.is(await t.throwsAsync(checking), reason)
})

interface StoredRecord {
  readonly labels: Record<string, string>
  readonly target?: object
}

const readRecord = async (root: string, key: string): Promise<StoredRecord> => {
  await using kv = await openLevel(path.join(root, 'metadata'))
  await using view = kv.snapshot()
  return (await view.get(key)) as StoredRecord
}

const rawPut = async (
  _: ExecutionContext,
  { root }: DamagedStore,
  key: string,
  text: string,
): Promise<void> => {
  const { Level } = await import('level')
  const level = new Level<string, string>(path.join(root, 'metadata'))
  await level.put(key, text)
  await level.close()
}
