import { create } from '@bufbuild/protobuf'
import type { Any } from '@bufbuild/protobuf/wkt'
import test, { type ExecutionContext } from 'ava'
import { readBlob } from '../../src/content/blob.ts'
import { pack, unpack } from '../../src/service/any.ts'
import { Connection, type Duplex } from '../../src/service/client/connection.ts'
import {
  StreamInitSchema,
  Streaming,
} from '../../src/service/gen/containerd/services/streaming/v1/streaming_pb.ts'
import { Transfer } from '../../src/service/gen/containerd/services/transfer/v1/transfer_pb.ts'
import { ImageStoreSchema } from '../../src/service/gen/containerd/types/transfer/imagestore_pb.ts'
import { ImageExportStreamSchema } from '../../src/service/gen/containerd/types/transfer/importexport_pb.ts'
import { ProgressSchema } from '../../src/service/gen/containerd/types/transfer/progress_pb.ts'
import {
  AuthRequestSchema,
  AuthResponseSchema,
  AuthType,
  OCIRegistrySchema,
} from '../../src/service/gen/containerd/types/transfer/registry_pb.ts'
import { registryUser, startDockerRegistry } from '../support/docker-registry.ts'
import { directoryWith } from '../support/files.ts'
import { image, index, on } from '../support/image.ts'
import { testWith } from '../support/programs.ts'
import { publish } from '../support/publish.ts'
import { startRegistry } from '../support/registry.ts'
import { openRemote } from '../support/remote.ts'

const place = { namespace: 'test' }
const root = index(
  on('linux/amd64', image('linux/amd64', 'one')),
  on('linux/arm64', image('linux/arm64', 'two')),
)
const arm = { os: 'linux', architecture: 'arm64' }

async function open(t: ExecutionContext) {
  const remote = await openRemote(t)
  const connection = new Connection(remote.address)
  t.teardown(() => connection[Symbol.dispose]())
  return { ...remote, connection, scope: remote.served.scope('test') }
}

/** Opens a stream as containerd's clients do: named, and acknowledged. */
async function openStream(connection: Connection, id: string): Promise<Duplex<Any, Any>> {
  const stream = connection.duplex(Streaming.method.stream, place)
  stream.send(pack(StreamInitSchema, create(StreamInitSchema, { id })))
  await stream.messages.next()
  return stream
}

const registry = (reference: string, authStream = '', hostDir = '') =>
  pack(OCIRegistrySchema, create(OCIRegistrySchema, { reference, resolver: { authStream, hostDir } }))
const store = (init: Parameters<typeof create<typeof ImageStoreSchema>>[1]) =>
  pack(ImageStoreSchema, create(ImageStoreSchema, init))

test('transfer pulls an image for one platform, and tells how it goes', async t => {
  const { connection, scope } = await open(t)
  const source = await startRegistry(t)
  const reference = publish(source, 'a/b', '1', root)
  const stream = await openStream(connection, 'progress')
  const events: string[] = []
  const reading = (async () => {
    for await (const message of stream.messages) {
      const { event, name, parents } = unpack(ProgressSchema, message)
      events.push(parents.length > 0 ? `${parents.join()} > ${name}: ${event}` : `${name}: ${event}`)
    }
  })()
  const request = {
    source: registry(reference),
    destination: store({ name: reference, labels: { a: 'b' }, platforms: [arm], unpacks: [{}] }),
    options: { progressStream: 'progress' },
  }
  await connection.unary(Transfer.method.transfer, request, place)
  await reading
  const { target, labels } = await scope.images.get(reference)
  t.is(target.digest, root.desc.digest)
  t.deepEqual({ ...labels }, { a: 'b' })
  t.is(events[0], `: Resolving from OCI Registry (${reference})`)
  t.is(events[1], `: Pulling from OCI Registry (${reference})`)
  t.deepEqual(events.slice(-2), [`${reference}: saved`, `: Completed pull from OCI Registry (${reference})`])
  t.true(
    events.some(event => /> layer-sha256:[\da-f]{64}: complete$/.test(event)),
    events.join('\n'),
  )
  const there: string[] = []
  for await (const { digest } of scope.content.list()) there.push(digest)
  t.is(there.length, 4, 'index, manifest, config, layer')
  for await (const lease of scope.leases.list()) t.fail(`lease ${lease.id} was left`)
})

test('transfer pulls metadata of all platforms where it is asked to', async t => {
  const { connection, scope } = await open(t)
  const reference = publish(await startRegistry(t), 'a/b', '1', root)
  const destination = store({ name: 'named', platforms: [arm], allMetadata: true })
  await connection.unary(Transfer.method.transfer, { source: registry(reference), destination }, place)
  const there: string[] = []
  for await (const { digest } of scope.content.list()) there.push(digest)
  t.is(there.length, 6, 'index, two manifests, two configs, one layer')
  await readBlob(scope.content, (await scope.images.get('named')).target)
})

test('transfer looks for registries where the hosts directory of the request says', async t => {
  const { connection, scope } = await open(t)
  const mirror = await startRegistry(t)
  publish(mirror, 'a/b', '1', root)
  const directory = await directoryWith(t, { 'a.test/hosts.toml': `server = "http://${mirror.host}"` })
  const request = (hostDir: string) => ({
    source: registry('a.test/a/b:1', '', hostDir),
    destination: store({ name: 'x', platforms: [arm] }),
  })
  await connection.unary(Transfer.method.transfer, request(directory), place)
  t.is((await scope.images.get('x')).target.digest, root.desc.digest)
  await t.throwsAsync(connection.unary(Transfer.method.transfer, request(`${directory}/none`), place), {
    code: 'NOT_FOUND',
  })
})

testWith('docker-registry')('transfer asks the client for credentials', async t => {
  const { connection, scope } = await open(t)
  const source = await startDockerRegistry(t, { auth: 'basic' })
  const stream = await openStream(connection, 'creds')
  const asked: string[] = []
  const answering = (async () => {
    for await (const message of stream.messages) {
      const { host, reference } = unpack(AuthRequestSchema, message)
      asked.push(`${host} ${reference}`)
      const { name: username, password: secret } = registryUser
      const answer = create(AuthResponseSchema, { authType: AuthType.CREDENTIALS, username, secret })
      stream.send(pack(AuthResponseSchema, answer))
    }
  })()
  const reference = `${source.host}/a/b:1`
  const request = { source: registry(reference, 'creds'), destination: store({ name: 'x' }) }
  // Let in, the client is told that there is no such image, and not that it may not look.
  await t.throwsAsync(connection.unary(Transfer.method.transfer, request, place), { code: 'NOT_FOUND' })
  t.is(asked[0], `${source.host} ${reference}`)
  stream.end()
  stream.cancel()
  await answering.catch(() => undefined)
  await t.throwsAsync(scope.images.get('x'), { code: 'NOT_FOUND' })
})

test('transfer tags an image, over one that is there, with the labels of the request only', async t => {
  const { connection, scope } = await open(t)
  await scope.images.create({ name: 'a', target: root.desc, labels: { of: 'a' } })
  await scope.images.create({ name: 'b', target: image('linux/amd64', 'x').desc, labels: { of: 'b' } })
  const request = { source: store({ name: 'a' }), destination: store({ name: 'b', labels: { new: 'yes' } }) }
  await connection.unary(Transfer.method.transfer, request, place)
  const { target, labels } = await scope.images.get('b')
  t.is(target.digest, root.desc.digest)
  t.deepEqual({ ...labels }, { new: 'yes' })
})

test('transfer refuses what it cannot do, by kind', async t => {
  const { connection } = await open(t)
  const call = (source: Any, destination: Any, options = {}) =>
    connection.unary(Transfer.method.transfer, { source, destination, options }, place)
  const nowhere = pack(ImageExportStreamSchema, create(ImageExportStreamSchema, { stream: 'x' }))
  await t.throwsAsync(call(store({ name: 'a' }), nowhere), { code: 'UNIMPLEMENTED', message: /--local/ })
  await t.throwsAsync(call(store({ name: 'a' }), registry('example.com/a:1')), { code: 'UNIMPLEMENTED' })
  await t.throwsAsync(call(store({ name: 'a' }), store({ name: 'b' })), { code: 'NOT_FOUND', message: /"a"/ })
  await t.throwsAsync(call(registry('not a reference'), store({ name: 'b' })), { code: 'INVALID_ARGUMENT' })
  const prefixed = {
    ...store({ name: 'a' }),
    typeUrl: 'type.googleapis.com/containerd.types.transfer.ImageStore',
  }
  await t.throwsAsync(call(prefixed, store({ name: 'b' })), { code: 'UNKNOWN' })
  await t.throwsAsync(call(store({ name: 'a' }), store({ name: 'b' }), { progressStream: 'none' }), {
    code: 'NOT_FOUND',
    message: /stream "none"/,
  })
})

test('streams have ids of their own in each namespace, and are gone when they end', async t => {
  const { connection } = await open(t)
  const first = await openStream(connection, 'id')
  await t.throwsAsync(openStream(connection, 'id'), { code: 'ALREADY_EXISTS' })
  await t.throwsAsync(openStream(connection, ''), { code: 'INVALID_ARGUMENT' })
  const wrong = connection.duplex(Streaming.method.stream, place)
  wrong.send(pack(ImageStoreSchema, create(ImageStoreSchema, {})))
  await t.throwsAsync(wrong.messages.next(), { code: 'INVALID_ARGUMENT', message: /StreamInit/ })
  first.cancel()
  await first.messages.next().catch(() => undefined)
})
