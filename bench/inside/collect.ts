import process from 'node:process'
import { Runtime } from '../../src/runtime/runtime.ts'
import { fillStore } from '../lib/collection.ts'

/**
 * A collection of a store on disk, and what it took as JSON; the wall time is that of marking:
 *
 *     node dist/bench/inside/collect.js fill <root> <blobs>    makes the store; half of its blobs are garbage
 *     node dist/bench/inside/collect.js run <root>
 */
async function main([what = '', root = '', blobs = '']: readonly string[]): Promise<void> {
  if (what === 'fill') return fillStore(root, Number(blobs))
  await using runtime = await Runtime.open({ root })
  const before = process.cpuUsage()
  const { durations, pauses, scanned } = await runtime.gc.collect()
  const { user, system } = process.cpuUsage(before)
  const cpuMs = (user + system) / 1000
  const pauseMs = pauses.longest
  process.stdout.write(
    `${JSON.stringify({ wallMs: durations.mark, cpuMs, count: scanned, pauseMs, durations })}\n`,
  )
}

await main(process.argv.slice(2))
