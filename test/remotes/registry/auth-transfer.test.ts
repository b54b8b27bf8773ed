import { once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import { copyBlob } from '../../../src/content/copy.ts'
import { credentialFor } from '../../../src/remotes/registry/credentials.ts'
import type { RegistryResolver } from '../../../src/remotes/registry/resolver.ts'
import { providerOf, randomBytes, targetOf } from '../../support/bytes.ts'
import { startRecorder, startRegistry } from '../../support/registry.ts'
import { silence } from '../../support/registry-faults.ts'
import { collect, quickResolver } from '../../support/resolver.ts'
import { refusal, startUploadRegistry, type UploadFault } from '../../support/upload-registry.ts'

const user = { username: 'keeper', password: 'opensesame' }
const large = randomBytes('large', 3_000_000)

/** A token server that counts: `token-1`, `token-2`, … */
const issuer = async (t: ExecutionContext) => {
  let count = 0
  return startRecorder(t, ({ response }) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ access_token: `token-${++count}`, expires_in: 300 }))
  })
}

test('a token that ends in the middle of an upload is replaced, and the upload goes on', async t => {
  const tokens = await issuer(t)
  const registry = await startUploadRegistry(t)
  const { resolver } = quickResolver(t, { credentials: credentialFor(registry.host, user) })
  const ends: UploadFault = async ({ body, sound, send }) => {
    await sound(await body(1_000_000))
    const challenge = `Bearer realm="http://${tokens.host}/token",service="s",scope="repository:app:pull,push"`
    send(refusal(401, 'UNAUTHORIZED', { 'www-authenticate': challenge }))
  }
  registry.next(/^PATCH/, ends, ends)
  await copyBlob(providerOf(large, 100_000), await resolver.pusher(`${registry.host}/app`), targetOf(large))
  t.true(registry.contents.get(`/v2/app/blobs/${targetOf(large).digest}`)?.equals(large))
  t.deepEqual(
    registry.seen(/^PATCH/).map(({ headers }) => [headers.authorization, headers['content-range']]),
    [
      [undefined, undefined],
      ['Bearer token-1', '1000000-2999999'],
      ['Bearer token-2', '2000000-2999999'],
    ],
  )
})

test('tokens that are about to end are replaced before they are refused', async t => {
  const registry = await startRegistry(t, { auth: { type: 'bearer', ...user, expiresIn: 300 } })
  const { layers } = registry.image('a/b', 'v1', 'one', 'two', 'three')
  let now = 1_000_000
  const credentials = credentialFor(registry.host, user)
  const { resolver } = quickResolver(t, { credentials, retry: { now: () => now } })
  const fetcher = await resolver.fetcher(`${registry.host}/a/b:v1`)
  for (const layer of layers) {
    await collect(fetcher.read(layer))
    now += 291_000
  }
  t.is(registry.seen(/token/).length, 3)
  t.is(registry.seen(/blobs/).length, 4, 'only the first was refused')
})

const stalls = test.macro<
  [string, RegExp, (resolver: RegistryResolver, host: string, signal: AbortSignal) => Promise<unknown>]
>({
  exec: async (t, _what, pattern, work) => {
    const registry = await startRegistry(t, { auth: { type: 'bearer', ...user } })
    registry.image('a/b', 'v1', 'layer')
    const { resolver } = quickResolver(t, { credentials: credentialFor(registry.host, user) })
    const stop = new AbortController()
    const reason = new Error('enough')
    const closed = new Promise<unknown>(resolve =>
      registry.always(pattern, exchange => {
        silence(exchange)
        resolve(once(exchange.request.socket, 'close'))
        stop.abort(reason)
      }),
    )
    t.is(await t.throwsAsync(work(resolver, registry.host, stop.signal)), reason)
    await closed
    t.pass()
  },
  title: (_, what) => `an abort while ${what} frees the socket`,
})

test(stalls, 'the token server is silent', /token/, (resolver, host, signal) =>
  resolver.resolve(`${host}/a/b:v1`, { signal }),
)
test(stalls, 'a login waits for the registry', /\/v2\/$/, (resolver, host, signal) =>
  resolver.ping({ domain: host }, { signal }),
)
test(stalls, 'a login waits for the token server', /token/, (resolver, host, signal) =>
  resolver.ping({ domain: host }, { signal }),
)

test('one of several who wait for a token may leave, and the others get it', async t => {
  const registry = await startRegistry(t, { auth: { type: 'bearer', ...user } })
  const { manifest } = registry.image('a/b', 'v1', 'layer')
  const { resolver } = quickResolver(t, { credentials: credentialFor(registry.host, user) })
  const stop = new AbortController()
  const reason = new Error('enough')
  registry.next(/token/, exchange => {
    stop.abort(reason)
    const { status, headers, body } = exchange.answer()
    exchange.response.writeHead(status, headers as Record<string, string>).end(body)
  })
  const reference = `${registry.host}/a/b@${manifest.digest}`
  const leaves = resolver.ping({ domain: registry.host }, { signal: stop.signal })
  const stays = resolver.ping({ domain: registry.host })
  t.is(await t.throwsAsync(leaves), reason)
  await t.notThrowsAsync(stays)
  t.deepEqual(await resolver.resolve(reference), manifest)
})
