import test from 'ava'
import { seededRandom } from './random.ts'
import { startRecordingProxy } from './recording-proxy.ts'
import { startRegistry } from './registry.ts'

test('startRecordingProxy() passes everything on and writes down what was asked', async t => {
  const registry = await startRegistry(t)
  const blob = registry.blob('a', Buffer.alloc(100_000, 'x'))
  const proxy = await startRecordingProxy(t, registry.host, { bytesPerSecond: 10_000_000 })
  const path = `/v2/a/blobs/${blob.digest}`
  const response = await fetch(`http://${proxy.host}${path}`, { headers: { range: 'bytes=5-' } })
  t.is((await response.text()).length, 99_995)
  t.deepEqual(proxy.requests(), [{ method: 'GET', path, range: 'bytes=5-', status: 206 }])
})

test('seededRandom() repeats itself for a seed and for no other', t => {
  const take = (seed: number) => Array.from({ length: 20 }, seededRandom(seed))
  t.deepEqual(take(7), take(7))
  t.notDeepEqual(take(7), take(8))
  t.true(take(7).every(number => number >= 0 && number < 1))
})
