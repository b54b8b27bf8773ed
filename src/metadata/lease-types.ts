import type { Labels } from '../content/types.ts'
import type { AbortOptions } from '../options.ts'
import type { LeaseResource } from './schema.ts'

/** Keeps what it holds from the collector until it is deleted or its `containerd.io/gc.expire` label is past. */
export interface Lease {
  readonly id: string
  readonly labels: Labels
  readonly createdAt: Date
}

/** What a lease is made from. */
export interface NewLease {
  /** Default: one that nobody has, `<nanosecond>-<random>`. */
  readonly id?: string | undefined
  readonly labels?: Labels | undefined
  /** Milliseconds from now; sets the label `containerd.io/gc.expire`. Absent: it holds until it is deleted. */
  readonly expiresIn?: number | undefined
}

/** The leases of one namespace. @see containerd core/leases, Manager */
export interface LeaseManager {
  /**
   * @throws ALREADY_EXISTS  there is a lease with that id
   * @throws INVALID_ARGUMENT  an empty id, or an `expiresIn` that is not a time
   */
  create(lease?: NewLease, options?: AbortOptions): Promise<Lease>
  /**
   * Every lease that one of `filters` matches (none: all), expired ones too, in order of id. Fields: `id`,
   * `labels.<key>`.
   *
   * @throws INVALID_ARGUMENT  a filter that cannot be read; thrown by the call itself, before iteration
   */
  list(filters?: readonly string[], options?: AbortOptions): AsyncIterable<Lease>
  /** Lets go of all that the lease holds. @throws NOT_FOUND  no lease with that id */
  delete(id: string, options?: AbortOptions): Promise<void>
}

/** What leases hold. It need not exist: a lease may name a thing before it is there. */
export interface LeaseResources {
  /**
   * Holds one thing more; twice is the same as once.
   *
   * @throws NOT_FOUND  no lease with that id
   * @throws INVALID_ARGUMENT  a resource that cannot be: see `checkResource`
   * @throws UNIMPLEMENTED  a type of resource that leases do not hold
   */
  addResource(lease: string, resource: LeaseResource, options?: AbortOptions): Promise<void>
  /** Lets go of one thing; one that was not held is no error. Throws as `addResource`. */
  deleteResource(lease: string, resource: LeaseResource, options?: AbortOptions): Promise<void>
  /**
   * What a lease holds: content, then images, ingests and snapshots, each in order of id.
   *
   * @throws NOT_FOUND  at the first `next()`: no lease with that id
   */
  resources(lease: string, options?: AbortOptions): AsyncIterable<LeaseResource>
}
