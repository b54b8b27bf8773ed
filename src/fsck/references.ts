import type { Labels } from '../content/types.ts'
import { namespaceKey } from '../metadata/schema.ts'
import { labelKeys } from '../oci/annotations.ts'
import { type Digest, isDigest } from '../oci/digest.ts'
import type { Document } from './documents.ts'
import type { BlobFile } from './files.ts'
import type { Records } from './records.ts'
import type { Finding } from './types.ts'

/** What names what: the records of a moment, and the documents among the blobs. */
export interface Graph {
  readonly records: Records
  readonly files: ReadonlyMap<Digest, BlobFile>
}

/** Names that lead nowhere (`dangling`), and documents whose labels leave out children (`label-mismatch`). */
export function* referenceFindings(graph: Graph): Generator<Finding> {
  yield* unlistedNamespaces(graph.records)
  yield* blobLabels(graph)
  yield* images(graph.records)
  yield* leaseResources(graph.records)
}

/** How many blobs documents name that their namespace has not. */
export function countAbsent({ records, files }: Graph): number {
  const absent = new Set<string>()
  for (const [digest, entries] of records.blobs) {
    for (const child of files.get(digest)?.document?.children ?? []) {
      for (const { namespace } of entries) {
        if (!records.hasBlob(namespace, child.digest)) absent.add(`${namespace} ${child.digest}`)
      }
    }
  }
  return absent.size
}

function* unlistedNamespaces({ used, namespaces, unreadable }: Records): Generator<Finding> {
  const told = new Set(unreadable.map(({ key }) => key))
  for (const namespace of used) {
    if (namespaces.has(namespace) || told.has(namespaceKey(namespace))) continue
    yield {
      ...{ class: 'dangling', severity: 'broken', object: `namespace ${namespace}`, namespace },
      expected: 'a record of the namespace',
      found: 'only records in it, so nothing lists or collects them',
      repair: 'write the record of the namespace',
    }
  }
}

function* blobLabels({ records, files }: Graph): Generator<Finding> {
  for (const [digest, entries] of records.blobs) {
    const document = files.get(digest)?.document
    for (const { namespace, record } of entries) {
      const object = `content ${digest}`
      yield* deadLabels(records, { namespace, object, labels: record.labels, document })
      const left = document ? uncovered(records, namespace, document, record.labels) : []
      if (left.length === 0) continue
      yield {
        ...{ class: 'label-mismatch', severity: 'broken', object, namespace, digest },
        expected: `gc labels for all children of the ${document?.kind} that are here`,
        found: `none for ${left.join(', ')}, so a collection may remove ${left.length > 1 ? 'them' : 'it'}`,
        repair: 'add the labels',
      }
    }
  }
}

/** The children that are here and that no gc label holds; each once. */
function uncovered(
  records: Records,
  namespace: string,
  { children }: Document,
  labels: Labels,
): readonly Digest[] {
  const covered = new Set(contentLabels(labels).map(([, value]) => value))
  const digests = new Set(children.map(child => child.digest))
  return [...digests].filter(digest => !covered.has(digest) && records.hasBlob(namespace, digest))
}

/** The labels by which an object keeps content, as the collector reads them. */
export const contentLabels = (labels: Labels): ReadonlyArray<readonly [string, string]> =>
  Object.entries(labels).filter(([key]) => isKey(key, labelKeys.gcRefContent))

const isKey = (key: string, prefix: string): boolean =>
  key === prefix || key.startsWith(`${prefix}.`) || key.startsWith(`${prefix}/`)

interface Labelled {
  readonly namespace: string
  readonly object: string
  readonly labels: Labels
  readonly document?: Document | undefined
}

function* deadLabels(
  records: Records,
  { namespace, object, labels, document }: Labelled,
): Generator<Finding> {
  const children = new Set(document?.children.map(({ digest }) => digest))
  const base = { class: 'dangling', severity: 'harmless', object, namespace, repair: told } as const
  for (const [key, value] of Object.entries(labels)) {
    if (isKey(key, labelKeys.gcRefContent) || isKey(key, `${labelKeys.gcBref}.content`)) {
      if (isDigest(value) && (children.has(value) || records.hasBlob(namespace, value))) continue
      yield { ...base, expected: `label ${key} names a blob`, found: `${value}, which is not here` }
    } else if (isKey(key, labelKeys.gcRefImage) || isKey(key, `${labelKeys.gcBref}.image`)) {
      if (records.hasImage(namespace, value)) continue
      yield { ...base, expected: `label ${key} names an image`, found: `${value}, which is not here` }
    }
  }
}

const told = 'none: collections pass over it'

function* images(records: Records): Generator<Finding> {
  for (const { namespace, image } of records.images) {
    const object = `image ${image.name}`
    yield* deadLabels(records, { namespace, object, labels: image.labels })
    const { digest } = image.target
    if (records.hasBlob(namespace, digest)) continue
    yield {
      ...{ class: 'dangling', severity: 'broken', object, namespace },
      expected: `its target ${digest} in the namespace`,
      found: 'no record of it',
      repair: 'none: pull the image again, or delete it',
    }
  }
}

function* leaseResources(records: Records): Generator<Finding> {
  for (const { namespace, lease, resource } of records.resources) {
    const { type, id } = resource
    const object = `lease ${lease}`
    const base = { class: 'dangling', severity: 'harmless', object, namespace, repair: told } as const
    if (records.lease(namespace, lease) === undefined) {
      yield { ...base, expected: 'a lease', found: `only that it holds ${type} ${id}` }
      continue
    }
    // An ingest that has become a blob under another lease is still named by its first; so are snapshots, which others keep.
    const isHere =
      type === 'content'
        ? records.hasBlob(namespace, id)
        : type !== 'images' || records.hasImage(namespace, id)
    if (!isHere) yield { ...base, expected: `${type} ${id}`, found: 'nothing of that name' }
  }
}
