import test from 'ava'
import type { Collectible } from '../../src/metadata/collectible.ts'
import {
  bytesIn,
  type CollectedStore,
  collectedStore,
  digestOfText,
  putText,
  targetOfText,
} from '../support/collected.ts'
import type { Teardown } from '../support/tmp.ts'

const refOf = (text: string) => ({ 'containerd.io/gc.ref.content': digestOfText(text) })

/** A store whose collections do `work` once all records were read and before anything is marked. */
function storeWith(t: Teardown, work: (store: CollectedStore) => Promise<unknown>): CollectedStore {
  let pending: typeof work | undefined = work
  const between: Collectible = {
    kind: 'between',
    // biome-ignore lint/correctness/useYield: it has no records
    async *all() {
      const now = pending
      pending = undefined
      await now?.(store)
    },
    references: async () => [],
    remove: async () => ({ removed: false }),
  }
  const store: CollectedStore = collectedStore(t, { more: [between] })
  return store
}

/** An index that names a manifest that names a layer. */
async function putChain({ content }: CollectedStore): Promise<void> {
  await putText(content, 'layer')
  await putText(content, 'manifest', refOf('layer'))
  await putText(content, 'index', refOf('manifest'))
}

const chain = ['index', 'layer', 'manifest'].map(digestOfText).sort()

const keeps = test.macro({
  async exec(t, _title: string, work: (store: CollectedStore) => Promise<unknown>) {
    const store = storeWith(t, work)
    await putChain(store)
    await store.collector.collect()
    t.deepEqual(await bytesIn(store), chain)
  },
  title: (_, title) => `collect() keeps what became reachable while it read: ${title}`,
})

test(keeps, 'by a new image', ({ images }) => images.create({ name: 'a', target: targetOfText('index') }))
test(keeps, 'by a new lease', async ({ leases }) => {
  await leases.create({ id: 'l' })
  await leases.addResource('l', { type: 'content', id: digestOfText('index') })
})
test(keeps, 'by a label that makes it a root', ({ content }) =>
  content.update(digestOfText('index'), { labels: { 'containerd.io/gc.root': 'x' } }),
)
test(keeps, 'by a new blob that refers to it', async ({ content }) =>
  putText(content, 'index', refOf('manifest')).catch(() =>
    content.update(digestOfText('index'), { labels: { 'containerd.io/gc.root': 'x' } }),
  ),
)
test(keeps, 'by a writer that found it here, under a lease', async ({ leases, scope }) => {
  await leases.create({ id: 'l' })
  const { content } = scope('default', 'l')
  const opening = content.writer({ ref: 'r', expected: { digest: digestOfText('index') } })
  await opening.catch(() => undefined)
})

test('collect() keeps what a live blob was made to refer to while it read', async t => {
  const store = storeWith(t, ({ content }) =>
    content.update(digestOfText('root'), { labels: refOf('manifest') }),
  )
  await putText(store.content, 'layer')
  await putText(store.content, 'manifest', refOf('layer'))
  await putText(store.content, 'root', { 'containerd.io/gc.root': 'x' })
  await store.collector.collect()
  t.deepEqual(await bytesIn(store), ['layer', 'manifest', 'root'].map(digestOfText).sort())
})

test('collect() keeps what names its keeper anew while it read', async t => {
  const store = storeWith(t, ({ content }) =>
    content.update(digestOfText('note'), {
      labels: { 'containerd.io/gc.bref.content': digestOfText('root') },
    }),
  )
  await putText(store.content, 'root', { 'containerd.io/gc.root': 'x' })
  await putText(store.content, 'note')
  await store.collector.collect()
  t.deepEqual(await bytesIn(store), ['note', 'root'].map(digestOfText).sort())
})

test('collect() keeps a blob whose keeper became reachable while it read, by the back reference it had', async t => {
  const store = storeWith(t, ({ images }) => images.create({ name: 'a', target: targetOfText('index') }))
  await putChain(store)
  await putText(store.content, 'note', { 'containerd.io/gc.bref.content': digestOfText('layer') })
  await store.collector.collect()
  t.deepEqual(await bytesIn(store), [...chain, digestOfText('note')].sort())
})

test('collect() leaves garbage that was written while it read to the next run', async t => {
  const store = storeWith(t, ({ content }) => putText(content, 'late'))
  t.deepEqual((await store.collector.collect()).records, {})
  t.deepEqual(await bytesIn(store), [digestOfText('late')])
  t.deepEqual((await store.collector.collect()).records, { content: 1 })
})

test('collect() removes an image that was deleted while it read once, and does not tell of it again', async t => {
  const store = storeWith(t, ({ images }) => images.delete('a'))
  const labels = { 'containerd.io/gc.expire': '2020-01-01T00:00:00Z' }
  await store.images.create({ name: 'a', target: targetOfText('x'), labels })
  const events = store.events.subscribe(['topic=="/images/delete"', 'topic=="/images/create"'])
  t.deepEqual((await store.collector.collect()).records, {})
  await store.images.create({ name: 'b', target: targetOfText('x') })
  const topics: string[] = []
  for await (const { topic } of events) {
    topics.push(topic)
    if (topic === '/images/create') break
  }
  t.deepEqual(topics, ['/images/delete', '/images/create'])
})

test('collect() removes what refers before what is referred to, so what is taken up again is whole', async t => {
  const store = collectedStore(t)
  for (let n = 0; n < 600; n++) await putText(store.content, `filler-${n}`)
  await putChain(store)
  const order: string[] = []
  let creating: Promise<unknown> | undefined
  await store.collector.collect({
    onRemoved: ({ namespace, key }) => {
      if (namespace !== undefined) order.push(key)
      // Between two batches.
      creating ??= store.images.create({ name: 'a', target: targetOfText('index') })
    },
  })
  await creating
  const left = await bytesIn(store)
  const at = ['index', 'manifest', 'layer'].map(text => order.indexOf(digestOfText(text)))
  if (left.length > 0) t.deepEqual(left, chain)
  else
    t.deepEqual(
      at,
      at.toSorted((a, b) => a - b),
    )
  t.true(order.length >= 600)
})

test('collect() keeps a blob whose commit is under way when it looks at the bytes', async t => {
  const store = collectedStore(t)
  await store.leases.create({ id: 'l' })
  const { content } = store.scope('default', 'l')
  await using writer = await content.writer({ ref: 'r' })
  await writer.write(Buffer.from('bytes'))
  const [digest] = await Promise.all([writer.commit(), store.collector.collect(), store.collector.collect()])
  t.deepEqual(await bytesIn(store), [digest])
  t.is((await content.info(digest)).size, 5)
})

test('collect() runs one after the other when called twice', async t => {
  const store = collectedStore(t)
  await putText(store.content, 'alone')
  const [first, second] = await Promise.all([store.collector.collect(), store.collector.collect()])
  t.deepEqual([first.records, second.records], [{ content: 1 }, {}])
})
