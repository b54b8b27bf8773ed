/**
 * Metadata: what is known of content, in records with transactions.
 *
 * Records live in namespaces and are changed by one writer at a time: `Database.update` commits all that its function
 * changed, durably, or nothing; `Database.view` reads one moment. Engines (`openLevel`, `MemoryKeyValue`, or one of yours)
 * only get, list, snapshot and commit: see `KeyValue`. Events are published after a commit and kept for nobody. A lease
 * holds things that nothing else names yet, so that the collector leaves them. Bytes are not here: see `orlop/content`.
 */
export {
  type BlobRecord,
  decode,
  encode,
  type IngestRecord,
  type LeaseRecord,
  type NamespaceRecord,
  readBlobRecord,
  readIngestRecord,
  readLeaseRecord,
  readNamespaceRecord,
} from './codec.ts'
export {
  type Collectible,
  contentNode,
  imageNode,
  ingestNode,
  leaseNode,
  type Node,
  nodeId,
  type Removed,
  type Scanned,
} from './collectible.ts'
export { NamespacedContent, type NamespacedContentOptions } from './content.ts'
export { blobs, ingests } from './content-collectible.ts'
export type { ContentParts, SharingPolicy } from './content-parts.ts'
export type { ContentScope } from './content-records.ts'
export { Database } from './database.ts'
export { type DiffIdIndex, DiffIdRecords, type KnownLayer } from './diff-ids.ts'
export {
  type Envelope,
  Exchange,
  type ExchangeOptions,
  type Publisher,
  type Subscriber,
} from './exchange.ts'
export { type FieldSource, labelsChangeOf, type RecordChange, recordChangeOf } from './field-path.ts'
export { Gate } from './gate.ts'
export { Journal } from './journal.ts'
export type { Entry, KeyValue, Op, RangeOptions, View } from './kv.ts'
export { checkIdentifier, checkLabels, checkNamespace, maxLabelSize } from './labels.ts'
export { leases } from './lease-collectible.ts'
export type { Lease, LeaseManager, LeaseResources, NewLease } from './lease-types.ts'
export {
  addLeaseResource,
  deleteLease,
  deleteLeaseResource,
  LeaseStore,
  type LeaseStoreOptions,
} from './leases.ts'
export { openLevel } from './level-kv.ts'
export type { DamageReport } from './level-log.ts'
export { MemoryKeyValue } from './memory-kv.ts'
export { type Migration, type OpenDatabaseOptions, openDatabase } from './migrations.ts'
export {
  type Namespace,
  type NamespaceManager,
  NamespaceStore,
  type NamespaceStoreOptions,
} from './namespaces.ts'
export { type Kind, type LeaseResource, type ParsedKey, parseKey, touchNamespace } from './schema.ts'
export { Metadata, type MetadataOptions, type Scope, type ScopeInit } from './scope.ts'
export { Transaction } from './transaction.ts'
export { type WithLeaseOptions, withLease } from './with-lease.ts'
