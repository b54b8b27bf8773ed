import { execFile } from 'node:child_process'
import fs from 'node:fs/promises'
import path from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { promisify } from 'node:util'
import { MemoryStore } from '../../src/content/memory-store.ts'
import type { ContentStore, Info } from '../../src/content/types.ts'
import { Collector } from '../../src/gc/collector.ts'
import { images } from '../../src/images/collectible.ts'
import { encode } from '../../src/metadata/codec.ts'
import { blobs, ingests } from '../../src/metadata/content-collectible.ts'
import { Database } from '../../src/metadata/database.ts'
import { Gate } from '../../src/metadata/gate.ts'
import { leases } from '../../src/metadata/lease-collectible.ts'
import { openLevel } from '../../src/metadata/level-kv.ts'
import { contentKey, imageKey } from '../../src/metadata/schema.ts'
import { type Digest, digestOf } from '../../src/oci/digest.ts'
import { Runtime } from '../../src/runtime/runtime.ts'

/** A database of `count` blobs in a directory, a tenth as many images, and what collects it. */
export async function collection(
  directory: string,
  count: number,
): Promise<{ readonly database: Database; readonly collector: Collector }> {
  const database = new Database(await openLevel(directory))
  const digests = await fill(database, count)
  const { store: backend } = new Listed(digests)
  const collectibles = [leases, ingests, blobs, images]
  return { database, collector: new Collector({ database, backend, gate: new Gate(), collectibles }) }
}

/** A store on disk of `count` blobs, of which half are garbage: half of its images have lost their names. */
export async function fillStore(root: string, count: number): Promise<void> {
  await using runtime = await Runtime.open({ root })
  const { database } = runtime.parts
  const digests = await fill(database, count)
  await forget(database, 0, count / 20)
  const directory = path.join(root, 'content/blobs/sha256')
  await fs.mkdir(directory, { recursive: true })
  const bytes = Buffer.alloc(100)
  for (let at = 0; at < count; at += 64) {
    const some = digests.slice(at, at + 64)
    await Promise.all(some.map(digest => fs.writeFile(path.join(directory, digest.slice(7)), bytes)))
  }
  // What this has left to be written is not the collection's to wait for.
  await promisify(execFile)('sync')
}

/** Deletes the names of images from one number to another. */
export const forget = (database: Database, from: number, to: number): Promise<void> =>
  database.update(async tx => {
    for (let at = from; at < to; at++) tx.delete(imageKey('default', `image-${at}`))
  })

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
