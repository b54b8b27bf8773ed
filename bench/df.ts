import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { encode } from '../src/metadata/codec.ts'
import { contentKey, imageKey } from '../src/metadata/schema.ts'
import { type Digest, digestOf } from '../src/oci/digest.ts'
import { measure } from '../src/runtime/measure.ts'
import { prune } from '../src/runtime/prune.ts'
import { Runtime } from '../src/runtime/runtime.ts'

/** Blobs of an image: a manifest, a config, six layers of its own and two that it shares with nine others. */
const own = 8
const sharing = 10

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
    await fill(root, images)
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

const filesOf = (images: number): number => images * own + Math.ceil(images / sharing) * 2

const blob = (name: string): Digest => digestOf(Buffer.from(name))

/** Records as pulls write them, and for each blob a file. */
async function fill(root: string, images: number): Promise<void> {
  await using runtime = await Runtime.open({ root })
  const { database } = runtime.parts
  const directory = path.join(root, 'content/blobs/sha256')
  await fs.mkdir(directory, { recursive: true })
  const dates = { createdAt: new Date(), updatedAt: new Date() }
  for (let from = 0; from < images; from += 500) {
    const digests = new Set<Digest>()
    await database.update(async tx => {
      for (let at = from; at < Math.min(from + 500, images); at++) {
        const group = Math.floor(at / sharing)
        const below = [
          ...Array.from({ length: own - 1 }, (_, n) => blob(`${at} ${n}`)),
          ...[0, 1].map(n => blob(`shared ${group} ${n}`)),
        ]
        const digest = blob(`manifest ${at}`)
        const labels = Object.fromEntries(
          below.map((child, n) => [`containerd.io/gc.ref.content.l.${n}`, child]),
        )
        tx.put(contentKey('default', digest), encode({ size: 100, labels, ...dates }))
        for (const child of below)
          tx.put(contentKey('default', child), encode({ size: 100, labels: {}, ...dates }))
        const target = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size: 100 }
        tx.put(
          imageKey('default', `example.com/app-${group}:${at}`),
          encode({ target, labels: {}, ...dates }),
        )
        for (const one of [digest, ...below]) digests.add(one)
      }
    })
    const bytes = Buffer.alloc(100)
    await Promise.all([...digests].map(digest => fs.writeFile(path.join(directory, digest.slice(7)), bytes)))
  }
}

await main()
