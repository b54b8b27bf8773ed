import type { Labels } from '../content/types.ts'
import { childLabels } from '../handlers/gc-labels.ts'
import { encode } from '../metadata/codec.ts'
import { blobRecord } from '../metadata/content-records.ts'
import { contentKey } from '../metadata/schema.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import type { AbortOptions } from '../options.ts'
import { readFile } from './files.ts'
import { contentLabels } from './references.ts'
import type { Outcome } from './repair-blob.ts'
import type { FsckParts } from './types.ts'

/** Adds the gc labels that an index or manifest lacks; those it has stay. */
export async function repairLabels(
  { layout, database, now }: FsckParts,
  namespace: string,
  digest: Digest,
  options: AbortOptions,
): Promise<Outcome> {
  const file = await readFile(layout, digest, { quick: true, ...options })
  const document = typeof file === 'object' ? file.document : undefined
  if (document === undefined) return { outcome: 'failed', detail: 'its bytes cannot be read' }
  const added = await database.update(async tx => {
    const record = await blobRecord(tx, namespace, digest)
    if (record === undefined) return undefined
    const labels = missingLabels(record.labels, document.children)
    const changed = { ...record, labels: { ...record.labels, ...labels }, updatedAt: now() }
    tx.put(contentKey(namespace, digest), encode(changed))
    return Object.keys(labels).length
  })
  if (added === undefined) return { outcome: 'left', detail: 'its record is gone' }
  return { outcome: 'repaired', detail: `${added} labels added` }
}

/** Labels for those children that no label holds, under keys that are free. */
export function missingLabels(labels: Labels, children: readonly Descriptor[]): Labels {
  const covered = new Set(contentLabels(labels).map(([, digest]) => digest))
  const added = new Map<string, string>()
  for (const [key, digest] of Object.entries(childLabels(children))) {
    if (covered.has(digest)) continue
    covered.add(digest)
    let free = key
    for (let turn = 1; Object.hasOwn(labels, free) || added.has(free); turn++) free = `${key}.${turn}`
    added.set(free, digest)
  }
  return Object.fromEntries(added)
}
