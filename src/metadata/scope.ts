import { RefLocks } from '../content/ref-locks.ts'
import type { ContentStore } from '../content/types.ts'
import { NamespacedContent } from './content.ts'
import type { SharingPolicy } from './content-parts.ts'
import type { Database } from './database.ts'
import { Exchange } from './exchange.ts'
import { Gate } from './gate.ts'
import type { LeaseManager, LeaseResources } from './lease-types.ts'
import { LeaseStore } from './leases.ts'
import { type NamespaceManager, NamespaceStore } from './namespaces.ts'

/** Names a view of the store: a namespace, and the lease that holds what is made in it. */
export interface ScopeInit {
  readonly namespace: string
  readonly lease?: string | undefined
}

/** The stores of one namespace; what they make is held by the lease, if there is one. */
export interface Scope extends ScopeInit {
  readonly content: ContentStore
  readonly leases: LeaseManager & LeaseResources
}

/** What a `Metadata` is made from. */
export interface MetadataOptions {
  readonly database: Database
  /** Where the bytes are, of all namespaces. */
  readonly backend: ContentStore
  readonly events?: Exchange | undefined
  /** Default `shared`. */
  readonly policy?: SharingPolicy | undefined
  readonly now?: (() => Date) | undefined
}

/**
 * All records over one store of bytes: what namespaces have in common, and the way into each.
 *
 * Make one a database and keep it: its gate and its locks only hold for those who share it. Image records are a layer
 * above and are made on the same `database`.
 */
export class Metadata {
  readonly database: Database
  readonly backend: ContentStore
  readonly events: Exchange
  /** Stores use its shared side; a collection takes the exclusive one while it deletes bytes. */
  readonly gate = new Gate()
  readonly namespaces: NamespaceManager
  readonly #locks = new RefLocks()
  readonly #policy: SharingPolicy
  readonly #now: () => Date

  constructor({ database, backend, events, policy = 'shared', now = () => new Date() }: MetadataOptions) {
    this.database = database
    this.backend = backend
    this.events = events ?? new Exchange({ now })
    this.namespaces = new NamespaceStore({ database, events: this.events })
    this.#policy = policy
    this.#now = now
  }

  /**
   * The stores of a namespace. The lease is not looked up here: what is made under one that is absent fails.
   *
   * @throws FAILED_PRECONDITION  no namespace
   * @throws INVALID_ARGUMENT  a namespace that is no identifier
   */
  scope({ namespace, lease }: ScopeInit): Scope {
    const { database, backend, events, gate } = this
    const common = {
      database,
      backend,
      events,
      gate,
      locks: this.#locks,
      policy: this.#policy,
      now: this.#now,
    }
    return Object.freeze({
      namespace,
      lease,
      content: new NamespacedContent({ ...common, namespace, lease }),
      leases: new LeaseStore({ database, namespace, now: this.#now }),
    })
  }
}
