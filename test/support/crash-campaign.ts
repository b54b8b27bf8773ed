import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { isNotFound } from '../../src/errors.ts'
import type { Finding } from '../../src/fsck/types.ts'
import { check } from '../../src/images/check.ts'
import { parseDigest } from '../../src/oci/digest.ts'
import { checkStore } from '../../src/runtime/fsck.ts'
import { Runtime } from '../../src/runtime/runtime.ts'
import { randomBytes } from './bytes.ts'
import { CrashModel, type CrashWord } from './crash-model.ts'
import { seededRandom } from './random.ts'
import { startRegistry, type TestRegistry } from './registry.ts'
import { type Teardown, temporaryDirectory } from './tmp.ts'

/** What a campaign is. */
export interface CampaignInit {
  /** Times that the program is killed. */
  readonly count: number
  readonly seed: number
  /** Told after each turn. */
  readonly onTurn?: (turn: TurnReport) => void
}

/** What one turn found. */
export interface TurnReport {
  readonly turn: number
  /** Things the program said before it was killed. */
  readonly words: number
  /** Sorts of harmless findings, and how many of each. */
  readonly left: Readonly<Record<string, number>>
  /** What ought not to be. */
  readonly faults: readonly string[]
}

const day = 24 * 60 * 60 * 1000
const imageCount = 12

/**
 * Kills a program at random moments of pulls, commits, tags, deletes and collections, and looks at the store after each.
 *
 * @returns all faults that were found; none is what is wished for
 */
export async function crashCampaign(t: Teardown, init: CampaignInit): Promise<readonly string[]> {
  const root = path.join(await temporaryDirectory(t), 'root')
  const registry = await startRegistry(t)
  fill(registry)
  const random = seededRandom(init.seed)
  const model = new CrashModel()
  const faults: string[] = []
  for (let turn = 1; turn <= init.count; turn++) {
    registry.requests.length = 0
    const { words, error } = await runAndKill(root, registry.host, random)
    for (const word of words) model.hear(word)
    const found = await inspect(root, model, random() < 0.3)
    const here = [...(error ? [`the program failed: ${error}`] : []), ...found.faults]
    faults.push(...here.map(text => `seed ${init.seed}, turn ${turn}: ${text}`))
    init.onTurn?.({ turn, words: words.length, left: found.left, faults: here })
  }
  return faults
}

/** Images that share layers, small ones and some that take several blocks. */
function fill(registry: TestRegistry): void {
  const sizes = [10, 5000, 70_000, 300_000, 900_000, 2_500_000]
  const layers = sizes.map((size, at) => randomBytes(`layer ${at}`, size))
  for (let at = 0; at < imageCount; at++) {
    const own = randomBytes(`own ${at}`, 1000 * (1 + at * at))
    registry.image('app', String(at), ...layers.filter((_, layer) => (at + layer) % 3 !== 0), own)
  }
}

/** Runs the program, and kills it while it opens or (mostly) while it works. */
async function runAndKill(root: string, host: string, random: () => number) {
  const program = fileURLToPath(new URL('crash-child.js', import.meta.url))
  const seed = String(Math.floor(random() * 2 ** 31))
  const duringOpen = random() < 0.1
  const wanted = random() < 0.5 ? 0 : 1 + Math.floor(random() * 12)
  const delay = duringOpen ? 60 + random() * 250 : random() ** 2 * (wanted > 0 ? 80 : 1000)
  const child = spawn(process.execPath, [program, root, host, seed, String(imageCount)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const closed = once(child, 'close')
  const stderr: Buffer[] = []
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
  const words: CrashWord[] = []
  const heard = new Promise<void>(resolve => {
    createInterface(child.stdout).on('line', line => {
      words.push(JSON.parse(line))
      if (words.length > wanted) resolve()
    })
    child.once('close', () => resolve())
  })
  if (!duringOpen) await heard
  await Promise.race([setTimeout(delay), closed])
  child.kill('SIGKILL')
  await closed
  const error = Buffer.concat(stderr).toString()
  return { words, error: child.exitCode === null ? '' : error }
}

/** Opens the store and looks whether all is as it must be; then collects, and looks again. */
async function inspect(root: string, model: CrashModel, later: boolean) {
  const faults: string[] = []
  // Leases and ingests of programs that were killed expire after a day.
  const now = later ? () => new Date(Date.now() + 2 * day) : () => new Date()
  await using runtime = await Runtime.open({ root, now })
  const before = await checkStore(runtime)
  faults.push(...before.findings.filter(isFault).map(text))
  faults.push(...(await compare(runtime, model)))
  await runtime.gc.collect()
  const after = await checkStore(runtime)
  // What a lease still keeps is not collected: the next writer of the ref goes on with it.
  const kept = after.findings.filter(({ found }) => found === 'a record without bytes')
  const unexpected = after.findings.filter(finding => !kept.includes(finding))
  faults.push(...unexpected.map(finding => `after a collection: ${text(finding)}`))
  faults.push(...(await compare(runtime, model)).map(fault => `after a collection: ${fault}`))
  const left: Record<string, number> = {}
  for (const { class: kind } of before.findings) left[kind] = (left[kind] ?? 0) + 1
  return { faults, left }
}

const isFault = ({ class: kind, severity }: Finding): boolean =>
  severity === 'broken' || (kind !== 'orphan' && kind !== 'stale-ingest')

const text = ({ class: kind, object, namespace, found }: Finding): string =>
  `${kind} ${object} ${namespace ?? ''}: ${found}`

async function compare(runtime: Runtime, model: CrashModel): Promise<readonly string[]> {
  const faults: string[] = []
  const unheard = new Set(model.images)
  for (const namespace of ['one', 'two']) {
    const { images, disk } = runtime.scope(namespace)
    for await (const { name, target } of images.list()) {
      const key = `${namespace} ${name}`
      unheard.delete(key)
      if (!model.allows(key, target.digest)) faults.push(`image ${key} is ${target.digest}, as nobody said`)
      model.settle(key, target.digest)
      const { missing, available } = await check(disk, target)
      if (!available) faults.push(`image ${key} lacks ${missing.map(({ descriptor }) => descriptor.digest)}`)
    }
  }
  for (const key of unheard) {
    if (!model.allows(key, undefined)) faults.push(`image ${key} was acknowledged and is gone`)
    model.settle(key, undefined)
  }
  for (const [namespace, digest] of model.blobs) {
    const { disk } = runtime.scope(namespace)
    await disk.info(parseDigest(digest)).catch((error: unknown) => {
      if (!isNotFound(error)) throw error
      faults.push(`blob ${digest} of ${namespace} was acknowledged and is gone`)
    })
  }
  return faults
}
