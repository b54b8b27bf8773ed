import test, { type ExecutionContext } from 'ava'
import type { Descriptor } from '../../../src/oci/descriptor.ts'
import { mediaTypes } from '../../../src/oci/media-type.ts'
import { TagCache } from '../../../src/remotes/registry/tag-cache.ts'
import { startDockerRegistry } from '../../support/docker-registry.ts'
import { testWith } from '../../support/programs.ts'
import { type Fault, send, startRegistry } from '../../support/registry.ts'
import { status } from '../../support/registry-faults.ts'
import { quickResolver } from '../../support/resolver.ts'
import { uploadManifest } from '../../support/upload.ts'

/** Marks answers, and says 304 to who has the marked one. */
const marks: Fault = exchange => {
  const answer = exchange.answer()
  const etag = `"${answer.headers['docker-content-digest']}"`
  if (exchange.request.headers['if-none-match'] === etag)
    return send(exchange, { status: 304, headers: { etag }, body: Buffer.alloc(0) })
  send(exchange, { ...answer, headers: { ...answer.headers, etag } })
}

async function withTag(t: ExecutionContext, fault?: Fault) {
  const registry = await startRegistry(t)
  const { manifest } = registry.image('a', 'v1')
  if (fault) registry.always(/manifests/, fault)
  const { resolver } = quickResolver(t)
  const repository = await resolver.repository(`${registry.host}/a`)
  const lines = () =>
    registry.requests.map(({ method, headers }) => `${method}${headers['if-none-match'] ? ' if' : ''}`)
  return { registry, repository, manifest, lines }
}

test('a tag that is resolved again is asked for by its mark', async t => {
  const { registry, repository, manifest, lines } = await withTag(t, marks)
  t.deepEqual(await repository.resolve('v1'), manifest)
  t.deepEqual(await repository.resolve('v1'), manifest)
  t.deepEqual(lines(), ['HEAD', 'HEAD if'])
  const { manifest: other } = registry.image('a', 'v1', 'a layer')
  t.deepEqual(await repository.resolve('v1'), other)
  t.deepEqual(await repository.resolve('v1'), other)
  t.deepEqual(lines(), ['HEAD', 'HEAD if', 'HEAD if', 'HEAD if'])
})

for (const [title, fault] of [
  ['with marks', marks],
  ['without', undefined],
] as const)
  test(`a manifest that a tag still points at is not sent again, ${title}`, async t => {
    const { registry, repository, manifest, lines } = await withTag(t, fault)
    const { bytes } = await repository.manifest('v1')
    const before = Buffer.from(bytes)
    // What a caller does to its bytes is its own affair.
    bytes.fill(0)
    t.deepEqual(await repository.manifest('v1'), { target: manifest, bytes: new Uint8Array(before) })
    t.deepEqual(lines(), fault ? ['GET', 'HEAD if'] : ['GET', 'HEAD'])
    const { manifest: other } = registry.image('a', 'v1', 'a layer')
    t.deepEqual((await repository.manifest('v1')).target, other)
    t.is(lines().length, 4)
  })

test('where HEAD is not to be had, GET is asked by the mark', async t => {
  const { registry, repository, manifest, lines } = await withTag(t)
  registry.always(/^HEAD/, status(405))
  registry.always(/^GET/, marks)
  for (let count = 0; count < 2; count++) t.deepEqual((await repository.manifest('v1')).target, manifest)
  t.deepEqual(lines(), ['GET', 'HEAD if', 'GET if'])
})

test('a digest is asked for as ever', async t => {
  const { repository, manifest, lines } = await withTag(t, marks)
  for (let count = 0; count < 2; count++) await repository.manifest(manifest.digest)
  t.deepEqual(lines(), ['GET', 'GET'])
})

test('a 304 that nobody asked for is no answer', async t => {
  const { repository, lines } = await withTag(t, status(304))
  await t.throwsAsync(repository.resolve('v1'), { message: /answered 304/ })
  t.deepEqual(lines(), ['HEAD'])
})

test('who asks for the same at the same time shares one request', async t => {
  const { repository, manifest, lines } = await withTag(t)
  const found = await Promise.all(Array.from({ length: 5 }, () => repository.resolve('v1')))
  for (const one of found) t.deepEqual(one, manifest)
  t.deepEqual(lines(), ['HEAD'])
  const [one, two] = await Promise.all([
    repository.manifest(manifest.digest),
    repository.manifest(manifest.digest),
  ])
  one.bytes.fill(0)
  t.not(two.bytes[0], 0)
  t.deepEqual(lines(), ['HEAD', 'GET'])
})

test('one who gives up leaves the others waiting', async t => {
  const { registry, repository, manifest } = await withTag(t)
  const stop = new AbortController()
  const reason = new Error('enough')
  registry.next(/./, exchange => {
    stop.abort(reason)
    setImmediate(() => send(exchange, exchange.answer()))
  })
  const [one, two] = await Promise.allSettled([
    repository.resolve('v1', { signal: stop.signal }),
    repository.resolve('v1'),
  ])
  t.is(one.status === 'rejected' && one.reason, reason)
  t.deepEqual(two.status === 'fulfilled' && two.value, manifest)
})

const target = (size: number): Descriptor =>
  ({ mediaType: '', digest: `sha256:${'0'.repeat(64)}`, size }) as Descriptor

test('TagCache keeps so many tags, and so many bytes', t => {
  const cache = new TagCache()
  for (let tag = 0; tag < 1500; tag++)
    cache.set(`t${tag}`, { target: target(tag), etag: undefined, bytes: undefined })
  t.is(cache.get('t499'), undefined)
  t.is(cache.get('t500')?.target.size, 500)
  const bytes = new Uint8Array(6 * 1024 * 1024)
  for (const tag of ['a', 'b', 'b', 'c']) cache.set(tag, { target: target(0), etag: undefined, bytes })
  t.is(cache.get('a'), undefined)
  t.is(cache.get('b')?.bytes, bytes)
  t.is(cache.get('c')?.bytes, bytes)
})

const debian = testWith('docker-registry')

debian("a tag at Debian's docker-registry is sent once", async t => {
  const { host, url } = await startDockerRegistry(t)
  const text = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] })
  await uploadManifest(url, 'a', 'v1', mediaTypes.ociIndex, Buffer.from(text))
  const seen: string[] = []
  const { resolver } = quickResolver(t)
  const repository = await resolver.repository(`${host}/a`)
  for (let count = 0; count < 2; count++) {
    const { bytes } = await repository.manifest('v1')
    seen.push(Buffer.from(bytes).toString())
  }
  t.deepEqual(seen, [text, text])
})
