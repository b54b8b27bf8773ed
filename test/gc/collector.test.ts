import test from 'ava'
import type { Labels } from '../../src/content/types.ts'
import { digestOf } from '../../src/oci/digest.ts'
import {
  bytesIn,
  type CollectedStore,
  collectedStore,
  digestOfText,
  putText,
  recordsIn,
  targetOfText,
} from '../support/collected.ts'

const hour = 60 * 60 * 1000
const refOf = (text: string, suffix = ''): Labels => ({
  [`containerd.io/gc.ref.content${suffix}`]: digestOfText(text),
})
/** A time relative to the store's clock, as a label has it. */
const at = ({ clock }: CollectedStore, milliseconds: number): string =>
  new Date(clock.now.getTime() + milliseconds).toISOString()
const later = ({ clock }: CollectedStore, milliseconds: number): void => {
  clock.now = new Date(clock.now.getTime() + milliseconds)
}
/** Which of the texts are blobs of the default namespace. */
async function left({ content }: CollectedStore, ...texts: readonly string[]): Promise<string[]> {
  const found: string[] = []
  for await (const { digest } of content.list()) {
    found.push(...texts.filter(text => digestOfText(text) === digest))
  }
  return found.sort()
}

test('collect() removes a blob that was committed without lease or label, record and bytes', async t => {
  const store = collectedStore(t)
  await putText(store.content, 'alone')
  const done = await store.collector.collect()
  t.deepEqual(done.records, { content: 1 })
  t.is(done.blobs, 1)
  t.is(done.bytes, 5)
  t.is(done.scanned, 1)
  t.deepEqual(await recordsIn(store), [])
  t.deepEqual(await bytesIn(store), [])
})

test('collect() on an empty store does nothing', async t => {
  const done = await collectedStore(t).collector.collect()
  t.deepEqual(done.records, {})
  t.is(done.bytes, 0)
  t.is(done.scanned, 0)
})

test('collect() keeps what an image reaches through labels, however deep', async t => {
  const store = collectedStore(t)
  await putText(store.content, 'layer')
  await putText(store.content, 'manifest', refOf('layer', '.l.0'))
  await putText(store.content, 'index', refOf('manifest', '.m.0'))
  await putText(store.content, 'other')
  await store.images.create({ name: 'a', target: targetOfText('index') })
  await store.collector.collect()
  t.deepEqual(await left(store, 'layer', 'manifest', 'index', 'other'), ['index', 'layer', 'manifest'])
  await store.images.delete('a')
  await store.collector.collect()
  t.deepEqual(await left(store, 'layer', 'manifest', 'index'), [])
  t.deepEqual(await bytesIn(store), [])
})

const followsLabel = test.macro({
  async exec(t, suffix: string, follows: boolean) {
    const store = collectedStore(t)
    await putText(store.content, 'child')
    await putText(store.content, 'root', { 'containerd.io/gc.root': 'x', ...refOf('child', suffix) })
    await store.collector.collect()
    t.deepEqual(await left(store, 'child', 'root'), follows ? ['child', 'root'] : ['root'])
  },
  title: (_, suffix, follows) =>
    `collect() ${follows ? 'follows' : 'ignores'} the label containerd.io/gc.ref.content${suffix}`,
})
test(followsLabel, '', true)
test(followsLabel, '.config', true)
test(followsLabel, '.l.0', true)
test(followsLabel, '/anything', true)
test(followsLabel, 'bad', false)
test(followsLabel, '-0', false)

for (const key of ['containerd.io/gc.root', 'containerd.io/gc.root.mine', 'containerd.io/gc.rooted']) {
  test(`collect() takes a blob with the label ${key} for a root`, async t => {
    const store = collectedStore(t)
    await putText(store.content, 'root', { [key]: 'true' })
    await store.collector.collect()
    t.deepEqual(await left(store, 'root'), ['root'])
  })
}

for (const value of ['sha256:abc', 'nonsense', '../../etc', `sha256:${'A'.repeat(64)}`, '__proto__']) {
  test(`collect() ignores a reference to ${value}, which is no digest`, async t => {
    const store = collectedStore(t)
    await putText(store.content, 'root', {
      'containerd.io/gc.root': 'x',
      'containerd.io/gc.ref.content': value,
      'containerd.io/gc.bref.content': value,
    })
    await putText(store.content, 'other')
    await store.collector.collect()
    t.deepEqual(await left(store, 'root', 'other'), ['root'])
  })
}

test('collect() ignores references to what does not exist, and kinds it does not know', async t => {
  const store = collectedStore(t)
  await putText(store.content, 'root', {
    'containerd.io/gc.root': 'x',
    ...refOf('absent'),
    'containerd.io/gc.ref.image': 'absent',
    'containerd.io/gc.ref.snapshot.overlayfs': 'key',
    'containerd.io/gc.ref.stream': 'id',
    'containerd.io/gc.ref.': 'empty',
    'containerd.io/gc.bref.container': 'c1',
  })
  await store.collector.collect()
  t.deepEqual(await left(store, 'root'), ['root'])
})

test('collect() is not led in circles by labels, and removes a circle that nothing reaches', async t => {
  const store = collectedStore(t)
  await putText(store.content, 'a', refOf('b'))
  await putText(store.content, 'b', refOf('a'))
  await putText(store.content, 'self', refOf('self'))
  await putText(store.content, 'c', { ...refOf('d'), 'containerd.io/gc.root': 'x' })
  await putText(store.content, 'd', refOf('c'))
  await store.collector.collect()
  t.deepEqual(await left(store, 'a', 'b', 'self', 'c', 'd'), ['c', 'd'])
})

test('collect() never follows a reference into another namespace', async t => {
  const store = collectedStore(t)
  const other = store.scope('other')
  await putText(store.content, 'child')
  await putText(other.content, 'root', { 'containerd.io/gc.root': 'x', ...refOf('child') })
  await store.collector.collect()
  t.deepEqual(await recordsIn(store), [`content other ${digestOfText('root')}`])
})

test('collect() removes the bytes of a blob only when the last namespace has lost it', async t => {
  const store = collectedStore(t)
  const other = store.scope('other')
  await putText(store.content, 'shared')
  await putText(other.content, 'shared', { 'containerd.io/gc.root': 'x' })
  const first = await store.collector.collect()
  t.deepEqual(first.records, { content: 1 })
  t.is(first.bytes, 0)
  t.deepEqual(await bytesIn(store), [digestOfText('shared')])
  await other.content.delete(digestOfText('shared'))
  t.is((await store.collector.collect()).bytes, 6)
  t.deepEqual(await bytesIn(store), [])
})

test('collect() keeps what an image names by label, blobs and images', async t => {
  const store = collectedStore(t)
  for (const text of ['target', 'extra', 'second']) await putText(store.content, text)
  const expire = { 'containerd.io/gc.expire': at(store, -hour) }
  await store.images.create({ name: 'b', target: targetOfText('second'), labels: expire })
  await store.images.create({
    name: 'a',
    target: targetOfText('target'),
    labels: { ...refOf('extra', '.x'), 'containerd.io/gc.ref.image.x': 'b' },
  })
  await store.collector.collect()
  t.deepEqual(await left(store, 'target', 'extra', 'second'), ['extra', 'second', 'target'])
  t.is((await store.images.get('b')).name, 'b')
  await store.images.delete('a')
  t.deepEqual((await store.collector.collect()).records, { content: 3, image: 1 })
})

test('collect() keeps an image until gc.expire is past, then removes it and tells', async t => {
  const store = collectedStore(t)
  const events = store.events.subscribe(['topic=="/images/delete"'])
  await putText(store.content, 'target')
  const labels = { 'containerd.io/gc.expire': at(store, hour) }
  await store.images.create({ name: 'a', target: targetOfText('target'), labels })
  await store.collector.collect()
  later(store, hour)
  t.deepEqual((await store.collector.collect()).records, {}, 'not yet: it is exactly then')
  later(store, 1)
  t.deepEqual((await store.collector.collect()).records, { image: 1, content: 1 })
  const { value } = await events[Symbol.asyncIterator]().next()
  t.deepEqual([value?.namespace, value?.event], ['default', { name: 'a' }])
})

for (const value of ['tomorrow', '2026-01-01', '2026-02-30T00:00:00Z', '2020-01-01T24:00:00Z', '0']) {
  test(`collect() takes gc.expire=${value} for no expiry`, async t => {
    const store = collectedStore(t)
    const labels = { 'containerd.io/gc.expire': value }
    await putText(store.content, 'target')
    await store.images.create({ name: 'a', target: targetOfText('target'), labels })
    await store.leases.create({ id: 'l', labels })
    later(store, 100 * 24 * hour)
    t.deepEqual((await store.collector.collect()).records, {})
  })
}

for (const value of ['2026-01-02T03:04:04Z', '2026-01-02T05:04:04+02:00', '2026-01-02T03:04:04.123456789Z']) {
  test(`collect() takes an image with gc.expire=${value} for expired`, async t => {
    const store = collectedStore(t)
    const labels = { 'containerd.io/gc.expire': value }
    await store.images.create({ name: 'a', target: targetOfText('target'), labels })
    t.deepEqual((await store.collector.collect()).records, { image: 1 })
  })
}

test('collect() keeps an expired image that a blob keeps by a back reference of the image', async t => {
  const store = collectedStore(t)
  await putText(store.content, 'parent', { 'containerd.io/gc.root': 'x' })
  await putText(store.content, 'target')
  await store.images.create({
    name: 'a',
    target: targetOfText('target'),
    labels: {
      'containerd.io/gc.expire': at(store, -hour),
      'containerd.io/gc.bref.content.x': digestOfText('parent'),
    },
  })
  t.deepEqual((await store.collector.collect()).records, {})
})

test('collect() keeps a blob that names a live blob or image as its keeper, and what that refers to', async t => {
  const store = collectedStore(t)
  await putText(store.content, 'target')
  await putText(store.content, 'signature', {
    'containerd.io/gc.bref.content.subject': digestOfText('target'),
    ...refOf('payload'),
  })
  await putText(store.content, 'payload')
  await putText(store.content, 'note', { 'containerd.io/gc.bref.image': 'a' })
  await putText(store.content, 'stray', { 'containerd.io/gc.bref.image': 'b' })
  await putText(store.content, 'wrong', { 'containerd.io/gc.brefcontent': digestOfText('target') })
  await store.images.create({ name: 'a', target: targetOfText('target') })
  await store.collector.collect()
  const all = ['target', 'signature', 'payload', 'note', 'stray', 'wrong']
  t.deepEqual(await left(store, ...all), ['note', 'payload', 'signature', 'target'])
})

test('collect() keeps a blob that was committed under a lease until the lease is gone', async t => {
  const store = collectedStore(t)
  await store.leases.create({ id: 'l' })
  await putText(store.scope('default', 'l').content, 'held', refOf('child'))
  await putText(store.content, 'child')
  t.deepEqual((await store.collector.collect()).records, {})
  await store.leases.delete('l')
  t.deepEqual((await store.collector.collect()).records, { content: 2 })
  t.deepEqual(await recordsIn(store), [])
})

test('collect() removes an expired lease, all that says what it held, and what only it held', async t => {
  const store = collectedStore(t)
  await store.leases.create({ id: 'l', expiresIn: hour })
  await putText(store.scope('default', 'l').content, 'held')
  later(store, hour + 1)
  t.deepEqual((await store.collector.collect()).records, { lease: 1, content: 1 })
  await t.throwsAsync(putText(store.scope('default', 'l').content, 'more'), { code: 'NOT_FOUND' })
  await store.leases.create({ id: 'l' })
  for await (const _ of store.leases.resources('l')) t.fail('the lease was to hold nothing')
})

test('collect() removes a lease that holds more than fits in one batch', async t => {
  const store = collectedStore(t)
  await store.leases.create({ id: 'l', expiresIn: hour })
  const adding = Array.from({ length: 2500 }, (_, n) =>
    store.leases.addResource('l', { type: 'images', id: `image-${n}` }),
  )
  await Promise.all(adding)
  later(store, 2 * hour)
  t.deepEqual((await store.collector.collect()).records, { lease: 1 })
  await store.leases.create({ id: 'l' })
  for await (const _ of store.leases.resources('l')) t.fail('the lease was to hold nothing')
})

test('collect() keeps for a flat lease what it holds, and not what that refers to', async t => {
  const store = collectedStore(t)
  for (const text of ['child', 'layer', 'extra']) await putText(store.content, text)
  await putText(store.content, 'manifest', refOf('layer'))
  await putText(store.content, 'blob', refOf('child'))
  await putText(store.content, 'about', { 'containerd.io/gc.bref.content': digestOfText('blob') })
  const expired = { 'containerd.io/gc.expire': at(store, -hour), ...refOf('extra') }
  await store.images.create({ name: 'a', target: targetOfText('manifest'), labels: expired })
  await store.leases.create({ id: 'l', labels: { 'containerd.io/gc.flat': 'true' } })
  await store.leases.addResource('l', { type: 'content', id: digestOfText('blob') })
  await store.leases.addResource('l', { type: 'images', id: 'a' })
  await store.collector.collect()
  t.deepEqual(await left(store, 'child', 'layer', 'extra', 'manifest', 'blob', 'about'), ['blob', 'manifest'])
  t.is((await store.images.get('a')).name, 'a')
})

test('collect() follows references of what is held flat when it is also held in full', async t => {
  const store = collectedStore(t)
  await putText(store.content, 'child')
  await putText(store.content, 'blob', refOf('child'))
  await store.leases.create({ id: 'a', labels: { 'containerd.io/gc.flat': 'true' } })
  await store.leases.create({ id: 'b' })
  for (const id of ['a', 'b']) {
    await store.leases.addResource(id, { type: 'content', id: digestOfText('blob') })
  }
  await store.collector.collect()
  t.deepEqual(await left(store, 'child', 'blob'), ['blob', 'child'])
})

test('collect() keeps an expired image that a lease holds, and its target', async t => {
  const store = collectedStore(t)
  await putText(store.content, 'target')
  await store.leases.create({ id: 'l' })
  const labels = { 'containerd.io/gc.expire': at(store, -hour) }
  await store.scope('default', 'l').images.create({ name: 'a', target: targetOfText('target'), labels })
  t.deepEqual((await store.collector.collect()).records, {})
  await store.leases.delete('l')
  t.deepEqual((await store.collector.collect()).records, { image: 1, content: 1 })
})

test('collect() keeps an ingest without lease for 24 hours, and nothing after its commit', async t => {
  const store = collectedStore(t)
  const writer = await store.content.writer({ ref: 'r' })
  await writer.write(Buffer.from('part'))
  await writer[Symbol.asyncDispose]()
  later(store, 24 * hour)
  t.deepEqual((await store.collector.collect()).records, {})
  later(store, 1)
  const done = await store.collector.collect()
  t.deepEqual(done.records, { ingest: 1 })
  t.is(done.ingests, 1)
  t.is(done.bytes, 4)
  t.deepEqual(await bytesIn(store), [])
})

test('collect() keeps an ingest of a lease as long as the lease', async t => {
  const store = collectedStore(t)
  await store.leases.create({ id: 'l' })
  await using writer = await store.scope('default', 'l').content.writer({ ref: 'r' })
  await writer.write(Buffer.from('part'))
  later(store, 100 * 24 * hour)
  t.deepEqual((await store.collector.collect()).records, {})
  await store.leases.delete('l')
  t.deepEqual((await store.collector.collect()).records, { ingest: 1 })
  await t.throwsAsync(writer.commit(), { code: 'NOT_FOUND' }, 'the lease vanished while it was used')
  t.deepEqual(await recordsIn(store), [])
})

test('collect() keeps the bytes that an open writer shares with another namespace', async t => {
  const store = collectedStore(t)
  const other = store.scope('other')
  const digest = await putText(store.content, 'shared')
  await using writer = await other.content.writer({ ref: 'r', expected: { digest } })
  t.deepEqual((await store.collector.collect()).records, { content: 1 })
  t.deepEqual(await bytesIn(store), [digest])
  t.is(await writer.commit({ digest }), digest)
})

test('collect() removes orphans of the store beneath, blobs and ingests', async t => {
  const store = collectedStore(t)
  await putText(store.backend, 'orphan')
  const writer = await store.backend.writer({ ref: 'default/7/gone' })
  await writer.write(Buffer.from('abc'))
  await writer[Symbol.asyncDispose]()
  const done = await store.collector.collect()
  t.deepEqual([done.records, done.blobs, done.ingests, done.bytes], [{}, 1, 1, 9])
  t.deepEqual(await bytesIn(store), [])
})

test('collect() refuses to guess when a record cannot be read, and removes nothing', async t => {
  const store = collectedStore(t)
  await putText(store.content, 'alone')
  await store.database.update(async tx => tx.put('v1/default/image/broken', { target: 'x' }))
  await t.throwsAsync(store.collector.collect(), { code: 'DATA_LOSS', message: /v1\/default\/image\/broken/ })
  t.deepEqual(await left(store, 'alone'), ['alone'])
  t.deepEqual(await bytesIn(store), [digestOfText('alone')])
})

test('collect() stops when it is told to, with the reason', async t => {
  const store = collectedStore(t)
  await putText(store.content, 'alone')
  const reason = new Error('enough')
  await t.throwsAsync(store.collector.collect({ signal: AbortSignal.abort(reason) }), { is: reason })
  t.deepEqual(await left(store, 'alone'), ['alone'])
  t.deepEqual((await store.collector.collect()).records, { content: 1 }, 'the next run is not hurt')
})

test('collect() collects namespaces that are not listed', async t => {
  const store = collectedStore(t)
  await putText(store.scope('a').content, 'one')
  await putText(store.scope('a-b').content, 'two', { 'containerd.io/gc.root': 'x' })
  await store.database.update(async tx => {
    for (const namespace of ['a', 'a-b']) tx.delete(`namespaces/${namespace}`)
  })
  await store.collector.collect()
  t.deepEqual(await recordsIn(store), [`content a-b ${digestOf(Buffer.from('two'))}`])
  t.deepEqual(await bytesIn(store), [digestOfText('two')])
})
