import { annotate, isOrlopError } from '../errors.ts'
import type { Digest } from '../oci/digest.ts'
import type { AbortOptions } from '../options.ts'
import { type Outcome, type RepairParts, repairBlob } from './repair-blob.ts'
import { repairLabels } from './repair-labels.ts'
import { listNamespace, repairRecord } from './repair-record.ts'
import type { Finding } from './types.ts'

/** What became of a finding. */
export interface Repaired extends Outcome {
  readonly finding: Finding
}

/** Options of `repair`. */
export interface RepairOptions extends AbortOptions {
  readonly onRepaired?: ((repaired: Repaired) => void) | undefined
}

/**
 * Repairs what a check found, and deletes nothing: what is taken out of the store is in quarantine.
 *
 * Each finding is looked at once more before anything is done, so findings may be old and others may work on the store
 * meanwhile. Orphans, stale ingests and dangling names are left: they are the collector's, or yours to decide. Repairing
 * one thing can bring others to light (a document that is right again names its children): check again afterwards.
 *
 * @returns one for each finding, in the order they were worked on
 * @throws RESOURCE_EXHAUSTED, PERMISSION_DENIED  the quarantine cannot be written; nothing was taken out then
 */
export async function repair(
  parts: RepairParts,
  findings: readonly Finding[],
  options: RepairOptions = {},
): Promise<readonly Repaired[]> {
  const { signal, onRepaired } = options
  const done: Repaired[] = []
  for (const some of grouped(findings)) {
    signal?.throwIfAborted()
    const outcome = await attempt(parts, some, { signal })
    for (const finding of some) {
      const repaired = { finding, ...outcome }
      done.push(repaired)
      onRepaired?.(repaired)
    }
  }
  return done
}

/** Records first, for the rest is found through them; then blobs, all findings of one together; labels last. */
function grouped(findings: readonly Finding[]): ReadonlyArray<readonly Finding[]> {
  const blobs = new Map<Digest, Finding[]>()
  const single: Finding[][] = []
  for (const finding of findings) {
    const { class: kind, digest } = finding
    if (digest !== undefined && bytesAreWrong.has(kind)) {
      blobs.set(digest, [...(blobs.get(digest) ?? []), finding])
    } else single.push([finding])
  }
  const rank = ([finding]: readonly Finding[]): number => (finding?.class === 'label-mismatch' ? 2 : 0)
  return [...single, ...blobs.values()].toSorted((a, b) => rank(a) - rank(b))
}

const bytesAreWrong: ReadonlySet<Finding['class']> = new Set(['missing', 'truncated', 'wrong-digest'])

async function attempt(
  parts: RepairParts,
  findings: readonly Finding[],
  options: AbortOptions,
): Promise<Outcome> {
  const [finding] = findings
  if (finding === undefined) return { outcome: 'left', detail: 'nothing to do' }
  const { class: kind, digest, namespace, key, object, severity } = finding
  try {
    if (kind === 'unreadable-record' && key !== undefined) return await repairRecord(parts, key, options)
    if (digest !== undefined && bytesAreWrong.has(kind)) {
      return await repairBlob(parts, digest, findings, options)
    }
    if (kind === 'label-mismatch' && digest !== undefined && namespace !== undefined) {
      return await repairLabels(parts, namespace, digest, options)
    }
    if (kind === 'dangling' && severity === 'broken' && object === `namespace ${namespace}`) {
      return await listNamespace(parts, namespace ?? '')
    }
    return { outcome: 'left', detail: finding.repair.replace(/^none: /, '') }
  } catch (error) {
    options.signal?.throwIfAborted()
    if (!isOrlopError(error) || error.code === 'RESOURCE_EXHAUSTED') throw annotate(error, object)
    return { outcome: 'failed', detail: error.message }
  }
}
