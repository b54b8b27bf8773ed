import { MemoryStore } from '../../src/content/memory-store.ts'
import type { ContentStore, Labels } from '../../src/content/types.ts'
import { Collector } from '../../src/gc/collector.ts'
import { images as imageCollectible } from '../../src/images/collectible.ts'
import { ImageRecords } from '../../src/images/store.ts'
import type { Collectible } from '../../src/metadata/collectible.ts'
import { blobs, ingests } from '../../src/metadata/content-collectible.ts'
import { Database } from '../../src/metadata/database.ts'
import type { KeyValue } from '../../src/metadata/kv.ts'
import { leases } from '../../src/metadata/lease-collectible.ts'
import { MemoryKeyValue } from '../../src/metadata/memory-kv.ts'
import { allRecordsPrefix, parseKey } from '../../src/metadata/schema.ts'
import { Metadata } from '../../src/metadata/scope.ts'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { type Digest, digestOf } from '../../src/oci/digest.ts'
import type { Teardown } from './tmp.ts'

/** What a collected store is made of, where a test wants something else than memory. */
export interface CollectedInit {
  readonly kv?: KeyValue
  readonly backend?: ContentStore
  readonly more?: readonly Collectible[]
}

/** A whole store with a collector, in memory, and a clock that tests turn. */
export function collectedStore(t: Teardown, init: CollectedInit = {}) {
  const clock = { now: new Date('2026-01-02T03:04:05.000Z') }
  const now = () => clock.now
  const database = new Database(init.kv ?? new MemoryKeyValue())
  t.teardown(() => database.close())
  const backend = init.backend ?? new MemoryStore({ now })
  const metadata = new Metadata({ database, backend, now })
  const { gate, events } = metadata
  const collectibles = [leases, ingests, blobs, imageCollectible, ...(init.more ?? [])]
  const collector = new Collector({ database, backend, gate, events, collectibles, now })
  const scope = (namespace = 'default', lease?: string) => ({
    ...metadata.scope({ namespace, lease }),
    images: new ImageRecords({ database, namespace, lease, events, now }),
  })
  return { clock, database, backend, metadata, events, gate, collector, scope, ...scope() }
}

/** A store as `collectedStore` makes it. */
export type CollectedStore = ReturnType<typeof collectedStore>

/** Puts a blob whose bytes are a text. */
export async function putText(content: ContentStore, text: string, labels: Labels = {}): Promise<Digest> {
  await using writer = await content.writer({ ref: `put-${text}` })
  await writer.write(Buffer.from(text))
  return writer.commit({ labels })
}

/** The digest that `putText` gives a text. */
export const digestOfText = (text: string): Digest => digestOf(Buffer.from(text))

/** A target for an image: a blob whose bytes are a text. */
export const targetOfText = (text: string): Descriptor => ({
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  digest: digestOfText(text),
  size: Buffer.byteLength(text),
})

/** Every record as `kind namespace name`, sorted; of leases' resources the leases. */
export async function recordsIn({ database }: CollectedStore): Promise<string[]> {
  const found: string[] = []
  await database.view(async view => {
    for await (const { key } of view.range(allRecordsPrefix)) {
      const parsed = parseKey(key)
      if (parsed?.kind === 'content') found.push(`content ${parsed.namespace} ${parsed.digest}`)
      if (parsed?.kind === 'ingest') found.push(`ingest ${parsed.namespace} ${parsed.ref}`)
      if (parsed?.kind === 'image') found.push(`image ${parsed.namespace} ${parsed.name}`)
      if (parsed?.kind === 'lease') found.push(`lease ${parsed.namespace} ${parsed.id}`)
    }
  })
  return found.sort()
}

/** What the store beneath has: digests, and refs of ingests, sorted. */
export async function bytesIn({ backend }: CollectedStore): Promise<string[]> {
  const found: string[] = []
  for await (const { digest } of backend.list()) found.push(digest)
  for await (const { ref } of backend.statuses()) found.push(ref)
  return found.sort()
}
