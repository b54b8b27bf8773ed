import fs from 'node:fs/promises'
import path from 'node:path'
import process from 'node:process'
import { setTimeout } from 'node:timers/promises'
import { RegistryResolver } from '../src/remotes/registry/resolver.ts'
import { pull } from '../src/runtime/pull.ts'
import { remoteStore } from '../src/service/client/store.ts'
import { randomBytes } from '../test/support/bytes.ts'
import { startDockerRegistry } from '../test/support/docker-registry.ts'
import { createLayout } from '../test/support/layout.ts'
import { output } from '../test/support/run.ts'
import { startServing } from '../test/support/serving.ts'

/**
 * `node dist/bench/load.js [minutes]`: four clients pull, list, read, delete and have collected, all the time, from one
 * `orlop serve`; default ten minutes. Prints what the service holds as it goes on, then ends it with SIGTERM, starts it
 * again, ends that with SIGKILL, and starts it once more. Exits with 1 when the service grew, or did not end or start well.
 */
async function main(minutes: number): Promise<void> {
  const cleanUps: Array<() => void | Promise<void>> = []
  const bench = { teardown: (work: () => void | Promise<void>) => void cleanUps.push(work) }
  try {
    const { host, directory } = await startDockerRegistry(bench)
    const names = await publish(directory, host)
    let serving = await startServing(bench)
    const end = Date.now() + minutes * 60_000
    const samples: Held[] = []
    const counts = { pulls: 0, reads: 0, collections: 0 }
    const clients = names.map((name, at) => client(serving.address, name, `load-${at}`, end, counts))
    while (Date.now() < end) {
      await setTimeout(Math.min(10_000, Math.max(1, end - Date.now())))
      const held = await heldBy(serving.pid)
      samples.push(held)
      console.log(`${samples.length * 10} s: ${text(held)}; ${JSON.stringify(counts)}`)
    }
    await Promise.all(clients)
    const code = await serving.stop()
    serving = await startServing(bench, serving.root)
    process.kill(serving.pid, 'SIGKILL')
    const started = performance.now()
    serving = await startServing(bench, serving.root)
    console.log(
      `SIGTERM: exit ${code}; after SIGKILL it served again in ${Math.round(performance.now() - started)} ms`,
    )
    const growth = growthOf(samples)
    console.log(`resident size, second quarter to last: ${growth.toFixed(2)} times`)
    if (code !== 0 || growth > 1.2) process.exitCode = 1
  } finally {
    for (const work of cleanUps.toReversed()) await work()
  }
}

/** Four images, each of three layers of some megabytes. */
async function publish(directory: string, host: string): Promise<readonly string[]> {
  const names: string[] = []
  for (let at = 0; at < 4; at++) {
    const layout = path.join(directory, `layout-${at}`)
    await createLayout(layout)
    await output('umoci', ['new', '--image', `${layout}:x`])
    for (let layer = 0; layer < 3; layer++) {
      const files = path.join(directory, `files-${at}-${layer}`)
      await fs.mkdir(files)
      await fs.writeFile(path.join(files, 'data'), randomBytes(`${at} ${layer}`, 3_000_000))
      await output('umoci', ['insert', '--rootless', '--image', `${layout}:x`, files, `/data-${layer}`])
    }
    const name = `${host}/load/image-${at}:1`
    await output('skopeo', ['copy', '-q', '--dest-tls-verify=false', `oci:${layout}:x`, `docker://${name}`])
    names.push(name)
  }
  return names
}

interface Counts {
  pulls: number
  reads: number
  collections: number
}

async function client(
  address: string,
  name: string,
  namespace: string,
  end: number,
  counts: Counts,
): Promise<void> {
  await using store = remoteStore(address)
  await using resolver = new RegistryResolver()
  const scope = store.scope(namespace)
  while (Date.now() < end) {
    const { image } = await pull({ resolver, scope }, name)
    counts.pulls++
    for await (const { digest, size } of scope.content.list()) {
      for await (const _ of scope.content.read({ digest, size, mediaType: '' })) counts.reads++
    }
    await scope.images.delete(image.name)
    await store.collect(namespace)
    counts.collections++
  }
}

interface Held {
  readonly residentBytes: number
  readonly files: number
}

async function heldBy(pid: number): Promise<Held> {
  const status = await fs.readFile(`/proc/${pid}/status`, 'utf8')
  const files = await fs.readdir(`/proc/${pid}/fd`)
  return { residentBytes: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024, files: files.length }
}

const text = ({ residentBytes, files }: Held): string =>
  `${Math.round(residentBytes / 1024 / 1024)} MiB resident, ${files} files open`

/** The mean of the last quarter by that of the second; the first is warm-up. */
function growthOf(samples: readonly Held[]): number {
  const quarter = Math.max(1, Math.floor(samples.length / 4))
  const mean = (part: readonly Held[]): number =>
    part.reduce((sum, { residentBytes }) => sum + residentBytes, 0) / Math.max(1, part.length)
  return mean(samples.slice(-quarter)) / mean(samples.slice(quarter, 2 * quarter))
}

await main(Number(process.argv[2] ?? 10))
