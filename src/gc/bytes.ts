import { setTimeout } from 'node:timers/promises'
import { ifFound } from '../content/if-found.ts'
import { leavesLeftovers } from '../content/leftovers.ts'
import { listsDigests } from '../content/lists-digests.ts'
import type { ContentStore, Info } from '../content/types.ts'
import type { Database } from '../metadata/database.ts'
import type { Gate } from '../metadata/gate.ts'
import type { Journal } from '../metadata/journal.ts'
import { NamedBytes } from '../metadata/named-bytes.ts'
import type { Digest } from '../oci/digest.ts'
import type { AbortOptions } from '../options.ts'
import { Pace } from '../pace.ts'
import type { Pauses } from './pauses.ts'

/** A file of the store beneath that no record names. */
export type Orphan =
  | {
      readonly kind: 'content'
      readonly key: Info['digest']
      readonly size: number
      readonly createdAt: Date
    }
  | { readonly kind: 'ingest'; readonly key: string; readonly size: number; readonly createdAt: Date }

/** What the removal of bytes works on. */
export interface BytesParts {
  readonly database: Database
  readonly backend: ContentStore
  readonly gate: Gate
  readonly pauses: Pauses
  readonly onRemoved: (orphan: Orphan) => void
}

/** Milliseconds for which the gate is held at a time; one removal that has begun comes on top. */
const holdTime = 15
/** Files that are looked at, or removed, at one time: the disk is waited for, not the processor. */
const parallel = 16
/** Orphans that are looked for before they are removed: what is held does not grow with what there is. */
const batchSize = 2000
/** Milliseconds to wait for a moment in which nobody opens or commits, before those who come are made to wait. */
const patience = 2000

/**
 * Removes the blobs and ingests of the store beneath that no record of any namespace names, those too that a crash has left.
 *
 * Whoever makes a blob or an ingest does so, and writes its record, within the gate's shared side. So behind the
 * exclusive side there is none on its way, and what has no record then has none: the journal tells which were
 * written since the records were read. The gate is held for one batch at a time.
 */
export async function removeOrphans(parts: BytesParts, options: AbortOptions = {}): Promise<void> {
  const { database, backend } = parts
  using journal = await database.journal()
  const named = await database.view(view => NamedBytes.in(view, options))
  let orphans: Orphan[] = []
  for await (const orphan of orphansOf(backend, named, options)) {
    if (orphans.push(orphan) < batchSize) continue
    await removeBatch(parts, { named, journal, orphans }, options)
    orphans = []
  }
  await removeBatch(parts, { named, journal, orphans }, options)
  if (leavesLeftovers(backend)) await backend.removeLeftovers(options)
}

interface Batch {
  readonly named: NamedBytes
  readonly journal: Journal
  readonly orphans: Orphan[]
}

async function removeBatch(
  parts: BytesParts,
  { named, journal, orphans }: Batch,
  options: AbortOptions,
): Promise<void> {
  const { database, gate, pauses } = parts
  while (orphans.length > 0) {
    await quiet(gate, options)
    await pauses.during(() =>
      gate.exclusive(async () => {
        const until = performance.now() + holdTime
        // Nobody is within the gate, so all that concerns bytes is committed and the view shows it.
        await database.view(view => named.addKeys(view, journal.take()))
        while (orphans.length > 0 && performance.now() < until) {
          const batch = orphans.splice(-parallel)
          await Promise.all(batch.map(orphan => removeUnlessNamed(parts, named, orphan)))
        }
      }, options),
    )
  }
}

/** What the store beneath has and records do not name. Ingests that are open have their bytes told by their writer. */
export async function* orphansOf(
  backend: ContentStore,
  named: Pick<NamedBytes, 'hasBlob' | 'hasIngest'>,
  options: AbortOptions = {},
): AsyncGenerator<Orphan, void, undefined> {
  const pace = new Pace(options)
  let unnamed: Digest[] = []
  for await (const digest of digestsOf(backend, options)) {
    if (!named.hasBlob(digest) && unnamed.push(digest) === parallel) {
      yield* blobsOf(backend, unnamed, options)
      unnamed = []
    }
    if (pace.due) await pace.rest()
  }
  yield* blobsOf(backend, unnamed, options)
  for await (const { ref, offset, startedAt } of backend.statuses([], options)) {
    if (!named.hasIngest(ref)) yield { kind: 'ingest', key: ref, size: offset, createdAt: startedAt }
    if (pace.due) await pace.rest()
  }
}

async function* blobsOf(
  backend: ContentStore,
  digests: readonly Digest[],
  options: AbortOptions,
): AsyncGenerator<Orphan> {
  const infos = await Promise.all(digests.map(digest => ifFound(backend.info(digest, options))))
  for (const info of infos) {
    if (info === undefined) continue
    const { digest: key, size, createdAt } = info
    yield { kind: 'content', key, size, createdAt }
  }
}

async function* digestsOf(backend: ContentStore, options: AbortOptions): AsyncGenerator<Digest> {
  if (listsDigests(backend)) yield* backend.digests(options)
  else for await (const { digest } of backend.list([], options)) yield digest
}

async function removeUnlessNamed(
  { backend, onRemoved }: BytesParts,
  named: NamedBytes,
  orphan: Orphan,
): Promise<void> {
  const isNamed = orphan.kind === 'content' ? named.hasBlob(orphan.key) : named.hasIngest(orphan.key)
  if (isNamed) return
  const done = orphan.kind === 'content' ? backend.delete(orphan.key) : backend.abort(orphan.key)
  // Somebody removed it by hand meanwhile.
  const gone = await ifFound(done.then((): true => true))
  if (gone) onRemoved(orphan)
}

/** Waits until nobody is within the gate, for a while: entering it then holds up nobody who is not inside yet. */
async function quiet(gate: Gate, { signal }: AbortOptions): Promise<void> {
  const end = performance.now() + patience
  do {
    await setTimeout(1)
    signal?.throwIfAborted()
  } while (!gate.idle && performance.now() < end)
}
