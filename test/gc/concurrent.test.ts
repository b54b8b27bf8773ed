import process from 'node:process'
import { setImmediate } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { FsStore } from '../../src/content/fs-store.ts'
import type { ContentStore } from '../../src/content/types.ts'
import { isNotFound } from '../../src/errors.ts'
import { children } from '../../src/handlers/children.ts'
import { childLabels } from '../../src/handlers/gc-labels.ts'
import { walk } from '../../src/handlers/walk.ts'
import { openLevel } from '../../src/metadata/level-kv.ts'
import { withLease } from '../../src/metadata/with-lease.ts'
import { copyGraph } from '../../src/remotes/copy.ts'
import {
  bytesIn,
  type CollectedInit,
  type CollectedStore,
  collectedStore,
  recordsIn,
} from '../support/collected.ts'
import { Blobs, image, index, type Node } from '../support/image.ts'
import { seededRandom } from '../support/random.ts'
import { temporaryDirectory } from '../support/tmp.ts'

/** Seconds a store; set ORLOP_GC_SECONDS=60 for a long run. */
const seconds = Number(process.env.ORLOP_GC_SECONDS ?? 3)
const seed = Number(process.env.ORLOP_GC_SEED ?? Date.now() % 2 ** 31)

/** Images that share layers, so that one writer's garbage is another's image. */
const indexes = Array.from({ length: 6 }, (_, n) =>
  index(
    image('linux/amd64', 'base', `a${n}`, `b${n % 2}`),
    image('linux/arm64', 'base', `c${n % 3}`, `d${n}`),
  ),
)

const neverLoses = test.macro({
  async exec(t, _name: string, open: (t: ExecutionContext) => Promise<CollectedInit>) {
    t.timeout((seconds + 120) * 1000)
    t.log(`ORLOP_GC_SEED=${seed}`)
    const store = collectedStore(t, await open(t))
    const end = performance.now() + seconds * 1000
    const counts = { pulled: 0, checked: 0, collected: 0, longest: 0 }
    const writers = Array.from({ length: 8 }, (_, n) => write(store, n, end, counts))
    await Promise.all([...writers, collectUntil(store, end, counts)])
    t.log(counts)
    t.false(goesOn(0, counts))
    // What is left is whole; and when it is untagged nothing is left.
    for (const namespace of ['default', 'other']) {
      const { images, content } = store.scope(namespace)
      for await (const { name, target } of images.list()) {
        await assertWhole(content, target)
        await images.delete(name)
      }
    }
    await store.collector.collect()
    t.deepEqual(await recordsIn(store), [])
    t.deepEqual(await bytesIn(store), [])
  },
  title: (_, name) => `collect() in a loop never takes a blob of an image from 8 writers (${name})`,
})

test(neverLoses, 'memory', async () => ({}))
test(neverLoses, 'files and LevelDB', async t => {
  const root = await temporaryDirectory(t)
  return { kv: await openLevel(`${root}/metadata`), backend: new FsStore(`${root}/content`) }
})

interface Counts {
  pulled: number
  checked: number
  collected: number
  longest: number
}

/** For the time given, and on a slow machine until there was something to see. */
const goesOn = (end: number, { pulled, checked, collected }: Counts): boolean =>
  performance.now() < end || pulled < 20 || checked < 10 || collected < 3

async function collectUntil({ collector }: CollectedStore, end: number, counts: Counts): Promise<void> {
  while (goesOn(end, counts)) {
    const { pauses } = await collector.collect()
    counts.collected++
    counts.longest = Math.max(counts.longest, pauses.longest)
  }
}

/** Pulls, tags, checks and deletes, under names of its own. */
async function write(store: CollectedStore, writer: number, end: number, counts: Counts): Promise<void> {
  const random = seededRandom(seed + writer)
  const namespace = writer % 4 === 0 ? 'other' : 'default'
  const mine = new Map<string, Node>()
  while (goesOn(end, counts)) {
    // In memory nothing ever waits, and the others would get no turn.
    await setImmediate()
    const node = indexes[Math.floor(random() * indexes.length)]
    if (node === undefined) continue
    const name = `w${writer}-${Math.floor(random() * 3)}`
    const kind = random()
    if (kind < 0.45) {
      await pull(store, namespace, name, node)
      mine.set(name, node)
      counts.pulled++
    } else if (kind < 0.6) {
      const [source] = mine
      if (source !== undefined) await tag(store, namespace, source[0], name)
      if (source !== undefined) mine.set(name, source[1])
    } else if (kind < 0.8) {
      await store.scope(namespace).images.delete(name).catch(unlessNotFound)
      mine.delete(name)
    } else {
      for (const { desc } of mine.values()) {
        await assertWhole(store.scope(namespace).content, desc)
        counts.checked++
      }
    }
  }
}

async function pull(store: CollectedStore, namespace: string, name: string, node: Node): Promise<void> {
  const source = new Blobs(node)
  const handler = children(source)
  await withLease(store.scope(namespace).leases, {}, async ({ id }) => {
    const { content, images } = store.scope(namespace, id)
    const labels = async (desc: Node['desc']) => childLabels(await handler(desc, {}))
    await copyGraph(source, content, node.desc, handler, { labels })
    await put(images, name, node.desc)
  })
}

async function tag(store: CollectedStore, namespace: string, source: string, name: string): Promise<void> {
  const { images } = store.scope(namespace)
  await put(images, name, (await images.get(source)).target)
}

async function put(images: CollectedStore['images'], name: string, target: Node['desc']): Promise<void> {
  await images.update(name, { target }).catch(async error => {
    unlessNotFound(error)
    await images.create({ name, target })
  })
}

/** Every blob is there, record and bytes. */
async function assertWhole(content: ContentStore, target: Node['desc']): Promise<void> {
  for await (const desc of walk(children(content), [target])) {
    let size = 0
    for await (const chunk of content.read(desc)) size += chunk.byteLength
    if (size !== desc.size) throw new Error(`${desc.digest}: ${size} bytes of ${desc.size}`)
  }
}

const unlessNotFound = (error: unknown): void => {
  if (!isNotFound(error)) throw error
}
