import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import test, { type ExecutionContext } from 'ava'
import { digestOf } from '../../src/oci/digest.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'
import { pack } from '../../src/service/any.ts'
import { Connection } from '../../src/service/client/connection.ts'
import { ContentDeleteSchema } from '../../src/service/gen/containerd/events/content_pb.ts'
import { Events } from '../../src/service/gen/containerd/services/events/v1/events_pb.ts'
import {
  Images,
  type UpdateImageRequestSchema,
} from '../../src/service/gen/containerd/services/images/v1/images_pb.ts'
import { Introspection } from '../../src/service/gen/containerd/services/introspection/v1/introspection_pb.ts'
import { Leases } from '../../src/service/gen/containerd/services/leases/v1/leases_pb.ts'
import { Namespaces } from '../../src/service/gen/containerd/services/namespaces/v1/namespace_pb.ts'
import { openRemote } from '../support/remote.ts'

const place = { namespace: 'test' }
const target = { mediaType: mediaTypes.ociManifest, digest: digestOf('x'), size: 3n }

async function open(t: ExecutionContext) {
  const remote = await openRemote(t)
  const connection = new Connection(remote.address)
  t.teardown(() => connection[Symbol.dispose]())
  return { ...remote, connection, scope: remote.served.scope('test') }
}

test('Images.Create and Update take their dates from source_date_epoch', async t => {
  const { connection, scope } = await open(t)
  const epoch = timestampFromDate(new Date('2001-02-03T04:05:06Z'))
  await connection.unary(
    Images.method.create,
    { image: { name: 'a', target }, sourceDateEpoch: epoch },
    place,
  )
  t.is((await scope.images.get('a')).createdAt.toISOString(), '2001-02-03T04:05:06.000Z')
  const update = {
    image: { name: 'a', labels: { b: 'c' } },
    updateMask: { paths: ['labels.b'] },
    sourceDateEpoch: epoch,
  }
  await connection.unary(Images.method.update, update, place)
  t.is((await scope.images.get('a')).updatedAt.toISOString(), '2001-02-03T04:05:06.000Z')
})

test('what orlop adds to a descriptor changes nothing of what containerd has in it', async t => {
  const { connection, scope } = await open(t)
  const more = {
    digest: digestOf('y'),
    size: 9,
    mediaType: 'b/c',
    annotations: { a: 'b' },
    artifactType: 'd/e',
  }
  const orlopJson = Buffer.from(JSON.stringify(more))
  await connection.unary(
    Images.method.create,
    { image: { name: 'a', target: { ...target, orlopJson } } },
    place,
  )
  t.deepEqual((await scope.images.get('a')).target, { ...target, size: 3, artifactType: 'd/e' })
})

test('Images.Update without a mask replaces all; with one, only that', async t => {
  const { connection, scope } = await open(t)
  await scope.images.create({ name: 'a', target: { ...target, size: 3 }, labels: { a: '1', b: '2' } })
  const masked = { image: { name: 'a', labels: { b: '3' } }, updateMask: { paths: ['labels.a', 'labels.b'] } }
  await connection.unary(Images.method.update, masked, place)
  t.deepEqual({ ...(await scope.images.get('a')).labels }, { b: '3' })
  await connection.unary(Images.method.update, { image: { name: 'a', target } }, place)
  t.deepEqual({ ...(await scope.images.get('a')).labels }, {})
  const refused: ReadonlyArray<readonly [MessageInitShape<typeof UpdateImageRequestSchema>, string]> = [
    [{ image: { name: 'a' } }, 'INVALID_ARGUMENT'],
    [{ image: { name: 'a', target }, updateMask: { paths: ['name'] } }, 'INVALID_ARGUMENT'],
    [{ image: { name: '', target } }, 'INVALID_ARGUMENT'],
    [{}, 'INVALID_ARGUMENT'],
    [{ image: { name: 'none', target } }, 'NOT_FOUND'],
    [{ image: { name: 'a', target: { ...target, orlopJson: Buffer.from('[]') } } }, 'INVALID_ARGUMENT'],
    [
      { image: { name: 'a', target: { ...target, orlopJson: Buffer.from('{"urls":1}') } } },
      'INVALID_ARGUMENT',
    ],
    [{ image: { name: 'none' }, updateMask: { paths: ['labels'] } }, 'NOT_FOUND'],
  ]
  for (const [request, code] of refused) {
    await t.throwsAsync(connection.unary(Images.method.update, request, place), { code })
  }
})

test('Images.Delete and Leases.Delete wait for a collection when they are told to', async t => {
  const { connection, scope, collections } = await open(t)
  for (const [at, sync] of [false, true].entries()) {
    await scope.images.create({ name: 'a', target: { ...target, size: 3 } })
    await connection.unary(Images.method.delete, { name: 'a', sync }, place)
    await scope.leases.create({ id: 'l' })
    await connection.unary(Leases.method.delete, { id: 'l', sync }, place)
    t.is(collections(), at * 2)
  }
})

test('Images.Delete of a name that points elsewhere is NOT_FOUND', async t => {
  const { connection, scope } = await open(t)
  await scope.images.create({ name: 'a', target: { ...target, size: 3 } })
  const request = { name: 'a', target: { digest: digestOf('other') } }
  await t.throwsAsync(connection.unary(Images.method.delete, request, place), { code: 'NOT_FOUND' })
  await connection.unary(Images.method.delete, { name: 'a', target: { digest: target.digest } }, place)
})

test('what is made under the lease of the header is held by it', async t => {
  const { store, scope } = await open(t)
  const { id } = await scope.leases.create()
  await using writer = await store.scope('test', { lease: id }).content.writer({ ref: 'r' })
  await writer.write(Buffer.from('x'))
  const digest = await writer.commit()
  const held: object[] = []
  for await (const resource of scope.leases.resources(id)) held.push({ ...resource })
  t.deepEqual(held, [{ type: 'content', id: digest }])
  const { content } = store.scope('test', { lease: 'none' })
  await t.throwsAsync(content.writer({ ref: 'r' }), { code: 'NOT_FOUND' })
})

test('Namespaces: labels one by one, all at once, and none of a namespace that is absent', async t => {
  const { connection, served } = await open(t)
  t.deepEqual({ ...(await connection.unary(Namespaces.method.get, { name: 'a' }, {})).namespace?.labels }, {})
  await connection.unary(
    Namespaces.method.create,
    { namespace: { name: 'a', labels: { b: '1', c: '2' } } },
    {},
  )
  const one = { namespace: { name: 'a', labels: { b: '3' } }, updateMask: { paths: ['labels.b'] } }
  await connection.unary(Namespaces.method.update, one, {})
  t.deepEqual({ ...(await served.namespaces.labels('a')) }, { b: '3', c: '2' })
  await connection.unary(Namespaces.method.update, { namespace: { name: 'a', labels: { d: '4' } } }, {})
  t.deepEqual({ ...(await served.namespaces.labels('a')) }, { d: '4' })
  const wrong = { namespace: { name: 'a' }, updateMask: { paths: ['name'] } }
  await t.throwsAsync(connection.unary(Namespaces.method.update, wrong, {}), { code: 'INVALID_ARGUMENT' })
})

test('Events: what a client publishes arrives as it was sent; ours as containerd’s messages', async t => {
  const { connection, store, served } = await open(t)
  const stop = new AbortController()
  const messages = connection.stream(
    Events.method.subscribe,
    { filters: ['topic=="/x/y"', 'event.name==a'] },
    stop,
  )
  const client = store.events.subscribe(['event.name==a'], stop)[Symbol.asyncIterator]()
  const first = messages.next()
  const seen = client.next()
  // The service is asked again until it has heard of both.
  let arrived = false
  void Promise.allSettled([first, seen]).then(() => {
    arrived = true
  })
  while (!arrived) {
    await served.namespaces.update('a', { labels: { b: 'c' } })
    await connection.unary(Namespaces.method.list, {}, {})
  }
  const { value: ours } = await first
  t.is(ours?.event?.typeUrl, 'containerd.events.NamespaceUpdate')
  const { value: plain } = await seen
  t.deepEqual(JSON.parse(JSON.stringify(plain?.event)), { name: 'a', labels: { b: 'c' } })
  const event = pack(ContentDeleteSchema, create(ContentDeleteSchema, { digest: 'd' }))
  await connection.unary(Events.method.publish, { topic: '/x/y', event }, place)
  const foreign = {
    $typeName: 'google.protobuf.Any',
    typeUrl: 'example.Thing',
    value: new Uint8Array([1, 2]),
  } as const
  await connection.unary(Events.method.publish, { topic: '/x/y', event: foreign }, place)
  const got: Array<readonly [string | undefined, readonly number[]]> = []
  while (got.length < 2) {
    const { value } = await messages.next()
    if (value?.topic === '/x/y') got.push([value.event?.typeUrl, [...(value.event?.value ?? [])]])
  }
  t.deepEqual(got, [
    ['containerd.events.ContentDelete', [...event.value]],
    ['example.Thing', [1, 2]],
  ])
  stop.abort()
  await messages.next().catch(() => undefined)
})

test('Events: a bad topic, filter or envelope is INVALID_ARGUMENT', async t => {
  const { connection } = await open(t)
  for (const topic of ['', '/', 'x', '/a b', '/a//b']) {
    await t.throwsAsync(connection.unary(Events.method.publish, { topic }, place), {
      code: 'INVALID_ARGUMENT',
    })
  }
  const subscribed = connection.stream(Events.method.subscribe, { filters: ['topic=='] }, {})
  await t.throwsAsync(subscribed.next(), { code: 'INVALID_ARGUMENT' })
  const envelope = { namespace: 'test', topic: '/x' }
  await t.throwsAsync(connection.unary(Events.method.forward, { envelope }, {}), { code: 'INVALID_ARGUMENT' })
  await t.throwsAsync(connection.unary(Events.method.forward, {}, {}), { code: 'INVALID_ARGUMENT' })
})

test('Introspection.Plugins filters by type and id; PluginInfo knows those and no other', async t => {
  const { connection } = await open(t)
  const ids = async (...filters: string[]) =>
    (await connection.unary(Introspection.method.plugins, { filters }, {})).plugins.map(({ id }) => id)
  t.deepEqual(await ids('type==io.containerd.content.v1'), ['content'])
  t.deepEqual(await ids('id==images'), ['images'])
  t.deepEqual(await ids('name==images'), [])
  t.true((await ids()).length > 10)
  await t.throwsAsync(ids('type=='), { code: 'INVALID_ARGUMENT' })
  const ask = (id: string) =>
    connection.unary(Introspection.method.pluginInfo, { type: 'io.containerd.grpc.v1', id }, {})
  t.is((await ask('images')).plugin?.id, 'images')
  await t.throwsAsync(ask('tasks'), { code: 'NOT_FOUND' })
})
