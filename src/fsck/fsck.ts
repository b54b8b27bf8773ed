import type { AbortOptions } from '../options.ts'
import { blobCandidates } from './blobs.ts'
import { confirm } from './candidate.ts'
import { type BlobFile, readFiles, readIngests } from './files.ts'
import { ingestCandidates } from './ingests.ts'
import { type Records, readRecords } from './records.ts'
import { countAbsent, referenceFindings } from './references.ts'
import type { Finding, FsckParts, FsckReport } from './types.ts'

/** Options of `fsck`. */
export interface FsckOptions extends AbortOptions {
  /** True: sizes are compared, and only indexes and manifests are hashed. */
  readonly quick?: boolean | undefined
  /** Files that are read at one time; default 4. */
  readonly concurrency?: number | undefined
  /** Told of each file that was looked at. */
  readonly onFile?: ((file: Pick<BlobFile, 'digest' | 'size'>) => void) | undefined
}

/**
 * Checks the whole store, all namespaces, and changes nothing.
 *
 * Others may write and collect meanwhile: records are read at one moment and before the files, and what a write under way
 * could explain is looked at once more while none runs.
 *
 * @throws DATA_LOSS  the database itself is damaged; see `rebuild`
 * @throws PERMISSION_DENIED  a file may not be read
 */
export async function fsck(parts: FsckParts, options: FsckOptions = {}): Promise<FsckReport> {
  const { signal, quick = false } = options
  const { layout, database, now } = parts
  signal?.throwIfAborted()
  const records = await database.view(view => readRecords(view, { signal }))
  const ingests = await readIngests(layout, { signal })
  const found = await readFiles(layout, options)
  const candidates = [
    ...blobCandidates(layout, records, found),
    ...ingestCandidates(layout, records, ingests, now()),
  ]
  const graph = { records, files: found.files }
  const findings = [
    ...(await confirm(parts, candidates, { signal })),
    ...referenceFindings(graph),
    ...unreadable(records),
  ]
  let bytes = 0
  for (const { size } of found.files.values()) bytes += size
  return {
    findings: findings.toSorted(byPlace),
    checked: {
      namespaces: records.used.size,
      records: records.count,
      blobs: found.files.size,
      bytes,
      ingests: ingests.length,
      hashed: !quick,
    },
    absent: countAbsent(graph),
  }
}

function* unreadable(records: Records): Generator<Finding> {
  for (const { key, why, namespace } of records.unreadable) {
    yield {
      ...{ class: 'unreadable-record', severity: 'broken', object: `record ${key}`, key },
      ...(namespace !== undefined && { namespace }),
      expected: 'a record that can be read',
      found: why,
      repair: 'copy it into quarantine, then write what can be known of it anew',
    }
  }
}

const byPlace = (a: Finding, b: Finding): number => {
  const [left, right] = [placeOf(a), placeOf(b)]
  return left < right ? -1 : Number(left > right)
}

const placeOf = ({ namespace = '', class: kind, object }: Finding): string => `${namespace} ${kind} ${object}`
