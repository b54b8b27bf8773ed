import { isAlreadyExists } from '../../errors.ts'
import { parseFilters } from '../../filters/filter.ts'
import type { Lease, LeaseManager, LeaseResources, NewLease } from '../../metadata/lease-types.ts'
import type { LeaseResource } from '../../metadata/schema.ts'
import type { AbortOptions } from '../../options.ts'
import type { Store } from '../../runtime/store.ts'
import { collected, gone } from './again.ts'
import type { Membership } from './membership.ts'

type Leases = LeaseManager & LeaseResources

/** The leases of a namespace of a store that others may own. */
export class SharedLeases implements LeaseManager, LeaseResources {
  readonly #membership: Membership
  readonly #of: (store: Store) => Leases

  constructor(membership: Membership, of: (store: Store) => Leases) {
    this.#membership = membership
    this.#of = of
  }

  create(lease: NewLease = {}, options: AbortOptions = {}): Promise<Lease> {
    return this.#membership.run(async (store, isRepeated) => {
      const leases = this.#of(store)
      try {
        return await leases.create(lease, options)
      } catch (error) {
        if (!isRepeated || !isAlreadyExists(error)) throw error
        for await (const found of leases.list([], options)) if (found.id === lease.id) return found
        throw error
      }
    }, options)
  }

  list(filters: readonly string[] = [], options: AbortOptions = {}): AsyncIterable<Lease> {
    parseFilters(filters)
    return collected(this.#membership, store => this.#of(store).list(filters, options), options)
  }

  delete(id: string, options: AbortOptions = {}): Promise<void> {
    return this.#membership.run(
      (store, isRepeated) => gone(this.#of(store).delete(id, options), isRepeated),
      options,
    )
  }

  addResource(lease: string, resource: LeaseResource, options: AbortOptions = {}): Promise<void> {
    return this.#membership.run(store => this.#of(store).addResource(lease, resource, options), options)
  }

  deleteResource(lease: string, resource: LeaseResource, options: AbortOptions = {}): Promise<void> {
    return this.#membership.run(store => this.#of(store).deleteResource(lease, resource, options), options)
  }

  resources(lease: string, options: AbortOptions = {}): AsyncIterable<LeaseResource> {
    return collected(this.#membership, store => this.#of(store).resources(lease, options), options)
  }
}
