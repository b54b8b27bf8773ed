import type { FsLayout } from '../content/fs-layout.ts'
import type { FsStore } from '../content/fs-store.ts'
import type { Database } from '../metadata/database.ts'
import type { Gate } from '../metadata/gate.ts'
import type { Digest } from '../oci/digest.ts'

/** What a check and a repair work on: the whole store under a root, all namespaces. */
export interface FsckParts {
  readonly layout: FsLayout
  readonly backend: FsStore
  readonly database: Database
  /** Held while a finding is confirmed and while a repair changes a file, so that neither meets a commit or a collection. */
  readonly gate: Gate
  readonly now: () => Date
}

/**
 * Kinds of findings.
 *
 * - `missing`: a blob's record without its file
 * - `truncated`: a file shorter or longer than its record says
 * - `wrong-digest`: a file whose bytes are not those of its name, or that the device cannot read
 * - `orphan`: a file that no record names
 * - `dangling`: an image target, gc label or lease resource that names nothing
 * - `stale-ingest`: an unfinished write without record or without bytes, or that nothing keeps any more
 * - `label-mismatch`: an index or manifest whose gc labels leave out children that are here
 * - `unreadable-record`: a record that cannot be decoded, or whose key is not known
 */
export type FindingClass =
  | 'missing'
  | 'truncated'
  | 'wrong-digest'
  | 'orphan'
  | 'dangling'
  | 'stale-ingest'
  | 'label-mismatch'
  | 'unreadable-record'

/** One thing that is not as it should be. */
export interface Finding {
  readonly class: FindingClass
  /** `harmless` is what a crash or a partial pull leaves and a collection removes or ignores. */
  readonly severity: 'broken' | 'harmless'
  /** `content sha256:…`, `image <name>`, `ingest <ref>`, `lease <id>`, `record <key>`, `file <path>`. */
  readonly object: string
  /** Absent: of no namespace. */
  readonly namespace?: string
  readonly expected: string
  readonly found: string
  /** What a repair would do. */
  readonly repair: string
  /** The blob in question, for those classes that have one. */
  readonly digest?: Digest
  /** The record's key, for `unreadable-record`. */
  readonly key?: string
}

/** What was looked at. */
export interface Checked {
  readonly namespaces: number
  readonly records: number
  /** Files, and the bytes in them. */
  readonly blobs: number
  readonly bytes: number
  readonly ingests: number
  /** True: every byte was read and hashed. */
  readonly hashed: boolean
}

/** All that a check found. */
export interface FsckReport {
  /** In order of namespace, class and object. */
  readonly findings: readonly Finding[]
  readonly checked: Checked
  /**
   * Blobs that indexes and manifests name and that their namespace has not: platforms and layers that were not pulled.
   * That is no damage; the check of an image tells which ones.
   */
  readonly absent: number
}
