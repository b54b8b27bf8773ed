import type { FileBytes } from '../../content/fs-usage.ts'
import type { Rebuilt } from '../../fsck/rebuild.ts'
import type { RebuiltImage } from '../../fsck/rebuild-names.ts'
import type { Repaired } from '../../fsck/repair.ts'
import type { Checked, Finding, FsckReport } from '../../fsck/types.ts'
import type { Collection, RemovedItem } from '../../gc/collector.ts'
import type { Item, Plan } from '../../gc/plan.ts'
import type { KeptPath, Why } from '../../gc/why.ts'
import type { ImageRecord } from '../../images/types.ts'
import type { Node } from '../../metadata/collectible.ts'
import { descriptorToJson, readDescriptor, readDigest } from '../../oci/descriptor.ts'
import { asSize, asString, asStringMap } from '../../oci/json.ts'
import type { DiskUsage, ImageUsage, Parts, PartUsage, SetUsage } from '../../runtime/disk-usage.ts'
import type { Pruned } from '../../runtime/prune.ts'
import type { Left, MissedCap, PruneDecision, PrunePlan } from '../../runtime/prune-plan.ts'
import type { PruneRules } from '../../runtime/prune-rules.ts'
import type { Mended } from '../../runtime/verbs.ts'
import { bool, date, list, mapOf, maybe, number, oneOf, type Reader, record } from './readers.ts'

// Readers of what verbs are given and give.

/** A record, as collections name it. */
export const node: Reader<Node> = record<Node>({
  kind: asString,
  namespace: asString,
  key: asString,
  flat: maybe(bool),
})

/** Something that a collection has removed. */
export const removedItem: Reader<RemovedItem> = record<RemovedItem>({
  kind: asString,
  key: asString,
  namespace: maybe(asString),
  frees: asSize,
})

/** What a collection did. */
export const collection: Reader<Collection> = record<Collection>({
  records: mapOf(asSize),
  blobs: asSize,
  ingests: asSize,
  bytes: asSize,
  scanned: asSize,
  pauses: record<Collection['pauses']>({ count: asSize, longest: number, total: number }),
  durations: record<Collection['durations']>({
    mark: number,
    // Older services do not tell it.
    order: (value, what) => (value === undefined ? 0 : number(value, what)),
    sweep: number,
    bytes: number,
  }),
})

const item: Reader<Item> = record<Item>({
  kind: asString,
  namespace: maybe(asString),
  key: asString,
  size: maybe(asSize),
  frees: asSize,
  reason: asString,
  createdAt: date,
})

/** What a collection would remove. */
export const plan: Reader<Plan> = record<Plan>({ items: list(item), bytes: asSize })

/** Why a record stays or goes. */
export const why: Reader<Why> = record<Why>({
  node,
  paths: list(record<KeptPath>({ nodes: list(node), root: asString })),
  more: bool,
  reason: maybe(asString),
  since: date,
})

const fileBytes: Reader<FileBytes> = record<FileBytes>({ bytes: number, allocated: number })

const setFields = { logical: asSize, unique: asSize, shared: asSize, freed: asSize }

/** What some images take. */
export const setUsage: Reader<SetUsage> = record<SetUsage>(setFields)

const partUsage: Reader<PartUsage> = record<PartUsage>({
  bytes: number,
  allocated: number,
  garbage: number,
})

/** What a store takes. */
export const diskUsage: Reader<DiskUsage> = record<DiskUsage>({
  images: list(record<ImageUsage>({ ...setFields, name: asString, digest: readDigest, expired: bool })),
  together: setUsage,
  parts: record<Parts>({
    shared: partUsage,
    held: partUsage,
    elsewhere: partUsage,
    ingests: partUsage,
    unreferenced: partUsage,
    orphans: partUsage,
    others: partUsage,
    metadata: partUsage,
  }),
  content: fileBytes,
  total: partUsage,
})

/** An image's record. */
export const image: Reader<ImageRecord> = record<ImageRecord>({
  name: asString,
  target: readDescriptor,
  labels: asStringMap,
  createdAt: date,
  updatedAt: date,
})

/** An image's record as `image` reads it. */
export const imageToJson = (record: ImageRecord): object => ({
  ...record,
  target: descriptorToJson(record.target),
})

const size = record<{ readonly bytes: number }>({ bytes: number })
const part = record<{ readonly part: number }>({ part: number })

/** By which rules to prune; that they make sense is for `prune` to say. */
export const pruneRules: Reader<PruneRules> = record<PruneRules>({
  all: maybe(bool),
  filters: maybe(list(asString)),
  olderThan: maybe(number),
  keepLast: maybe(number),
  maxBytes: maybe(number),
  minFree: maybe((value, what) =>
    typeof value === 'object' && value !== null && 'part' in value ? part(value, what) : size(value, what),
  ),
})

const decision: Reader<PruneDecision> = record<PruneDecision>({
  image,
  action: oneOf('delete', 'keep'),
  rule: oneOf('all', 'filter', 'older-than', 'keep-last', 'max-bytes', 'min-free', 'pin', 'none'),
  reason: asString,
})

const missed: Reader<MissedCap> = record<MissedCap>({
  rule: oneOf('max-bytes', 'min-free'),
  missing: number,
  left: record<Left>({ held: number, pinned: number, keepLast: number, others: number }),
})

const prunePlan: Reader<PrunePlan> = record<PrunePlan>({
  decisions: list(decision),
  deletions: list(image),
  before: fileBytes,
  garbage: fileBytes,
  freed: fileBytes,
  after: fileBytes,
  missed: list(missed),
})

/** What a prune did. */
export const pruned: Reader<Pruned> = record<Pruned>({
  plan: prunePlan,
  deleted: list(image),
  skipped: list(image),
  collection: maybe(collection),
})

/** A prune as `pruned` reads it. */
export const prunedToJson = (done: Pruned): object => ({
  ...done,
  plan: {
    ...done.plan,
    decisions: done.plan.decisions.map(one => ({ ...one, image: imageToJson(one.image) })),
    deletions: done.plan.deletions.map(imageToJson),
  },
  deleted: done.deleted.map(imageToJson),
  skipped: done.skipped.map(imageToJson),
})

const finding: Reader<Finding> = record<Finding>({
  class: oneOf(
    'missing',
    'truncated',
    'wrong-digest',
    'orphan',
    'dangling',
    'stale-ingest',
    'label-mismatch',
    'unreadable-record',
  ),
  severity: oneOf('broken', 'harmless'),
  object: asString,
  namespace: maybe(asString),
  expected: asString,
  found: asString,
  repair: asString,
  digest: maybe(readDigest),
  key: maybe(asString),
})

const reportFields = {
  findings: list(finding),
  checked: record<Checked>({
    namespaces: asSize,
    records: asSize,
    blobs: asSize,
    bytes: asSize,
    ingests: asSize,
    hashed: bool,
  }),
  absent: asSize,
}

/** What a check found. */
export const report: Reader<FsckReport> = record<FsckReport>(reportFields)

/** What a check found and a repair did. */
export const mended: Reader<Mended> = record<Mended>({
  ...reportFields,
  repaired: list(
    record<Repaired>({ finding, outcome: oneOf('repaired', 'left', 'failed'), detail: asString }),
  ),
  quarantine: maybe(asString),
})

/** What a rebuild did. */
export const rebuilt: Reader<Rebuilt> = record<Rebuilt>({
  namespace: asString,
  blobs: asSize,
  bytes: asSize,
  images: list(record<RebuiltImage>({ name: asString, target: readDescriptor, isNamed: bool })),
  damaged: list(readDigest),
  loose: list(readDigest),
  lease: maybe(asString),
})

/** A rebuild as `rebuilt` reads it. */
export const rebuiltToJson = (done: Rebuilt): object => ({
  ...done,
  images: done.images.map(one => ({ ...one, target: descriptorToJson(one.target) })),
})
