import type { FsLayout } from '../content/fs-layout.ts'
import { decode, readBlobRecord } from '../metadata/codec.ts'
import type { View } from '../metadata/kv.ts'
import { contentKey, namespacesPrefix, parseKey } from '../metadata/schema.ts'
import type { Digest } from '../oci/digest.ts'
import type { Candidate } from './candidate.ts'
import { type BlobFile, type BlobFiles, statOf } from './files.ts'
import { allIngests, expects } from './ingests.ts'
import type { BlobEntry, Records } from './records.ts'
import type { Finding } from './types.ts'

/** Compares the records of blobs with their files: `missing`, `truncated`, `wrong-digest`, `orphan`. */
export function* blobCandidates(
  layout: FsLayout,
  records: Records,
  { files, strays }: BlobFiles,
): Generator<Candidate> {
  for (const [digest, entries] of records.blobs) {
    for (const entry of entries) {
      const finding = findingOf(digest, entry, files.get(digest))
      if (finding) yield { finding, still: view => stillBroken(layout, view, finding, digest) }
    }
  }
  const unreadable = new Set(records.unreadable.map(({ key }) => key))
  for (const file of files.values()) {
    if (records.blobs.has(file.digest) || isNamed(file.digest, records, unreadable)) continue
    const finding = unnamed(file)
    const isExpected = records.ingests.some(entry => expects(entry, file.digest))
    if (isExpected && finding.class === 'orphan') continue
    yield { finding, still: view => stillUnnamed(layout, view, finding, file.digest) }
  }
  for (const path of strays) {
    const finding = strayFile(path)
    yield { finding, still: async () => (await statOf(path)) !== undefined }
  }
}

/** A blob whose record cannot be read is told of as such. */
const isNamed = (digest: Digest, { used }: Records, unreadable: ReadonlySet<string>): boolean =>
  unreadable.size > 0 && [...used].some(namespace => unreadable.has(contentKey(namespace, digest)))

function findingOf(
  digest: Digest,
  { namespace, record: { size } }: BlobEntry,
  file: BlobFile | undefined,
): Finding | undefined {
  const expected = `${size} bytes of ${digest}`
  const base = { severity: 'broken', object: `content ${digest}`, namespace, expected, digest } as const
  if (file === undefined) return { ...base, class: 'missing', found: 'no file', repair: fetch }
  if (file.problem) return { ...base, class: 'wrong-digest', found: file.problem, repair: replace }
  const isRight = file.actual === digest
  if (file.size !== size) {
    const found = `${file.size} bytes${isRight ? ', and they are right: the size in the record is wrong' : ''}`
    return {
      ...base,
      class: 'truncated',
      found,
      repair: isRight ? 'write the right size into the record' : replace,
    }
  }
  if (file.actual === undefined || isRight) return undefined
  return { ...base, class: 'wrong-digest', found: `bytes of ${file.actual}`, repair: replace }
}

const fetch = 'fetch it anew'
const replace = 'fetch it anew, then put the bad file into quarantine'

const unnamed = ({ digest, size, actual, problem }: BlobFile): Finding => {
  const object = `content ${digest}`
  if (problem || (actual !== undefined && actual !== digest)) {
    return {
      ...{ class: 'wrong-digest', severity: 'broken', object, digest },
      expected: `bytes of ${digest}, or no file: no record names it`,
      found: problem ?? `${size} bytes of ${actual}`,
      repair: 'put the file into quarantine',
    }
  }
  const found = `${size} bytes that no record names`
  const repair = 'none: the next collection removes it'
  return { class: 'orphan', severity: 'harmless', object, digest, expected: 'a record', found, repair }
}

const strayFile = (path: string): Finding => ({
  ...{ class: 'orphan', severity: 'harmless', object: `file ${path}` },
  expected: 'blobs only: <algorithm>/<hex>',
  found: 'something else; orlop did not put it there',
  repair: 'none: look at it and remove it yourself',
})

async function stillBroken(
  layout: FsLayout,
  view: View,
  { class: kind, namespace = '' }: Finding,
  digest: Digest,
): Promise<boolean> {
  const key = contentKey(namespace, digest)
  const value = await view.get(key)
  if (value === undefined) return false
  const { size } = decode(key, value, readBlobRecord)
  const stats = await statOf(layout.blob(digest))
  if (kind === 'missing') return !stats?.isFile()
  return kind !== 'truncated' || stats?.size !== size
}

async function stillUnnamed(
  layout: FsLayout,
  view: View,
  { class: kind }: Finding,
  digest: Digest,
): Promise<boolean> {
  if ((await statOf(layout.blob(digest))) === undefined || (await isRecorded(view, digest))) return false
  if (kind !== 'orphan') return true
  for await (const entry of allIngests(view)) if (expects(entry, digest)) return false
  return true
}

/** True when any namespace has the record of a blob. */
export async function isRecorded(view: View, digest: Digest): Promise<boolean> {
  for await (const { key } of view.range(namespacesPrefix, { raw: true })) {
    const parsed = parseKey(key)
    if (parsed?.kind !== 'namespace') continue
    for await (const _ of view.range(contentKey(parsed.namespace, digest), { raw: true, limit: 1 }))
      return true
  }
  return false
}
