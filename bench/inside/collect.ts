import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { collection, forget } from '../lib/collection.ts'

/**
 * Collects a store of as many blobs as are asked for, after half of its images lost their names, and prints what the marking
 * took as JSON: `node dist/bench/inside/collect.js <blobs>`.
 */
async function main(count: number): Promise<void> {
  const root = await fs.mkdtemp(path.join(os.tmpdir(), 'orlop-collect-'))
  const { database, collector } = await collection(root, count)
  try {
    await forget(database, 0, count / 20)
    const before = process.cpuUsage()
    const { durations } = await collector.collect()
    const { user, system } = process.cpuUsage(before)
    process.stdout.write(
      `${JSON.stringify({ wallMs: durations.mark, cpuMs: (user + system) / 1000, count })}\n`,
    )
  } finally {
    await database.close()
    await fs.rm(root, { recursive: true, force: true })
  }
}

await main(Number(process.argv[2]))
