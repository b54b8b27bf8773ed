import crypto from 'node:crypto'
import { inspect } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { mediaTypes } from '../../../src/oci/media-type.ts'
import { credentialFor } from '../../../src/remotes/registry/credentials.ts'
import { fetchableUrls } from '../../../src/remotes/registry/foreign.ts'
import { type Fault, startRegistry } from '../../support/registry.ts'
import { dropAfter, redirect, status } from '../../support/registry-faults.ts'
import { collect, quickResolver } from '../../support/resolver.ts'

const bytes = crypto.randomBytes(200_000)
const user = { username: 'keeper', password: 'hunter2' }

/** A locked registry without the layer, and another origin that has it. */
async function away(
  t: ExecutionContext,
  { allowPrivateUrls = true, fault }: { allowPrivateUrls?: boolean; fault?: Fault } = {},
) {
  const registry = await startRegistry(t, { auth: { type: 'basic', ...user } })
  const other = await startRegistry(t)
  const { digest, size } = other.blob('x', bytes)
  if (fault) other.always(/./, fault)
  const { resolver } = quickResolver(t, { credentials: credentialFor(registry.host, user), allowPrivateUrls })
  const fetcher = await resolver.fetcher(`${registry.host}/a/b`)
  const target = (...urls: readonly string[]) => ({
    mediaType: mediaTypes.dockerForeignLayerGzip,
    digest,
    size,
    urls,
  })
  return { registry, other, fetcher, target, url: `http://${other.host}/v2/x/blobs/${digest}` }
}

test('read() of a layer that the registry lacks comes from its URL, without credentials', async t => {
  const { registry, other, fetcher, target, url } = await away(t)
  t.deepEqual(await collect(fetcher.read(target(url))), bytes)
  t.true(registry.requests.some(({ headers }) => headers.authorization === registry.tokens.basic))
  t.is(other.requests.length, 1)
  t.false(inspect(other.requests, { depth: 9 }).includes('hunter2'))
  t.is(other.requests[0]?.headers.authorization, undefined)
})

test('read() of a layer that the registry has asks no URL', async t => {
  const { registry, other, fetcher, target, url } = await away(t)
  registry.blob('a/b', bytes)
  t.deepEqual(await collect(fetcher.read(target(url))), bytes)
  t.deepEqual(other.requests, [])
})

test('read() of a foreign layer resumes, and tries one URL after the other', async t => {
  const { other, fetcher, target, url } = await away(t)
  other.next(/gone/, status(404))
  other.next(/blobs/, dropAfter(100_000))
  t.deepEqual(
    await collect(fetcher.read(target(`http://${other.host}/gone`, url), { offset: 10 })),
    bytes.subarray(10),
  )
  t.deepEqual(
    other.requests.map(({ headers }) => headers.range),
    ['bytes=10-', 'bytes=10-', 'bytes=100010-'],
  )
})

test('a challenge of a foreign host is not answered', async t => {
  const { other, fetcher, target, url } = await away(t, {
    fault: status(401, { 'www-authenticate': 'Basic realm="give"' }),
  })
  await t.throwsAsync(collect(fetcher.read(target(url))), { code: 'UNAUTHENTICATED' })
  t.is(other.requests.length, 1)
  t.is(other.requests[0]?.headers.authorization, undefined)
})

test('read() refuses URLs on this machine unless they are allowed', async t => {
  const { other, fetcher, target, url } = await away(t, { allowPrivateUrls: false })
  for (const host of [
    url,
    url.replace('127.0.0.1', 'localhost'),
    url.replace('127.0.0.1', '[::ffff:127.0.0.1]'),
  ])
    await t.throwsAsync(collect(fetcher.read(target(host))), {
      code: 'PERMISSION_DENIED',
      message: /allowPrivateUrls/,
    })
  t.deepEqual(other.requests, [])
})

test('a foreign host that is allowed may redirect', async t => {
  const { other, fetcher, target, url } = await away(t)
  other.next(/gone/, redirect(url))
  t.deepEqual(await collect(fetcher.read(target(`http://${other.host}/gone`))), bytes)
})

test('read() of an ordinary layer without URLs is NOT_FOUND', async t => {
  const { fetcher, target } = await away(t)
  await t.throwsAsync(collect(fetcher.read(target())), { code: 'NOT_FOUND' })
  await t.throwsAsync(collect(fetcher.read(target('file:///etc/passwd', 'nonsense'))), { code: 'NOT_FOUND' })
})

test('fetchableUrls() takes http and https only', t => {
  const urls = [
    'https://a/x',
    'http://b/x',
    'ftp://c/x',
    'file:///etc/passwd',
    'data:,x',
    '//d/x',
    'nonsense',
    '',
  ]
  t.deepEqual(
    fetchableUrls(urls).map(({ href }) => href),
    ['https://a/x', 'http://b/x'],
  )
  t.deepEqual(fetchableUrls(), [])
})
