import { gzipSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { digestOf } from '../../../src/oci/digest.ts'
import { mediaTypes } from '../../../src/oci/media-type.ts'
import { mediaTypeOf } from '../../../src/remotes/registry/manifest-type.ts'
import { absentDigest, type Fault, startRegistry } from '../../support/registry.ts'
import {
  change,
  chunked,
  dropAfter,
  encoded,
  endless,
  headers,
  htmlPage,
  redirect,
  status,
  wrongBytes,
} from '../../support/registry-faults.ts'
import { collect, quickResolver } from '../../support/resolver.ts'

async function withImage(t: ExecutionContext) {
  const registry = await startRegistry(t)
  const image = registry.image('a/b', 'v1', 'layer')
  const { resolver } = quickResolver(t)
  const at = `${registry.host}/a/b`
  const methods = () => registry.requests.map(({ method }) => method).join(' ')
  return { registry, ...image, resolver, at, methods }
}

const head = /^HEAD /
const get = /^GET .*manifests/

test('resolve() of a tag needs one HEAD', async t => {
  const { resolver, at, manifest, registry, methods } = await withImage(t)
  const found = await resolver.resolve(`${at}:v1`)
  t.deepEqual(found, manifest)
  t.true(Object.isFrozen(found))
  t.is(methods(), 'HEAD')
  const accept = registry.requests[0]?.headers.accept ?? ''
  for (const type of ['ociIndex', 'ociManifest', 'dockerManifestList', 'dockerManifest'] as const)
    t.true(accept.includes(mediaTypes[type]))
})

test('resolve() of a digest gives what is there', async t => {
  const { resolver, at, manifest } = await withImage(t)
  t.deepEqual(await resolver.resolve(`${at}@${manifest.digest}`), manifest)
})

test('resolve() of tag and digest asks for the digest alone', async t => {
  const { resolver, at, manifest, registry } = await withImage(t)
  t.deepEqual(await resolver.resolve(`${at}:gone@${manifest.digest}`), manifest)
  t.true(registry.requests[0]?.path.endsWith(manifest.digest))
})

test('resolve() of a blob by digest', async t => {
  const { resolver, at, layers, methods } = await withImage(t)
  const { digest = absentDigest, size } = layers[0] ?? {}
  t.deepEqual(await resolver.resolve(`${at}@${digest}`), { mediaType: mediaTypes.octetStream, digest, size })
  t.is(methods(), 'HEAD HEAD')
})

const absent = test.macro({
  exec: async (t, suffix: string) => {
    const { resolver, registry } = await withImage(t)
    const reference = `${registry.host}/${suffix}`
    await t.throwsAsync(resolver.resolve(reference), {
      code: 'NOT_FOUND',
      message: new RegExp(`${reference}: not found at ${registry.host}`),
    })
  },
  title: (_, suffix) => `resolve() of ${suffix}, which is not there`,
})

test(absent, 'a/b:gone')
test(absent, 'gone/b:v1')
test(absent, `a/b@${absentDigest}`)

const refusesName = test.macro({
  exec: async (t, reference: string) => {
    const { resolver } = quickResolver(t)
    await t.throwsAsync(resolver.resolve(reference), { code: 'INVALID_ARGUMENT' })
  },
  title: (_, reference) => `resolve() refuses ${JSON.stringify(reference)}`,
})

for (const reference of [
  '',
  'a.test/b',
  'a.test/B:v1',
  'http://a.test/b:v1',
  'a.test/../b:v1',
  'a.test:99999/b:v1',
  'a.test/b@sha256:abc',
])
  test(refusesName, reference)

const readsBody = test.macro({
  exec: async (t, fault: Fault) => {
    const { resolver, at, manifest, registry, methods } = await withImage(t)
    registry.next(head, fault)
    t.deepEqual(await resolver.resolve(`${at}:v1`), manifest)
    t.is(methods(), 'HEAD GET')
  },
  title: title => `resolve() reads the manifest when HEAD ${title}`,
})

test('tells no digest', readsBody, headers({ 'docker-content-digest': '' }))
test('tells what is no digest', readsBody, headers({ 'docker-content-digest': 'sha256:abc' }))
test('tells no length', readsBody, chunked())
test('tells length 0', readsBody, headers({ 'content-length': '0' }))
test('tells no type', readsBody, headers({ 'content-type': '' }))
test('tells a type that says nothing', readsBody, headers({ 'content-type': 'application/json' }))
test('is encoded', readsBody, headers({ 'content-encoding': 'gzip' }))
test('is not allowed', readsBody, status(405))
test('is not known', readsBody, status(501))
test('is forbidden', readsBody, status(403))

test('resolve() takes a type with parameters', async t => {
  const { resolver, at, manifest, registry } = await withImage(t)
  registry.next(head, headers({ 'content-type': `${mediaTypes.ociManifest}; charset=utf-8` }))
  t.deepEqual(await resolver.resolve(`${at}:v1`), manifest)
})

test('resolve() by digest does not believe another digest', async t => {
  const { resolver, at, manifest, registry, methods } = await withImage(t)
  registry.next(head, headers({ 'docker-content-digest': absentDigest }))
  t.deepEqual(await resolver.resolve(`${at}@${manifest.digest}`), manifest)
  t.is(methods(), 'HEAD GET')
})

test('resolve() follows a redirect', async t => {
  const { resolver, at, manifest, registry } = await withImage(t)
  registry.next(head, redirect('/v2/a/b/manifests/v1', 302))
  t.deepEqual(await resolver.resolve(`${at}:v1`), manifest)
})

test('resolve() gives up on a loop of redirects', async t => {
  const { resolver, at, registry } = await withImage(t)
  registry.always(head, redirect('/v2/a/b/manifests/v1'))
  await t.throwsAsync(resolver.resolve(`${at}:v1`), {
    code: 'FAILED_PRECONDITION',
    message: /more than 10 redirects/,
  })
  t.is(registry.requests.length, 11)
})

const noHead = status(405)

const fails = test.macro({
  exec: async (t, fault: Fault, code: string, message: RegExp) => {
    const { resolver, at, manifest, registry } = await withImage(t)
    registry.always(head, noHead)
    registry.always(get, fault)
    await t.throwsAsync(resolver.resolve(`${at}@${manifest.digest}`), { code, message })
    const fetcher = await resolver.fetcher(at)
    await t.throwsAsync(collect(fetcher.read(manifest)), { code, message })
  },
  title: title => `resolve() and read() of a manifest fail on ${title}`,
})

test('other bytes', fails, wrongBytes, 'DATA_LOSS', /instead/)
test('a body that never ends', fails, endless, 'RESOURCE_EXHAUSTED', /larger than the 4194304 bytes/)
test(
  '5 MiB',
  fails,
  change(a => ({ ...a, body: Buffer.alloc(5 * 1024 * 1024, ' ') })),
  'RESOURCE_EXHAUSTED',
  /larger/,
)
test(
  '5 MiB in gzip',
  fails,
  encoded('gzip', () => gzipSync(Buffer.alloc(5 * 1024 * 1024, ' '))),
  'RESOURCE_EXHAUSTED',
  /larger/,
)
test(
  'a denial',
  fails,
  status(403, {}, '{"errors":[{"code":"DENIED","message":"pay first"}]}'),
  'PERMISSION_DENIED',
  /pay first \(DENIED\)/,
)
test(
  'schema 1',
  fails,
  headers({ 'content-type': mediaTypes.dockerSchema1Signed }),
  'UNIMPLEMENTED',
  /schema 1/,
)

test('resolve() of a tag that gives an HTML page says so', async t => {
  const { resolver, at, registry } = await withImage(t)
  registry.always(/./, htmlPage)
  await t.throwsAsync(resolver.resolve(`${at}:v1`), { code: 'INVALID_ARGUMENT', message: /HTML/ })
})

test('resolve() refuses schema 1 at HEAD', async t => {
  const { resolver, at, registry } = await withImage(t)
  registry.put('a/b', 'old', '{"schemaVersion":1,"fsLayers":[]}', mediaTypes.dockerSchema1)
  await t.throwsAsync(resolver.resolve(`${at}:old`), { code: 'UNIMPLEMENTED', message: /schema 1/ })
})

test('resolve() refuses a manifest that HEAD says is too large', async t => {
  const { resolver, at, registry, methods } = await withImage(t)
  registry.next(head, headers({ 'content-length': '5000000' }))
  await t.throwsAsync(resolver.resolve(`${at}:v1`), { code: 'RESOURCE_EXHAUSTED' })
  t.is(methods(), 'HEAD')
})

test('read() of a manifest asks under manifests/ and gives it in one piece', async t => {
  const { resolver, at, manifest, registry } = await withImage(t)
  const chunks: Uint8Array[] = []
  for await (const chunk of (await resolver.fetcher(at)).read(manifest)) chunks.push(chunk)
  t.is(chunks.length, 1)
  t.is(digestOf(chunks[0] ?? ''), manifest.digest)
  t.is(registry.requests[0]?.path, `/v2/a/b/manifests/${manifest.digest}`)
})

test('read() of a part of a manifest', async t => {
  const { resolver, at, manifest } = await withImage(t)
  const fetcher = await resolver.fetcher(at)
  const whole = await collect(fetcher.read(manifest))
  t.deepEqual(await collect(fetcher.read(manifest, { offset: 5, length: 7 })), whole.subarray(5, 12))
  t.deepEqual(await collect(fetcher.read(manifest, { offset: whole.byteLength })), Buffer.alloc(0))
})

test('read() of a manifest survives a body that breaks, and gzip', async t => {
  const { resolver, at, manifest, registry } = await withImage(t)
  registry.next(get, dropAfter(10), status(503), chunked(10), encoded())
  await t.throwsAsync(collect((await resolver.fetcher(at)).read(manifest)), { code: 'DATA_LOSS' })
  t.is(digestOf(await collect((await resolver.fetcher(at)).read(manifest))), manifest.digest)
})

test('read() of a manifest whose descriptor has another size is DATA_LOSS', async t => {
  const { resolver, at, manifest } = await withImage(t)
  const wrong = { ...manifest, size: manifest.size + 1 }
  await t.throwsAsync(collect((await resolver.fetcher(at)).read(wrong)), { code: 'DATA_LOSS' })
})

test('read() refuses a target of schema 1', async t => {
  const { resolver, at, manifest } = await withImage(t)
  const fetcher = await resolver.fetcher(at)
  t.throws(() => fetcher.read({ ...manifest, mediaType: mediaTypes.dockerSchema1 }), {
    code: 'UNIMPLEMENTED',
  })
})

const types = test.macro({
  exec(t, said: string, document: string, expected: string | RegExp) {
    const read = () => mediaTypeOf(said, Buffer.from(document), 'it')
    if (typeof expected === 'string') t.is(read(), expected)
    else t.throws(read, { message: expected })
  },
  title: (_, said, document) => `mediaTypeOf() ${JSON.stringify(said)} and ${String(document).slice(0, 60)}`,
})

const { ociIndex, ociManifest, dockerManifest, dockerManifestList, dockerConfig } = mediaTypes
test(types, ociIndex, 'not looked at', ociIndex)
test(types, '', '{"manifests":[]}', ociIndex)
test(types, 'text/plain', '{"config":{},"layers":[]}', ociManifest)
test(types, 'application/json', `{"config":{"mediaType":"${dockerConfig}"},"layers":[]}`, dockerManifest)
test(types, '', `{"mediaType":"${dockerManifestList}","manifests":[]}`, dockerManifestList)
test(types, 'application/octet-stream', `{"mediaType":"${ociManifest}"}`, ociManifest)
test(types, mediaTypes.dockerSchema1, '{}', /schema 1/)
test(types, '', `{"mediaType":"${mediaTypes.dockerSchema1Signed}"}`, /schema 1/)
test(types, '', '{"schemaVersion":1,"fsLayers":[]}', /schema 1/)
test(types, 'text/html', '<!DOCTYPE html>', /HTML/)
test(types, '', '[]', /neither a manifest nor an index/)
test(types, 'x/y', '{}', /neither a manifest nor an index \(the registry calls it x\/y\)/)
test(types, '', '{"manifests":[],"manifests":[]}', /twice/)
