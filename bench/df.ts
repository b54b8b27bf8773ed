import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { measure } from '../src/runtime/measure.ts'
import { prune } from '../src/runtime/prune.ts'
import { Runtime } from '../src/runtime/runtime.ts'
import { filesOf, manyImages } from './lib/images.ts'

/**
 * How long `df` and the plan of a prune take, and what memory `df` needs, at 1 000 and at 10 000 images: LevelDB and
 * (small) files on disk, all in the page cache. Linear cost shows as a factor of about ten between the rows. `open` is
 * what each command pays first: the checksums of all tables are looked at.
 *
 *     node --expose-gc dist/bench/df.js [images]
 */
async function main(): Promise<void> {
  const most = Number(process.argv[2] ?? 10_000)
  const row = (cells: readonly (string | number)[]): string =>
    cells.map(cell => String(cell).padStart(10)).join('')
  process.stdout.write(`${row(['images', 'files', 'open ms', 'df ms', 'plan ms', 'cpu ms', 'heap MiB'])}\n`)
  for (const count of [most / 10, most]) process.stdout.write(`${row(await measured(Math.round(count)))}\n`)
}

async function measured(images: number): Promise<readonly (string | number)[]> {
  const root = await fs.mkdtemp(path.join(os.tmpdir(), 'orlop-bench-'))
  try {
    await manyImages(root, images)
    // Moves the journal into tables.
    await (await Runtime.open({ root })).close()
    globalThis.gc?.()
    const heap = process.memoryUsage().heapUsed
    const start = performance.now()
    await using runtime = await Runtime.open({ root })
    const opened = performance.now()
    const cpuBefore = process.cpuUsage()
    const usage = await measure(runtime)
    const cpu = process.cpuUsage(cpuBefore)
    const known = performance.now()
    const needed = process.memoryUsage().heapUsed - heap
    const { plan } = await prune(runtime, runtime.scope(), { maxBytes: 1 }, { dryRun: true })
    const planned = performance.now()
    if (usage.images.length !== images || plan.deletions.length !== images)
      throw new Error('not all were counted')
    const times = [opened - start, known - opened, planned - known, (cpu.user + cpu.system) / 1000]
    return [images, filesOf(images), ...times.map(time => Math.round(time)), Math.round(needed / 2 ** 20)]
  } finally {
    await fs.rm(root, { recursive: true, force: true })
  }
}

await main()
