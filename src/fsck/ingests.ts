import path from 'node:path'
import type { FsLayout } from '../content/fs-layout.ts'
import type { View } from '../metadata/kv.ts'
import { kindPrefix, namespacesPrefix, parseKey } from '../metadata/schema.ts'
import { labelKeys } from '../oci/annotations.ts'
import type { Digest } from '../oci/digest.ts'
import type { Candidate } from './candidate.ts'
import { type IngestFile, statOf } from './files.ts'
import { heldAs, type IngestEntry, Records } from './records.ts'
import type { Finding } from './types.ts'

/** Unfinished writes without record, without bytes, or that nothing keeps: all `stale-ingest`. */
export function* ingestCandidates(
  layout: FsLayout,
  records: Records,
  files: readonly IngestFile[],
  now: Date,
): Generator<Candidate> {
  const onDisk = new Set(files.map(({ name }) => name))
  const recorded = new Set<string>()
  const held = heldByLeases(records, now)
  for (const entry of records.ingests) {
    const name = directoryOf(layout, entry)
    recorded.add(name)
    const why = staleness(entry, { hasBytes: onDisk.has(name), isHeld: held(entry), now })
    if (why) yield { finding: staleRecord(entry, why), still: view => stillStale(layout, view, entry, now) }
  }
  for (const file of files) {
    if (recorded.has(file.name)) continue
    yield { finding: unrecorded(layout, file), still: view => stillUnrecorded(layout, view, file) }
  }
}

const directoryOf = (layout: FsLayout, { record }: Pick<IngestEntry, 'record'>): string =>
  path.basename(layout.ingest(record.backendRef))

interface State {
  readonly hasBytes: boolean
  readonly isHeld: boolean
  readonly now: Date
}

function staleness({ record }: IngestEntry, { hasBytes, isHeld, now }: State): string | undefined {
  const { expiresAt, shared = false } = record
  if (!hasBytes && !shared) return 'a record without bytes'
  if (isHeld) return undefined
  if (expiresAt === undefined) return 'no lease holds it'
  return expiresAt < now ? `expired at ${expiresAt.toISOString()}` : undefined
}

/** Whether a lease that has not expired holds an ingest. */
function heldByLeases(records: Records, now: Date): (entry: IngestEntry) => boolean {
  const held = new Set<string>()
  for (const { namespace, lease, resource } of records.resources) {
    const record = records.lease(namespace, lease)
    if (record !== undefined && !isExpired(record.labels[labelKeys.gcExpire], now)) {
      held.add(heldAs(namespace, resource))
    }
  }
  return ({ namespace, ref }) => held.has(heldAs(namespace, { type: 'ingests', id: ref }))
}

/** As in containerd: a date that cannot be read is none. */
const isExpired = (expiry: string | undefined, now: Date): boolean =>
  expiry !== undefined && new Date(expiry) < now

const staleRecord = ({ namespace, ref }: IngestEntry, found: string): Finding => ({
  ...{ class: 'stale-ingest', severity: 'harmless', object: `ingest ${ref}`, namespace, found },
  expected: 'bytes, and a lease or a date that keeps them',
  repair: 'none: the next collection removes it',
})

const unrecorded = (layout: FsLayout, { name, ref, size }: IngestFile): Finding => ({
  ...{ class: 'stale-ingest', severity: 'harmless' },
  object: ref === undefined ? `file ${path.join(layout.ingests, name)}` : `ingest ${ref}`,
  expected: 'a record',
  found: `${size} bytes that no record names`,
  repair: 'none: the next collection removes it',
})

async function stillStale(layout: FsLayout, view: View, entry: IngestEntry, now: Date): Promise<boolean> {
  for await (const fresh of ingestsOf(view, entry.namespace)) {
    if (fresh.ref !== entry.ref || fresh.record.backendRef !== entry.record.backendRef) continue
    const hasBytes = (await statOf(layout.ingest(fresh.record.backendRef))) !== undefined
    // Opened again meanwhile: its date is another one.
    const isRenewed = fresh.record.expiresAt?.getTime() !== entry.record.expiresAt?.getTime()
    return staleness(fresh, { hasBytes, isHeld: isRenewed, now }) !== undefined
  }
  return false
}

async function stillUnrecorded(layout: FsLayout, view: View, { name }: IngestFile): Promise<boolean> {
  if ((await statOf(path.join(layout.ingests, name))) === undefined) return false
  for await (const entry of allIngests(view)) if (directoryOf(layout, entry) === name) return false
  return true
}

/** True for an ingest that was given the bytes of a blob that is here: it keeps the file though no record has it yet. */
export const expects = ({ record }: IngestEntry, digest: Digest): boolean =>
  record.shared === true && record.expected === digest

/** The ingests of all namespaces. */
export async function* allIngests(view: View): AsyncGenerator<IngestEntry> {
  for await (const { key } of view.range(namespacesPrefix, { raw: true })) {
    const parsed = parseKey(key)
    if (parsed?.kind === 'namespace') yield* ingestsOf(view, parsed.namespace)
  }
}

/** Those that can be read; the others are findings of their own. */
async function* ingestsOf(view: View, namespace: string): AsyncGenerator<IngestEntry> {
  for await (const { key, value } of view.range(kindPrefix(namespace, 'ingest'), { raw: true })) {
    const records = new Records()
    records.add(key, String(value))
    yield* records.ingests
  }
}
