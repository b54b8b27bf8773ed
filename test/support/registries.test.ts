import test from 'ava'
import { digestOf } from './layout.ts'
import { seededRandom } from './random.ts'
import { startRecordingProxy } from './recording-proxy.ts'
import { startScriptedRegistry } from './scripted-registry.ts'

test('startScriptedRegistry() serves blobs and manifests truly', async t => {
  const registry = await startScriptedRegistry(t)
  const blob = registry.blob('a', 'text/plain', Buffer.from('hello'))
  t.deepEqual(blob, { mediaType: 'text/plain', digest: digestOf(Buffer.from('hello')), size: 5 })
  t.is(await (await fetch(`http://${registry.host}/v2/a/blobs/${blob.digest}`)).text(), 'hello')
  const mediaType = 'application/vnd.oci.image.manifest.v1+json'
  const manifest = registry.manifest('a', { mediaType, layers: [blob] }, '1')
  const response = await fetch(`http://${registry.host}/v2/a/manifests/1`)
  t.is(response.headers.get('docker-content-digest'), manifest.digest)
  t.is(digestOf(new Uint8Array(await response.arrayBuffer())), manifest.digest)
})

test('startScriptedRegistry() breaks off where it is told to', async t => {
  const registry = await startScriptedRegistry(t)
  const headers = { 'content-length': 10 }
  registry.answer('a/blobs/x', { headers, body: [Buffer.from('half')], breaks: true })
  await t.throwsAsync(fetch(`http://${registry.host}/v2/a/blobs/x`).then(response => response.text()))
})

test('startScriptedRegistry() knows nothing else', async t => {
  const registry = await startScriptedRegistry(t)
  t.is((await fetch(`http://${registry.host}/v2/a/manifests/1`)).status, 404)
  t.is((await fetch(`http://${registry.host}/v2/`)).status, 200)
})

test('startRecordingProxy() passes everything on and writes down what was asked', async t => {
  const registry = await startScriptedRegistry(t)
  const blob = registry.blob('a', 'text/plain', Buffer.alloc(100_000, 'x'))
  const proxy = await startRecordingProxy(t, registry.host, { bytesPerSecond: 10_000_000 })
  const path = `/v2/a/blobs/${blob.digest}`
  const response = await fetch(`http://${proxy.host}${path}`, { headers: { range: 'bytes=5-' } })
  t.is(digestOf(new Uint8Array(await response.arrayBuffer())), blob.digest)
  t.deepEqual(proxy.requests(), [{ method: 'GET', path, range: 'bytes=5-', status: 200 }])
})

test('seededRandom() repeats itself for a seed and for no other', t => {
  const take = (seed: number) => Array.from({ length: 20 }, seededRandom(seed))
  t.deepEqual(take(7), take(7))
  t.notDeepEqual(take(7), take(8))
  t.true(take(7).every(number => number >= 0 && number < 1))
})
