import test from 'ava'
import { labelKeys } from '../../src/oci/annotations.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'
import { Runtime, type Scope } from '../../src/runtime/runtime.ts'
import { temporaryDirectory } from '../support/tmp.ts'

const bytes = Buffer.from('a layer')
const digest = digestOf(bytes)
const target = { mediaType: mediaTypes.ociManifest, digest, size: bytes.byteLength }

/** What `work` made known: namespace, topic and payload of each event. */
async function eventsOf(
  t: Parameters<typeof temporaryDirectory>[0],
  work: (runtime: Runtime) => Promise<void>,
) {
  const runtime = await Runtime.open({ root: await temporaryDirectory(t) })
  t.teardown(() => runtime.close())
  const control = new AbortController()
  const events = runtime.events.subscribe([], control)
  await work(runtime)
  await runtime.namespaces.create('the-end')
  const seen: unknown[] = []
  for await (const { namespace, topic, event } of events) {
    if (namespace === 'the-end') break
    seen.push([namespace, topic, event])
  }
  return seen
}

async function commit({ content }: Scope, mediaType?: string): Promise<void> {
  await using writer = await content.writer({
    ref: 'r',
    expected: { digest, ...(mediaType && { mediaType }) },
  })
  // Bytes that another namespace has are there already.
  if (writer.offset === 0) await writer.write(bytes)
  await writer.commit()
}

test('Runtime publishes /images/create, update and delete with name and labels', async t => {
  const seen = await eventsOf(t, async runtime => {
    const { images } = runtime.scope('one')
    await images.create({ name: 'a', target, labels: { x: '1', gone: '' } })
    await images.update('a', { labels: { x: null, y: '2' } })
    await images.update('a', { target: { ...target, size: 9 } })
    await images.delete('a')
  })
  t.deepEqual(seen, [
    ['one', '/images/create', { name: 'a', labels: { x: '1' } }],
    ['one', '/images/update', { name: 'a', labels: { y: '2' } }],
    ['one', '/images/update', { name: 'a', labels: { y: '2' } }],
    ['one', '/images/delete', { name: 'a' }],
  ])
})

test('Runtime publishes /content/create with digest, size and media type, and /content/delete with the digest', async t => {
  const seen = await eventsOf(t, async runtime => {
    await commit(runtime.scope('one'), mediaTypes.ociLayer)
    await commit(runtime.scope('two'))
    await runtime.scope('one').content.update(digest, { labels: { a: 'b' } })
    await runtime.scope('one').content.delete(digest)
  })
  t.deepEqual(seen, [
    ['one', '/content/create', { digest, size: 7, mediaType: mediaTypes.ociLayer }],
    ['two', '/content/create', { digest, size: 7, mediaType: '' }],
    ['one', '/content/delete', { digest }],
  ])
})

test('Runtime publishes /namespaces/create, update and delete in the namespace itself', async t => {
  const seen = await eventsOf(t, async ({ namespaces }) => {
    await namespaces.create('new', { a: '1' })
    await namespaces.update('new', { labels: { b: '2' } })
    await namespaces.delete('new')
  })
  t.deepEqual(seen, [
    ['new', '/namespaces/create', { name: 'new', labels: { a: '1' } }],
    ['new', '/namespaces/update', { name: 'new', labels: { a: '1', b: '2' } }],
    ['new', '/namespaces/delete', { name: 'new' }],
  ])
})

test('Runtime publishes nothing of leases, ingests, and namespaces that come with their first record', async t => {
  const seen = await eventsOf(t, async runtime => {
    const { leases, content } = runtime.scope('one')
    await leases.create({ id: 'l', labels: { [labelKeys.gcFlat]: '1' } })
    await leases.addResource('l', { type: 'content', id: digest })
    await leases.deleteResource('l', { type: 'content', id: digest })
    await leases.delete('l')
    await using writer = await content.writer({ ref: 'r' })
    await writer.write(bytes)
    await content.abort('r')
  })
  t.deepEqual(seen, [])
})

test('Runtime publishes nothing of what failed', async t => {
  const seen = await eventsOf(t, async runtime => {
    const { images, content } = runtime.scope('one')
    await t.throwsAsync(images.update('a', { labels: { b: 'c' } }), { code: 'NOT_FOUND' })
    await t.throwsAsync(images.delete('a'), { code: 'NOT_FOUND' })
    await t.throwsAsync(images.create({ name: '', target }), { code: 'INVALID_ARGUMENT' })
    await t.throwsAsync(content.delete(digest), { code: 'NOT_FOUND' })
    await t.throwsAsync(runtime.namespaces.create('a/b'), { code: 'INVALID_ARGUMENT' })
    await using writer = await content.writer({ ref: 'r' })
    await writer.write(bytes)
    await t.throwsAsync(writer.commit({ size: 1 }), { code: 'FAILED_PRECONDITION' })
  })
  t.deepEqual(seen, [])
})

test('Runtime publishes no delete of an image that points elsewhere than was said', async t => {
  const seen = await eventsOf(t, async runtime => {
    const { images } = runtime.scope('one')
    await images.create({ name: 'a', target })
    await t.throwsAsync(images.delete('a', { target: digestOf('other') }), { code: 'NOT_FOUND' })
  })
  t.deepEqual(seen, [['one', '/images/create', { name: 'a', labels: {} }]])
})
