import { create } from '@bufbuild/protobuf'
import test from 'ava'
import { readBlob } from '../../../src/content/blob.ts'
import { pack, unpack } from '../../../src/service/any.ts'
import { Streaming } from '../../../src/service/gen/containerd/services/streaming/v1/streaming_pb.ts'
import {
  AuthRequestSchema,
  AuthResponseSchema,
  AuthType,
} from '../../../src/service/gen/containerd/types/transfer/registry_pb.ts'
import { all } from '../../support/bytes.ts'
import { registryUser, startDockerRegistry } from '../../support/docker-registry.ts'
import { directoryWith } from '../../support/files.ts'
import { image, index, on } from '../../support/image.ts'
import { testWith } from '../../support/programs.ts'
import { publish } from '../../support/publish.ts'
import { startRegistry } from '../../support/registry.ts'
import { archiveOut, openTransfer, place, progressOn, registry, store } from '../../support/transfer.ts'

const root = index(
  on('linux/amd64', image('linux/amd64', 'one')),
  on('linux/arm64', image('linux/arm64', 'two')),
)
const arm = { os: 'linux', architecture: 'arm64' }

test('transfer pulls an image for one platform, and tells how it goes', async t => {
  const { stream, transfer, scope } = await openTransfer(t)
  const source = await startRegistry(t)
  const reference = publish(source, 'a/b', '1', root)
  const told = progressOn(await stream('progress'))
  const destination = store({ name: reference, labels: { a: 'b' }, platforms: [arm], unpacks: [{}] })
  await transfer(registry(reference), destination, 'progress')
  const events = await told
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
  t.is((await all(scope.content.list())).length, 4, 'index, manifest, config, layer')
  t.deepEqual(await all(scope.leases.list()), [])
})

test('transfer pulls metadata of all platforms where it is asked to', async t => {
  const { transfer, scope } = await openTransfer(t)
  const reference = publish(await startRegistry(t), 'a/b', '1', root)
  const destination = store({ name: 'named', platforms: [arm], allMetadata: true })
  await transfer(registry(reference), destination)
  t.is((await all(scope.content.list())).length, 6, 'index, two manifests, two configs, one layer')
  await readBlob(scope.content, (await scope.images.get('named')).target)
})

test('transfer looks for registries where the hosts directory of the request says', async t => {
  const { transfer, scope } = await openTransfer(t)
  const mirror = await startRegistry(t)
  publish(mirror, 'a/b', '1', root)
  const directory = await directoryWith(t, { 'a.test/hosts.toml': `server = "http://${mirror.host}"` })
  const pull = (hostDir: string) =>
    transfer(registry('a.test/a/b:1', { hostDir }), store({ name: 'x', platforms: [arm] }))
  await pull(directory)
  t.is((await scope.images.get('x')).target.digest, root.desc.digest)
  await t.throwsAsync(pull(`${directory}/none`), { code: 'NOT_FOUND' })
})

test('transfer sends the headers of the request to no mirror', async t => {
  const { transfer } = await openTransfer(t)
  const mirror = await startRegistry(t)
  publish(mirror, 'a/b', '1', root)
  const directory = await directoryWith(t, {
    'a.test/hosts.toml': `server = "http://a.test"\n[host."http://${mirror.host}"]`,
  })
  const from = registry('a.test/a/b:1', { hostDir: directory, headers: { 'X-Token': 'secret' } })
  await transfer(from, store({ name: 'x', platforms: [arm] }))
  t.true(mirror.requests.length > 0)
  t.true(mirror.requests.every(({ headers }) => headers['x-token'] === undefined))
})

testWith('docker-registry')('transfer asks the client for credentials', async t => {
  const { stream, transfer, scope } = await openTransfer(t)
  const source = await startDockerRegistry(t, { auth: 'basic' })
  const creds = await stream('creds')
  const asked: string[] = []
  const answering = (async () => {
    for await (const message of creds.messages) {
      const { host, reference } = unpack(AuthRequestSchema, message)
      asked.push(`${host} ${reference}`)
      const { name: username, password: secret } = registryUser
      const answer = create(AuthResponseSchema, { authType: AuthType.CREDENTIALS, username, secret })
      creds.send(pack(AuthResponseSchema, answer))
    }
  })()
  const reference = `${source.host}/a/b:1`
  const pulling = transfer(registry(reference, { authStream: 'creds' }), store({ name: 'x' }))
  // Let in, the client is told that there is no such image, and not that it may not look.
  await t.throwsAsync(pulling, { code: 'NOT_FOUND' })
  t.is(asked[0], `${source.host} ${reference}`)
  creds.end()
  creds.cancel()
  await answering.catch(() => undefined)
  await t.throwsAsync(scope.images.get('x'), { code: 'NOT_FOUND' })
})

test('transfer tags an image, over one that is there, with the labels of the request only', async t => {
  const { transfer, scope } = await openTransfer(t)
  await scope.images.create({ name: 'a', target: root.desc, labels: { of: 'a' } })
  await scope.images.create({ name: 'b', target: image('linux/amd64', 'x').desc, labels: { of: 'b' } })
  await transfer(store({ name: 'a' }), store({ name: 'b', labels: { new: 'yes' } }))
  const { target, labels } = await scope.images.get('b')
  t.is(target.digest, root.desc.digest)
  t.deepEqual({ ...labels }, { new: 'yes' })
})

test('transfer refuses what it cannot do, by kind', async t => {
  const { transfer } = await openTransfer(t)
  const reference = registry('example.com/a:1')
  await t.throwsAsync(transfer(reference, archiveOut({ stream: 'x' })), {
    code: 'UNIMPLEMENTED',
    message: /not implemented for a registry to an archive/,
  })
  await t.throwsAsync(transfer(reference, reference), { code: 'UNIMPLEMENTED' })
  await t.throwsAsync(transfer(store({ name: 'a' }), archiveOut({ stream: 'x' })), {
    code: 'NOT_FOUND',
    message: /stream "x"/,
  })
  await t.throwsAsync(transfer(store({ name: 'a' }), store({ name: 'b' })), {
    code: 'NOT_FOUND',
    message: /"a"/,
  })
  await t.throwsAsync(transfer(registry('not a reference'), store({ name: 'b' })), {
    code: 'INVALID_ARGUMENT',
  })
  const prefixed = {
    ...store({ name: 'a' }),
    typeUrl: 'type.googleapis.com/containerd.types.transfer.ImageStore',
  }
  await t.throwsAsync(transfer(prefixed, store({ name: 'b' })), { code: 'UNKNOWN' })
  await t.throwsAsync(transfer(store({ name: 'a' }), store({ name: 'b' }), 'none'), {
    code: 'NOT_FOUND',
    message: /stream "none"/,
  })
})

test('streams have ids of their own in each namespace, and are gone when they end', async t => {
  const { stream, connection } = await openTransfer(t)
  const first = await stream('id')
  await t.throwsAsync(stream('id'), { code: 'ALREADY_EXISTS' })
  await t.throwsAsync(stream(''), { code: 'INVALID_ARGUMENT' })
  const wrong = connection.duplex(Streaming.method.stream, place)
  wrong.send(store({}))
  await t.throwsAsync(wrong.messages.next(), { code: 'INVALID_ARGUMENT', message: /StreamInit/ })
  first.cancel()
  await first.messages.next().catch(() => undefined)
})
