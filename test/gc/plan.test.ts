import test from 'ava'
import { contentNode, imageNode, ingestNode, leaseNode, nodeId } from '../../src/metadata/collectible.ts'
import {
  bytesIn,
  collectedStore,
  digestOfText,
  putText,
  recordsIn,
  targetOfText,
} from '../support/collected.ts'

const refOf = (text: string) => ({ 'containerd.io/gc.ref.content': digestOfText(text) })
const past = { 'containerd.io/gc.expire': '2025-01-01T00:00:00Z' }
const sorted = (rows: readonly unknown[][]) => rows.map(row => JSON.stringify(row)).sort()
const content = (text: string) => contentNode('default', digestOfText(text))

test('plan() says what goes, why, and what comes free, and changes nothing', async t => {
  const store = collectedStore(t)
  await putText(store.content, 'layer')
  await putText(store.content, 'target', refOf('layer'))
  await putText(store.content, 'alone')
  await putText(store.content, 'shared')
  await putText(store.scope('other').content, 'shared', { 'containerd.io/gc.root': 'x' })
  await putText(store.backend, 'orphan')
  await store.images.create({ name: 'old', target: targetOfText('target'), labels: past })
  await store.leases.create({ id: 'l', labels: past })
  await (await store.scope('default').content.writer({ ref: 'r' }))[Symbol.asyncDispose]()
  store.clock.now = new Date('2026-01-04T00:00:00Z')
  const before = [await recordsIn(store), await bytesIn(store)]
  const plan = await store.collector.plan()
  const told = plan.items.map(item => [
    item.namespace,
    nodeId({ ...item, namespace: '' }),
    item.frees,
    item.reason,
  ])
  const only = 'only image "old" kept it, which expired at 2025-01-01T00:00:00.000Z'
  t.deepEqual(
    sorted(told),
    sorted([
      ['default', 'lease//l', 0, 'lease "l" expired at 2025-01-01T00:00:00.000Z'],
      ['default', 'ingest//r', 0, 'ingest "r" expired at 2026-01-03T03:04:05.000Z'],
      ['default', 'image//old', 0, 'image "old" expired at 2025-01-01T00:00:00.000Z'],
      ['default', `content//${digestOfText('layer')}`, 5, only],
      ['default', `content//${digestOfText('target')}`, 6, only],
      ['default', `content//${digestOfText('alone')}`, 5, 'no reference'],
      ['default', `content//${digestOfText('shared')}`, 0, 'no reference'],
      [undefined, `content//${digestOfText('orphan')}`, 6, 'orphan on disk'],
    ]),
  )
  t.is(plan.bytes, 22)
  t.deepEqual([await recordsIn(store), await bytesIn(store)], before)
  t.is((await store.collector.collect()).bytes, 22)
  t.deepEqual((await store.collector.plan()).items, [])
})

test('plan() counts the bytes of a blob once when two namespaces lose it', async t => {
  const store = collectedStore(t)
  await putText(store.content, 'shared')
  await putText(store.scope('other').content, 'shared')
  const { items, bytes } = await store.collector.plan()
  t.deepEqual(items.map(({ frees }) => frees).sort(), [0, 6])
  t.is(bytes, 6)
})

test('plan() stops when it is told to, and at a record that cannot be read', async t => {
  const store = collectedStore(t)
  const reason = new Error('enough')
  await putText(store.content, 'x')
  await store.database.update(async tx => tx.put('v1/default/lease/broken', 7))
  await t.throwsAsync(store.collector.plan(), { code: 'DATA_LOSS', message: /lease\/broken/ })
  await t.throwsAsync(store.collector.plan({ signal: AbortSignal.abort(reason) }), { is: reason })
})

test('why() tells all paths from roots, shortest first', async t => {
  const store = collectedStore(t)
  await putText(store.content, 'layer', { 'containerd.io/gc.root': 'x' })
  await putText(store.content, 'manifest', refOf('layer'))
  await putText(store.content, 'index', refOf('manifest'))
  await store.images.create({ name: 'deep', target: targetOfText('index') })
  await store.images.create({ name: 'flat', target: targetOfText('manifest') })
  await store.leases.create({ id: 'l', labels: { 'containerd.io/gc.flat': 'x' } })
  await store.leases.addResource('l', { type: 'content', id: digestOfText('layer') })
  const why = await store.collector.why(content('layer'))
  const layer = content('layer')
  t.deepEqual(
    why.paths.map(({ nodes, root }) => [root, ...nodes]),
    [
      ['label containerd.io/gc.root', layer],
      ['lease', leaseNode('default', 'l'), { ...layer, flat: true }],
      ['image', imageNode('default', 'flat'), content('manifest'), layer],
      ['image', imageNode('default', 'deep'), content('index'), content('manifest'), layer],
    ],
  )
  t.false(why.more)
  const short = await store.collector.why(content('layer'), { limit: 2 })
  t.is(short.paths.length, 2)
  t.true(short.more)
})

test('why() is not led in circles, and tells of back references', async t => {
  const store = collectedStore(t)
  await putText(store.content, 'a', { ...refOf('b'), 'containerd.io/gc.root': 'x' })
  await putText(store.content, 'b', refOf('a'))
  await putText(store.content, 'note', { 'containerd.io/gc.bref.content': digestOfText('b') })
  const { paths } = await store.collector.why(content('note'))
  t.deepEqual(
    paths.map(({ nodes }) => nodes),
    [[content('a'), content('b'), content('note')]],
  )
})

test('why() of garbage has no paths, says why, and since when the record is there', async t => {
  const store = collectedStore(t)
  await putText(store.content, 'alone')
  const why = await store.collector.why(content('alone'))
  t.deepEqual([why.paths, why.more, why.reason], [[], false, 'no reference'])
  t.deepEqual(why.since, store.clock.now)
})

test('why() tells what keeps an ingest, and refuses what does not exist', async t => {
  const store = collectedStore(t)
  await (await store.content.writer({ ref: 'r' }))[Symbol.asyncDispose]()
  const { paths } = await store.collector.why(ingestNode('default', 'r'))
  t.is(paths[0]?.root, 'ingest until 2026-01-03T03:04:05.000Z')
  for (const node of [ingestNode('default', 'x'), imageNode('default', 'x'), content('x')]) {
    await t.throwsAsync(store.collector.why(node), { code: 'NOT_FOUND' })
  }
})

test('why() does not drown in a graph with more paths than can be counted', async t => {
  const store = collectedStore(t)
  const all = Array.from({ length: 14 }, (_, n) => `n${n}`)
  for (const [at, text] of all.entries()) {
    const below = all
      .slice(at + 1)
      .map((child, n) => [`containerd.io/gc.ref.content.${n}`, digestOfText(child)])
    await putText(store.content, text, Object.fromEntries(below))
  }
  await store.images.create({ name: 'a', target: targetOfText('n0') })
  const why = await store.collector.why(content('n13'), { limit: 5 })
  t.deepEqual(
    why.paths.map(({ nodes }) => nodes.length),
    [3, 4, 4, 4, 4],
  )
  t.true(why.more)
})
