import type { RefLocks } from '../content/ref-locks.ts'
import type { ContentStore } from '../content/types.ts'
import type { Database } from './database.ts'
import type { Publisher } from './exchange.ts'
import type { Gate } from './gate.ts'

/**
 * Whose bytes a namespace may take over instead of being given them: `shared` any that are here, `isolated` those of
 * namespaces with the label `containerd.io/namespace.shareable=true`.
 */
export type SharingPolicy = 'shared' | 'isolated'

/** What the content of all namespaces has in common. */
export interface ContentParts {
  /** Where the bytes are, of all namespaces. It need keep no labels. */
  readonly backend: ContentStore
  readonly database: Database
  readonly events?: Publisher | undefined
  readonly policy?: SharingPolicy | undefined
  /** The collection takes its exclusive side. */
  readonly gate?: Gate | undefined
  /** One writer a ref; shared by all stores of a database. */
  readonly locks?: RefLocks | undefined
  readonly now?: (() => Date) | undefined
}

/** The same with every default filled in. */
export interface KnownParts extends ContentParts {
  readonly policy: SharingPolicy
  readonly gate: Gate
  readonly locks: RefLocks
  readonly now: () => Date
}
