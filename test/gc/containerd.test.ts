import test from 'ava'
import { type Edges, Marker } from '../../src/gc/mark.ts'
import { images } from '../../src/images/collectible.ts'
import {
  type Collectible,
  contentNode,
  imageNode,
  ingestNode,
  leaseNode,
  type Node,
  nodeId,
} from '../../src/metadata/collectible.ts'
import { blobs, ingests } from '../../src/metadata/content-collectible.ts'
import { leases } from '../../src/metadata/lease-collectible.ts'
import { MemoryKeyValue } from '../../src/metadata/memory-kv.ts'
import {
  bytesIn,
  collectedStore,
  digestOfText,
  putText,
  recordsIn,
  targetOfText,
} from '../support/collected.ts'

/** The cases of containerd's own tests of collection, by their names there. */
const kinds = [leases, ingests, blobs, images]
const past = { 'containerd.io/gc.expire': '2025-01-01T00:00:00Z' }
const root = { 'containerd.io/gc.root': 'true' }
const refOf = (text: string, suffix = '') => ({
  [`containerd.io/gc.ref.content${suffix}`]: digestOfText(text),
})
const node = (key: string): Node => ({ kind: 'x', namespace: 'n', key })

/** Letters with what they refer to. */
const graph: Readonly<Record<string, readonly string[]>> = {
  A: ['B'],
  B: ['A'],
  C: ['D', 'F', 'B'],
  E: ['F', 'G'],
  F: ['H'],
}

const reached = async (edges: Edges): Promise<string[]> => {
  const marker = new Marker(edges)
  marker.push(['D', 'F', 'B'].map(node))
  await using view = new MemoryKeyValue().snapshot()
  await marker.run(view)
  return 'ABCDEFGHI'.split('').filter(key => marker.has(node(key)))
}

test('TestTricolorBasic: what the roots reach is kept, circles included', async t => {
  t.deepEqual(await reached(async (_, { key }) => (graph[key] ?? []).map(node)), ['A', 'B', 'D', 'F', 'H'])
})

test('TestConcurrentBasic: the same when references are slow to come', async t => {
  const slowly: Edges = async (_, { key }) => {
    await new Promise<void>(resolve => setImmediate(resolve))
    return (graph[key] ?? []).map(node)
  }
  t.deepEqual(await reached(slowly), ['A', 'B', 'D', 'F', 'H'])
})

test('Marker stops at its time and goes on where it was', async t => {
  const marker = new Marker(async (_, { key }) => (graph[key] ?? []).map(node))
  marker.push([node('A'), node('F')])
  await using view = new MemoryKeyValue().snapshot()
  t.false(await marker.run(view, { until: 0 }))
  t.true(await marker.run(view))
  t.deepEqual(
    'ABFH'.split('').filter(key => marker.has(node(key))),
    ['A', 'B', 'F', 'H'],
  )
})

test('TestGCRoots: images, leases, ingests and labelled blobs of four namespaces', async t => {
  const store = collectedStore(t)
  const expected: Node[] = []
  for (const namespace of ['ns1', 'ns2', 'ns3', 'ns4']) {
    const { content, images, leases } = store.scope(namespace)
    await putText(content, 'root', root)
    await putText(content, 'other', refOf('root'))
    await putText(content, 'odd', { 'containerd.io/gc.rooted': 'x' })
    await images.create({ name: 'image', target: targetOfText('root') })
    await images.create({ name: 'expired', target: targetOfText('root'), labels: past })
    await leases.create({ id: 'lease' })
    await leases.create({ id: 'expired', labels: past })
    await leases.create({ id: 'later', expiresIn: 1000 })
    await (await content.writer({ ref: 'ingest' }))[Symbol.asyncDispose]()
    await (await store.scope(namespace, 'lease').content.writer({ ref: 'leased' }))[Symbol.asyncDispose]()
    expected.push(contentNode(namespace, digestOfText('root')), contentNode(namespace, digestOfText('odd')))
    expected.push(imageNode(namespace, 'image'), ingestNode(namespace, 'ingest'))
    expected.push(leaseNode(namespace, 'lease'), leaseNode(namespace, 'later'))
  }
  const found: string[] = []
  let all = 0
  await store.database.view(async view => {
    for (const kind of kinds) {
      for await (const scanned of kind.all(view, store.clock.now)) {
        all++
        if (scanned.root !== undefined) found.push(nodeId(scanned.node))
      }
    }
  })
  t.is(all, 40)
  t.deepEqual(found.sort(), expected.map(nodeId).sort())
})

test('TestGCRemove: each record can be removed on its own, and once', async t => {
  const store = collectedStore(t)
  await putText(store.content, 'blob')
  await store.images.create({ name: 'image', target: targetOfText('blob') })
  await store.leases.create({ id: 'lease' })
  await (await store.content.writer({ ref: 'ingest' }))[Symbol.asyncDispose]()
  for (const kind of kinds) {
    const before = await recordsIn(store)
    const [only] = await store.database.view(async view => {
      const nodes: Node[] = []
      for await (const { node } of kind.all(view, store.clock.now)) nodes.push(node)
      return nodes
    })
    if (only === undefined) return t.fail(kind.kind)
    const remove = () => store.database.update(tx => kind.remove(tx, only))
    t.true((await remove()).removed)
    t.false((await remove()).removed)
    t.is((await recordsIn(store)).length, before.length - 1)
  }
  t.deepEqual(await recordsIn(store), [])
})

test('TestGCRefs: what each kind of record refers to, in full and flat', async t => {
  const store = collectedStore(t)
  const { content } = store
  await putText(content, 'a', {
    ...refOf('b'),
    ...refOf('c', '.x'),
    ...refOf('d', '/x'),
    ...refOf('e', 'bad'),
  })
  await putText(content, 'b', {
    'containerd.io/gc.ref.image.x': 'image',
    'containerd.io/gc.bref.content': digestOfText('a'),
  })
  await store.images.create({ name: 'image', target: targetOfText('a'), labels: refOf('b') })
  for (const [id, labels] of [
    ['lease', {}],
    ['flat', { 'containerd.io/gc.flat': '1' }],
  ] as const) {
    await store.leases.create({ id, labels })
    await store.leases.addResource(id, { type: 'content', id: digestOfText('a') })
    await store.leases.addResource(id, { type: 'images', id: 'image' })
    await store.leases.addResource(id, { type: 'ingests', id: 'ingest' })
    await store.leases.addResource(id, { type: 'snapshots/overlayfs', id: 'key' })
  }
  const digest = digestOfText('a')
  await (await store.scope('other').content.writer({ ref: 'shared', expected: { digest } }))[
    Symbol.asyncDispose
  ]()
  const blob = (text: string, flat = false) => contentNode('default', digestOfText(text), flat)
  // A kind that nobody collects: it leads nowhere.
  const unknown = { kind: 'contentbad', namespace: 'default', key: digestOfText('e') }
  const flatImage = imageNode('default', 'image', true)
  const cases: ReadonlyArray<readonly [Collectible, Node, readonly Node[]]> = [
    [blobs, blob('a'), [blob('b'), blob('c'), blob('d'), unknown]],
    [blobs, blob('a', true), []],
    [blobs, blob('b'), [imageNode('default', 'image')]],
    [blobs, blob('absent'), []],
    [blobs, { kind: 'content', namespace: 'default', key: 'no digest' }, []],
    [images, imageNode('default', 'image'), [blob('a'), blob('b')]],
    [images, flatImage, [blob('a', true)]],
    [images, imageNode('default', 'absent'), []],
    [images, imageNode('default', '\ud800'), []],
    [ingests, ingestNode('other', 'shared'), [contentNode('other', digest)]],
    [ingests, ingestNode('other', 'absent'), []],
    [
      leases,
      leaseNode('default', 'lease'),
      [blob('a'), imageNode('default', 'image'), ingestNode('default', 'ingest')],
    ],
    [leases, leaseNode('default', 'flat'), [blob('a', true), flatImage, ingestNode('default', 'ingest')]],
    [leases, leaseNode('default', 'absent'), []],
  ]
  await store.database.view(async view => {
    for (const [kind, from, to] of cases) {
      t.deepEqual((await kind.references(view, from)).map(nodeId), to.map(nodeId), nodeId(from))
    }
  })
})

/** A kind of records that is not orlop's: streams, of which some are open, and which may refer to blobs. */
function streams(at: Date, refs: Readonly<Record<string, readonly Node[]>>, open: readonly string[]) {
  const left = new Map(Object.entries(refs))
  const stream = (key: string): Node => ({ kind: 'stream', namespace: 'default', key })
  const collectible: Collectible = {
    kind: 'stream',
    async *all() {
      for (const key of left.keys()) {
        const scanned = { node: stream(key), parents: [], createdAt: at }
        yield open.includes(key) ? { ...scanned, root: 'open stream' } : scanned
      }
    },
    references: async (_, { key }) => left.get(key) ?? [],
    remove: async (_, { key }) => ({ removed: left.delete(key) }),
  }
  return { left, collectible }
}

test('TestCollectibleResources: a kind of yours is kept by labels and as a root, else removed', async t => {
  const { left, collectible } = streams(new Date(0), { open: [], named: [], stray: [] }, ['open'])
  const store = collectedStore(t, { more: [collectible] })
  await putText(store.content, 'blob', { ...root, 'containerd.io/gc.ref.stream.x': 'named' })
  t.deepEqual((await store.collector.collect()).records, { stream: 1 })
  t.deepEqual([...left.keys()], ['open', 'named'])
})

test('TestCollectionWithReferences: what a kind of yours refers to is kept as long as it is', async t => {
  const refs = {
    a: [contentNode('default', digestOfText('one'))],
    b: [contentNode('default', digestOfText('two'))],
  }
  const { left, collectible } = streams(new Date(0), refs, ['a'])
  const store = collectedStore(t, { more: [collectible] })
  for (const text of ['one', 'two']) await putText(store.content, text)
  t.deepEqual((await store.collector.collect()).records, { stream: 1, content: 1 })
  t.deepEqual([...left.keys()], ['a'])
  t.deepEqual(await bytesIn(store), [digestOfText('one')])
})

test('TestMetadataCollector: a store with images, leases, a flat lease and a kind of yours, from end to end', async t => {
  const { left, collectible } = streams(new Date(0), { stray: [] }, [])
  const store = collectedStore(t, { more: [collectible] })
  const { content } = store
  const kept: string[] = []
  const put = async (text: string, labels = {}, keep = true): Promise<void> => {
    await putText(content, text, labels)
    if (keep) kept.push(digestOfText(text))
  }
  await put('target', refOf('layer', '.l.0'))
  await put('layer')
  await put('root', { ...root, ...refOf('below') })
  await put('below')
  await put('held', refOf('held-below'))
  await put('held-below')
  await put('flat', refOf('flat-below'))
  await put('flat-below', {}, false)
  await put('stray', refOf('root'), false)
  await put('expired-target', {}, false)
  await store.images.create({ name: 'image', target: targetOfText('target') })
  await store.images.create({ name: 'expired', target: targetOfText('expired-target'), labels: past })
  await store.leases.create({ id: 'lease' })
  await store.leases.create({ id: 'flat', labels: { 'containerd.io/gc.flat': 'x' } })
  await store.leases.create({ id: 'expired', labels: past })
  await store.leases.addResource('lease', { type: 'content', id: digestOfText('held') })
  await store.leases.addResource('flat', { type: 'content', id: digestOfText('flat') })
  await store.leases.addResource('expired', { type: 'content', id: digestOfText('stray') })
  t.deepEqual((await store.collector.collect()).records, { stream: 1, lease: 1, image: 1, content: 3 })
  t.deepEqual(await bytesIn(store), kept.sort())
  t.is(left.size, 0)
  t.deepEqual((await store.collector.collect()).records, {})
})
