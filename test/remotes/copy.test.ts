import crypto from 'node:crypto'
import test, { type ExecutionContext } from 'ava'
import { readBlob } from '../../src/content/blob.ts'
import { cached } from '../../src/content/cache.ts'
import { MemoryStore } from '../../src/content/memory-store.ts'
import type { Provider } from '../../src/content/types.ts'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { parseManifest } from '../../src/oci/document.ts'
import { isManifest } from '../../src/oci/media-type.ts'
import { copyGraph } from '../../src/remotes/copy.ts'
import { type ProgressEvent, ProgressTotals } from '../../src/remotes/progress.ts'
import { targetOf } from '../support/bytes.ts'
import { startRegistry } from '../support/registry.ts'
import { dropAfter, wrongBytes } from '../support/registry-faults.ts'
import { quickResolver } from '../support/resolver.ts'

const layers = [crypto.randomBytes(200_000), crypto.randomBytes(100_000)]

/** An image in a registry, a store, and a way to pull the one into the other. */
async function scene(t: ExecutionContext) {
  const registry = await startRegistry(t)
  const image = registry.image('a/b', 'v1', ...layers)
  const { resolver } = quickResolver(t)
  const store = new MemoryStore()
  const events: ProgressEvent[] = []
  const pull = async (options: Parameters<typeof copyGraph>[4] = {}) => {
    const root = await resolver.resolve(`${registry.host}/a/b:v1`)
    const from = cached(await resolver.fetcher(`${registry.host}/a/b:v1`), { maxBlobSize: 64 * 1024 })
    const children = async (desc: Descriptor) => {
      if (!isManifest(desc)) return []
      const manifest = parseManifest(await readBlob(from, desc))
      return [manifest.config, ...manifest.layers]
    }
    await copyGraph(from, store, root, children, { onProgress: event => events.push(event), ...options })
  }
  return { registry, store, events, pull, ...image }
}

test('copyGraph() brings every blob, each with one request', async t => {
  const { registry, store, pull, manifest, config, layers: descs } = await scene(t)
  await pull()
  for (const desc of [manifest, config, ...descs]) t.is((await store.info(desc.digest)).size, desc.size)
  t.deepEqual(await readBlob(store, descs[0] ?? manifest), new Uint8Array(layers[0] ?? []))
  t.is(registry.requests.length, 5)
})

test('copyGraph() commits a manifest after all it names', async t => {
  const { events, pull, manifest } = await scene(t)
  await pull({ concurrency: 1 })
  const done = events.flatMap(event => (event.type === 'complete' ? [event.target.digest] : []))
  t.is(done.length, 4)
  t.is(done.at(-1), manifest.digest)
})

test('copyGraph() writes the labels that it is given', async t => {
  const { store, pull, config } = await scene(t)
  await pull({ labels: async ({ digest }) => ({ mine: digest.slice(7, 12) }) })
  t.deepEqual((await store.info(config.digest)).labels, { mine: config.digest.slice(7, 12) })
})

test('copyGraph() again fetches no layer, and says that they exist', async t => {
  const { registry, events, pull } = await scene(t)
  await pull()
  events.length = 0
  const before = registry.seen(/blobs/).length
  await pull()
  t.is(registry.seen(/blobs/).length, before)
  const totals = new ProgressTotals()
  for (const event of events) totals.add(event)
  t.like(totals.totals(), { blobs: 4, done: 4, fetched: 0 })
  t.is(totals.totals().reused, totals.totals().total)
})

test('copyGraph() resumes in another run what one left behind', async t => {
  const { registry, store, events, pull, layers: descs } = await scene(t)
  const [layer] = descs
  const big = new RegExp(`blobs/${layer?.digest}`)
  const stop = new AbortController()
  registry.next(big, dropAfter(100_000))
  registry.next(big, () => stop.abort(new Error('enough')))
  await t.throwsAsync(pull({ signal: stop.signal }), { message: 'enough' })
  const kept: number[] = []
  for await (const { ref, offset } of store.statuses())
    if (ref === `layer-${layer?.digest}`) kept.push(offset)
  t.deepEqual(kept, [100_000])
  registry.heal()
  events.length = 0
  await pull()
  t.is(registry.seen(big).at(-1)?.headers.range, 'bytes=100000-')
  const complete = events.find(event => event.type === 'complete' && event.target.digest === layer?.digest)
  t.like(complete, { offset: 200_000, total: 200_000, fetched: 100_000, reused: 100_000 })
})

test('copyGraph() drops bytes that prove wrong, and says so', async t => {
  const { registry, store, pull, layers: descs, manifest } = await scene(t)
  registry.always(new RegExp(`blobs/${descs[0]?.digest}`), wrongBytes)
  await t.throwsAsync(pull(), { code: 'DATA_LOSS' })
  t.is((await store.status(`layer-${descs[0]?.digest}`)).offset, 0)
  await t.throwsAsync(store.info(manifest.digest), { code: 'NOT_FOUND' })
  registry.heal()
  await pull()
  t.is((await store.info(manifest.digest)).size, manifest.size)
})

test('copyGraph() announces every blob before it comes', async t => {
  const { events, pull } = await scene(t)
  await pull()
  const first = new Map<string, string>()
  for (const event of events) {
    if (!('ref' in event)) continue
    if (!first.has(event.target.digest)) first.set(event.target.digest, event.type)
  }
  t.deepEqual([...first.values()], ['waiting', 'waiting', 'waiting', 'waiting'])
})

/** The most reads at one time, of small blobs and of large ones, when all of them wait for each other as long as they can. */
async function mostAtOnce(concurrency: number | undefined) {
  const blobs = Array.from({ length: 24 }, (_, at) => crypto.randomBytes(at % 2 ? 70_000 + at : 100 + at))
  const sources = new Map(blobs.map(bytes => [digestOf(bytes), bytes]))
  const now = { small: 0, large: 0 }
  const most = { small: 0, large: 0, all: 0 }
  const from: Provider = {
    async *read({ digest, size }) {
      const kind = size > 65_536 ? 'large' : 'small'
      now[kind]++
      most[kind] = Math.max(most[kind], now[kind])
      most.all = Math.max(most.all, now.small + now.large)
      // All that may begin has begun when the event loop has come round a few times.
      for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
      yield sources.get(digest) ?? new Uint8Array()
      now[kind]--
    },
  }
  const targets = blobs.map(bytes => ({ ...targetOf(bytes), mediaType: 'application/x' }))
  const root = { mediaType: 'application/root', digest: digestOf(''), size: 0 }
  await copyGraph(from, new MemoryStore(), root, async desc => (desc === root ? targets : []), {
    concurrency,
  })
  return most
}

test('copyGraph() copies three blobs at one time and eight small ones, or as many as it is told', async t => {
  t.deepEqual(await mostAtOnce(undefined), { small: 8, large: 3, all: 11 })
  t.is((await mostAtOnce(2)).all, 2)
  t.is((await mostAtOnce(20)).all, 20)
})
