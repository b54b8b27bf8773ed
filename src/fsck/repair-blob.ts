import fs from 'node:fs/promises'
import path from 'node:path'
import { copyBlob } from '../content/copy.ts'
import { syncDirectory } from '../content/fs-durable.ts'
import type { Ingester, Writer } from '../content/types.ts'
import { hasCode, isOrlopError, OrlopError } from '../errors.ts'
import { encode } from '../metadata/codec.ts'
import { blobRecord, forgetIngest, recordIngest } from '../metadata/content-records.ts'
import { contentKey } from '../metadata/schema.ts'
import type { Digest } from '../oci/digest.ts'
import type { AbortOptions } from '../options.ts'
import { RegistryError } from '../remotes/registry/error.ts'
import { isRecorded } from './blobs.ts'
import { readFile } from './files.ts'
import type { Quarantine } from './quarantine.ts'
import type { Source, Sources } from './sources.ts'
import type { Finding, FsckParts } from './types.ts'

/** What a repair works with. */
export interface RepairParts extends FsckParts {
  readonly quarantine: Quarantine
  /** Where good copies may be; none: nothing is fetched. */
  readonly sources: Sources
}

/** How a repair of one thing ended. */
export interface Outcome {
  readonly outcome: 'repaired' | 'left' | 'failed'
  /** What was done, or why nothing was. */
  readonly detail: string
}

/**
 * Gives a blob its right bytes, and then its records the right size.
 *
 * A good copy is fetched into an ingest and verified; only then it takes the place of what was there, by one rename, and
 * the bad file has its second name in quarantine before that. So a crash leaves the bad file or the good one.
 *
 * @param findings  all of this digest
 */
export async function repairBlob(
  parts: RepairParts,
  digest: Digest,
  findings: readonly Finding[],
  options: AbortOptions,
): Promise<Outcome> {
  const namespaces = findings.flatMap(({ namespace }) => namespace ?? [])
  if (namespaces.length === 0) return moveAway(parts, digest, findings, options)
  const right = await rightSize(parts, digest, options)
  if (right !== undefined) {
    const changed = await writeSizes(parts, digest, namespaces, right)
    return {
      outcome: 'repaired',
      detail: changed > 0 ? 'the record has the right size' : 'it is right by now',
    }
  }
  const fetched = await fetchAnew(parts, digest, { namespaces, findings }, options)
  if (fetched.outcome !== 'repaired') return fetched
  const size = await rightSize(parts, digest, options)
  if (size === undefined) return { outcome: 'failed', detail: 'the bytes are wrong again' }
  await writeSizes(parts, digest, namespaces, size)
  return fetched
}

/** The size of the blob's file when its bytes are right. */
async function rightSize({ layout }: RepairParts, digest: Digest, options: AbortOptions) {
  const file = await readFile(layout, digest, options)
  return typeof file === 'object' && file.actual === digest ? file.size : undefined
}

async function writeSizes(
  { database, now }: RepairParts,
  digest: Digest,
  namespaces: readonly string[],
  size: number,
): Promise<number> {
  return database.update(async tx => {
    let changed = 0
    for (const namespace of namespaces) {
      const record = await blobRecord(tx, namespace, digest)
      if (record === undefined || record.size === size) continue
      tx.put(contentKey(namespace, digest), encode({ ...record, size, updatedAt: now() }))
      changed++
    }
    return changed
  })
}

/** Takes a bad file that no record names out of the store, so that no pull takes it over. */
async function moveAway(
  parts: RepairParts,
  digest: Digest,
  findings: readonly Finding[],
  options: AbortOptions,
): Promise<Outcome> {
  const { gate, backend, database, quarantine } = parts
  return gate.exclusive(
    () =>
      backend.alone(digest, async file => {
        if (await database.view(view => isRecorded(view, digest))) {
          return { outcome: 'left', detail: 'a record names it by now; check again' }
        }
        if ((await rightSize(parts, digest, options)) !== undefined) {
          return { outcome: 'left', detail: 'it is right by now' }
        }
        const kept = await quarantine.keepBlob(file, digest, { findings })
        await fs.unlink(file)
        await syncDirectory(path.dirname(file))
        return { outcome: 'repaired', detail: `moved to ${kept}` }
      }),
    options,
  )
}

interface Wanted {
  readonly namespaces: readonly string[]
  readonly findings: readonly Finding[]
}

async function fetchAnew(
  parts: RepairParts,
  digest: Digest,
  wanted: Wanted,
  options: AbortOptions,
): Promise<Outcome> {
  const failures: string[] = []
  const records = await recordsOf(parts, digest, wanted)
  const blob = { digest, labels: records.map(({ labels }) => labels), size: records[0]?.size }
  for (const source of parts.sources(blob)) {
    try {
      return { outcome: 'repaired', detail: await fetchFrom(parts, source, digest, wanted, options) }
    } catch (error) {
      options.signal?.throwIfAborted()
      // A full disk is full for the next source too; a registry may be exhausted for itself.
      const isOurs = hasCode(error, 'RESOURCE_EXHAUSTED') && !(error instanceof RegistryError)
      if (!isOrlopError(error) || isOurs) throw error
      failures.push(`${source.name}: ${error.message}`)
    }
  }
  if (failures.length > 0) return { outcome: 'failed', detail: failures.join('; ') }
  const detail = 'nothing says where it came from; name an image that has it with --from <reference>'
  return { outcome: 'failed', detail }
}

const recordsOf = ({ database }: RepairParts, digest: Digest, { namespaces }: Wanted) =>
  database.view(async view => {
    const found = []
    for (const namespace of namespaces) {
      const record = await blobRecord(view, namespace, digest)
      if (record) found.push(record)
    }
    return found
  })

async function fetchFrom(
  parts: RepairParts,
  source: Source,
  digest: Digest,
  { namespaces, findings }: Wanted,
  options: AbortOptions,
): Promise<string> {
  const { backend, database, quarantine, now } = parts
  const { provider, target } = await source.open(options)
  const [namespace = 'default'] = namespaces
  const ref = `repair-${digest}`
  // As every write: its record keeps the bytes from a collection, for a day should this process die.
  const { record } = await database.update(tx =>
    recordIngest(tx, { namespace }, { ref, expected: digest, total: target.size, shared: false, now: now() }),
  )
  let kept: string | undefined
  const replacing = backend.replacing(async file => {
    if ((await rightSize(parts, digest, options)) !== undefined) throw itIsRight(digest)
    kept = await quarantine.keepBlob(file, digest, { from: source.name, findings })
  })
  try {
    await copyBlob(provider, guarded(parts, replacing, digest, namespaces), target, {
      ref: record.backendRef,
      signal: options.signal,
    })
  } catch (error) {
    // Kept when the user has stopped it: the next repair goes on from there.
    if (!options.signal?.aborted) await forget(parts, namespace, ref, record.backendRef)
    throw error
  }
  await forget(parts, namespace, ref, record.backendRef)
  return `fetched from ${source.name}${kept === undefined ? '' : `; the bad file is ${kept}`}`
}

const itIsRight = (digest: Digest): OrlopError =>
  new OrlopError('ALREADY_EXISTS', `content ${digest}: it is right by now`)

async function forget(
  { database, backend }: RepairParts,
  namespace: string,
  ref: string,
  backendRef: string,
): Promise<void> {
  await database.update(tx => forgetIngest(tx, { namespace }, ref))
  // Gone with the commit already, as a rule.
  await backend.abort(backendRef).catch(() => undefined)
}

/** Lets no collection run while the files change places, and changes none that no record names any more. */
const guarded = (
  { gate, database }: RepairParts,
  to: Ingester,
  digest: Digest,
  namespaces: readonly string[],
): Ingester => ({
  writer: async ({ ref, expected }, options) => {
    const writer = await to.writer({ ref, expected: { size: expected?.size } }, options)
    const commit: Writer['commit'] = init =>
      gate.shared(async () => {
        const records = await database.view(view =>
          Promise.all(namespaces.map(namespace => blobRecord(view, namespace, digest))),
        )
        if (records.some(record => record !== undefined)) return writer.commit(init)
        throw new OrlopError('NOT_FOUND', `content ${digest}: no record names it any more`)
      }, init)
    return {
      get offset() {
        return writer.offset
      },
      get digest() {
        return writer.digest
      },
      get status() {
        return writer.status
      },
      write: (chunk, more) => writer.write(chunk, more),
      reset: more => writer.reset(more),
      commit,
      [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
    }
  },
})
