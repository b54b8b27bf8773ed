import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { MemoryStore } from '../src/content/memory-store.ts'
import type { ContentStore, Info } from '../src/content/types.ts'
import { Collector } from '../src/gc/collector.ts'
import { images } from '../src/images/collectible.ts'
import { encode } from '../src/metadata/codec.ts'
import { blobs, ingests } from '../src/metadata/content-collectible.ts'
import { Database } from '../src/metadata/database.ts'
import { Gate } from '../src/metadata/gate.ts'
import { leases } from '../src/metadata/lease-collectible.ts'
import { openLevel } from '../src/metadata/level-kv.ts'
import { contentKey, imageKey } from '../src/metadata/schema.ts'
import { type Digest, digestOf } from '../src/oci/digest.ts'

/**
 * How long a collection takes, what memory it needs and for how long at a time it holds writers, on LevelDB with the bytes
 * in memory: at 10 000, 30 000 and 100 000 blobs (a tenth as many images), with a writer at work all the while. First with
 * nothing to remove, then with all of it.
 *
 *     node dist/bench/gc.js [blobs]
 */
async function main(): Promise<void> {
  const most = Number(process.argv[2] ?? 100_000)
  const row = (cells: readonly (string | number)[]): string =>
    cells.map((cell, at) => String(cell).padStart(at === 0 ? 8 : 12)).join('')
  process.stdout.write(
    `${row(['blobs', 'images', 'removed', 'mark ms', 'sweep ms', 'bytes ms', 'pause ms', 'write ms', 'cpu ms', 'heap MiB'])}\n`,
  )
  for (const count of [most / 10, (most * 3) / 10, most]) {
    for (const line of await measure(Math.round(count))) process.stdout.write(`${row(line)}\n`)
  }
}

async function measure(count: number): Promise<(string | number)[][]> {
  const root = await fs.mkdtemp(path.join(os.tmpdir(), 'orlop-bench-'))
  const database = new Database(await openLevel(path.join(root, 'metadata')))
  try {
    const digests = await fill(database, count)
    const backend = new Listed(digests)
    const gate = new Gate()
    const collector = new Collector({
      database,
      backend: backend.store,
      gate,
      collectibles: [leases, ingests, blobs, images],
    })
    const lines = [await collect(collector, database, count)]
    await database.update(async tx => {
      for (let at = 0; at < count / 10; at++) tx.delete(imageKey('default', `image-${at}`))
    })
    lines.push(await collect(collector, database, count))
    return lines
  } finally {
    await database.close()
    await fs.rm(root, { recursive: true, force: true })
  }
}

/** One image in ten blobs: a manifest that names nine layers. */
async function fill(database: Database, count: number): Promise<readonly Digest[]> {
  const at = new Date()
  const digests = Array.from({ length: count }, (_, n) => digestOf(Buffer.from(`blob ${n}`)))
  for (let from = 0; from < count; from += 5000) {
    await database.update(async tx => {
      for (let n = from; n < Math.min(from + 5000, count); n++) {
        const isManifest = n % 10 === 0
        const digest = digests[n]
        if (digest === undefined) continue
        const below = isManifest ? digests.slice(n + 1, n + 10) : []
        const labels = Object.fromEntries(
          below.map((child, l) => [`containerd.io/gc.ref.content.l.${l}`, child]),
        )
        tx.put(contentKey('default', digest), encode({ size: 1000, labels, createdAt: at, updatedAt: at }))
        if (!isManifest) continue
        const target = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size: 1000 }
        tx.put(
          imageKey('default', `image-${n / 10}`),
          encode({ target, labels: {}, createdAt: at, updatedAt: at }),
        )
      }
    })
  }
  return digests
}

/** A store that lists and deletes blobs which have no bytes: what a collection asks of it. */
class Listed {
  readonly #infos: Map<Digest, Info>
  readonly store: ContentStore

  constructor(digests: readonly Digest[]) {
    const at = new Date()
    const info = (digest: Digest): Info => ({ digest, size: 1000, labels: {}, createdAt: at, updatedAt: at })
    this.#infos = new Map(digests.map(digest => [digest, info(digest)]))
    const infos = this.#infos
    const empty = new MemoryStore()
    this.store = {
      read: (target, options) => empty.read(target, options),
      info: (digest, options) => empty.info(digest, options),
      update: (digest, change, options) => empty.update(digest, change, options),
      list: async function* () {
        yield* infos.values()
      },
      delete: async digest => {
        await setImmediate()
        infos.delete(digest)
      },
      status: (ref, options) => empty.status(ref, options),
      statuses: (filters, options) => empty.statuses(filters, options),
      abort: (ref, options) => empty.abort(ref, options),
      writer: (init, options) => empty.writer(init, options),
    }
  }
}

async function collect(
  collector: Collector,
  database: Database,
  count: number,
): Promise<(string | number)[]> {
  globalThis.gc?.()
  const before = process.memoryUsage().heapUsed
  const stop = new AbortController()
  const writing = writeAllTheWhile(database, stop.signal)
  let heap = before
  const watching = (async () => {
    while (!stop.signal.aborted) {
      heap = Math.max(heap, process.memoryUsage().heapUsed)
      await setTimeout(20)
    }
  })()
  const cpuBefore = process.cpuUsage()
  const { records, durations, pauses } = await collector.collect()
  const cpu = process.cpuUsage(cpuBefore)
  stop.abort()
  const longestWrite = await writing
  await watching
  const removed = Object.values(records).reduce((sum, number) => sum + number, 0)
  const { mark, sweep, bytes } = durations
  const times = [mark, sweep, bytes].map(time => Math.round(time))
  return [
    count,
    count / 10,
    removed,
    ...times,
    pauses.longest.toFixed(1),
    longestWrite.toFixed(1),
    Math.round((cpu.user + cpu.system) / 1000),
    ((heap - before) / 2 ** 20).toFixed(0),
  ]
}

/** Writes a record, waits for it, and again. @returns the longest wait, in milliseconds */
async function writeAllTheWhile(database: Database, signal: AbortSignal): Promise<number> {
  let longest = 0
  for (let n = 0; !signal.aborted; n++) {
    const start = performance.now()
    await database.update(async tx => tx.put('v1/default/sequence', n))
    longest = Math.max(longest, performance.now() - start)
    await setTimeout(1)
  }
  return longest
}

await main()
