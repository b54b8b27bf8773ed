import { create } from '@bufbuild/protobuf'
import test from 'ava'
import { pack, unpack } from '../../../src/service/any.ts'
import {
  AuthRequestSchema,
  AuthResponseSchema,
  AuthType,
} from '../../../src/service/gen/containerd/types/transfer/registry_pb.ts'
import { flat, image, index, on } from '../../support/image.ts'
import { publish } from '../../support/publish.ts'
import { putImage } from '../../support/put-image.ts'
import { send, startRegistry } from '../../support/registry.ts'
import { openTransfer, progressOn, registry, store, type TransferClient } from '../../support/transfer.ts'
import { startUploadRegistry } from '../../support/upload-registry.ts'

const root = index(
  on('linux/amd64', image('linux/amd64', 'one')),
  on('linux/arm64', image('linux/arm64', 'two')),
)
const arm = { os: 'linux', architecture: 'arm64' }

test('transfer pushes an image, and tells how it goes', async t => {
  const client = await openTransfer(t)
  const target = await startUploadRegistry(t)
  await putImage(client.scope, 'local', root)
  const reference = `${target.host}/a/b:1`
  const told = progressOn(await client.stream('progress'))
  await client.transfer(store({ name: 'local' }), registry(reference), 'progress')
  const events = await told
  t.is(events[0], `: Pushing to OCI Registry (${reference})`)
  t.is(events[1], `${reference}: pushing content`)
  t.deepEqual(events.slice(-2), [
    `${reference}: pushed content`,
    `: Completed push to OCI Registry (${reference})`,
  ])
  t.true(
    events.some(event => /> layer-sha256:[\da-f]{64}: complete$/.test(event)),
    events.join('\n'),
  )
  const puts = target.requests.filter(({ method, path }) => method === 'PUT' && path.includes('/manifests/'))
  t.is(puts.at(-1)?.path, '/v2/a/b/manifests/1')
  t.is(
    puts.length,
    flat(root).filter(({ desc }) => desc.mediaType.includes('manifest') || desc.mediaType.includes('index'))
      .length,
  )
})

test('transfer pushes the manifest of one platform', async t => {
  const client = await openTransfer(t)
  const target = await startUploadRegistry(t)
  await putImage(client.scope, 'local', root)
  await client.transfer(store({ name: 'local', platforms: [arm] }), registry(`${target.host}/a/b:1`))
  const [put] = target.requests
    .filter(({ path }) => path === '/v2/a/b/manifests/1' && path.length > 0)
    .slice(-1)
  t.is(put?.headers['content-type'], image('linux/arm64', 'two').desc.mediaType)
})

const basic = `Basic ${Buffer.from('user:pass:word').toString('base64')}`

test('transfer takes credentials as a Basic header', async t => {
  const client = await openTransfer(t)
  const target = await startUploadRegistry(t, { authorization: basic })
  await putImage(client.scope, 'local', root)
  await answerWith(client, basic)
  await client.transfer(store({ name: 'local' }), registry(`${target.host}/a/b:1`, { authStream: 'creds' }))
  t.true(target.requests.some(({ headers }) => headers.authorization === basic))
})

test('transfer takes credentials as a Bearer header, and none of another kind', async t => {
  const client = await openTransfer(t)
  const source = await startRegistry(t)
  const reference = publish(source, 'a/b', '1', root)
  source.always(/^/, exchange => {
    const { request, response, answer } = exchange
    if (request.headers.authorization === 'Bearer abc.def') send(exchange, answer())
    else response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${source.host}/token"` }).end()
  })
  const pull = () =>
    client.transfer(registry(reference, { authStream: 'creds' }), store({ platforms: [arm] }))
  const right = await answerWith(client, 'Bearer abc.def')
  await pull()
  t.is((await client.scope.images.get(reference)).target.digest, root.desc.digest)
  right.cancel()
  for (const [at, header] of ['Digest x', 'abc.def', 'Basic !', ''].entries()) {
    const other = await openTransfer(t)
    await answerWith(other, header)
    const from = registry(reference, { authStream: 'creds' })
    const error = await t.throwsAsync(other.transfer(from, store({ name: `x${at}` })), {
      code: 'UNIMPLEMENTED',
    })
    t.true(header === '' || !error.message.includes(header))
  }
})

/** Answers every question on the stream `creds` with a header. */
async function answerWith(client: TransferClient, secret: string) {
  const stream = await client.stream('creds')
  const ended = (async () => {
    for await (const message of stream.messages) {
      unpack(AuthRequestSchema, message)
      const response = create(AuthResponseSchema, { authType: AuthType.HEADER, secret })
      stream.send(pack(AuthResponseSchema, response))
    }
  })().catch(() => undefined)
  return { cancel: stream.cancel, ended }
}

test('transfer sends a registry the headers of the request, and refuses what is none', async t => {
  const client = await openTransfer(t)
  const target = await startUploadRegistry(t)
  await putImage(client.scope, 'local', root)
  const to = (headers: Record<string, string>) => registry(`${target.host}/a/b:1`, { headers })
  await client.transfer(store({ name: 'local' }), to({ 'X-Meta-Source': 'ctr' }))
  t.true(
    target.requests.length > 0 && target.requests.every(({ headers }) => headers['x-meta-source'] === 'ctr'),
  )
  for (const [name, value] of [
    ['a b', 'c'],
    ['a', 'b\r\nc: d'],
    ['', 'x'],
  ] as const) {
    const error = await t.throwsAsync(client.transfer(store({ name: 'local' }), to({ [name]: value })), {
      code: 'INVALID_ARGUMENT',
    })
    t.false(error.message.includes('c: d'))
  }
})

test('transfer pushes nothing that is not there, or not whole', async t => {
  const client = await openTransfer(t)
  const target = await startUploadRegistry(t)
  const to = registry(`${target.host}/a/b:1`)
  await t.throwsAsync(client.transfer(store({ name: 'none' }), to), { code: 'NOT_FOUND' })
  await client.scope.images.create({ name: 'empty', target: root.desc })
  await t.throwsAsync(client.transfer(store({ name: 'empty' }), to), { code: 'NOT_FOUND' })
  t.false(target.requests.some(({ method }) => method === 'PUT'))
  await t.throwsAsync(client.transfer(store({ name: 'empty' }), registry('not a reference')), {
    code: 'INVALID_ARGUMENT',
  })
})
