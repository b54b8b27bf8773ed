import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { setTimeout } from 'node:timers/promises'
import type { Collector } from '../src/gc/collector.ts'
import type { Database } from '../src/metadata/database.ts'
import { collection, forget } from './lib/collection.ts'

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
  const { database, collector } = await collection(path.join(root, 'metadata'), count)
  try {
    const lines = [await collect(collector, database, count)]
    await forget(database, 0, count / 10)
    lines.push(await collect(collector, database, count))
    return lines
  } finally {
    await database.close()
    await fs.rm(root, { recursive: true, force: true })
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
