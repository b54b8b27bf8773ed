import { randomBytes } from 'node:crypto'
import { keptLabels } from '../content/labels.ts'
import { OrlopError } from '../errors.ts'
import { labelField, parseFilters } from '../filters/filter.ts'
import { labelKeys } from '../oci/annotations.ts'
import type { AbortOptions } from '../options.ts'
import { decode, encode, type LeaseRecord, readLeaseRecord } from './codec.ts'
import type { Database } from './database.ts'
import type { View } from './kv.ts'
import { checkNamespace } from './labels.ts'
import { checkResource } from './lease-resource.ts'
import type { Lease, LeaseManager, LeaseResources, NewLease } from './lease-types.ts'
import {
  kindPrefix,
  type LeaseResource,
  leaseKey,
  leaseResourceKey,
  leaseResourcesPrefix,
  parseKey,
  touchNamespace,
} from './schema.ts'
import type { Transaction } from './transaction.ts'

/** What a `LeaseStore` works on. */
export interface LeaseStoreOptions {
  readonly database: Database
  readonly namespace: string
  readonly now?: (() => Date) | undefined
  /** Makes ids for leases that come without. */
  readonly id?: (() => string) | undefined
}

/**
 * The lease records of one namespace.
 *
 * Its labels have no limit of size and its changes make no events, as in containerd. Deleting does not collect: that is
 * the collector's.
 *
 * @throws FAILED_PRECONDITION  when made without a namespace
 * @throws INVALID_ARGUMENT  when made with a namespace that is no identifier
 * @see containerd core/metadata/leases.go
 */
export class LeaseStore implements LeaseManager, LeaseResources {
  readonly #database: Database
  readonly #namespace: string
  readonly #now: () => Date
  readonly #id: () => string

  constructor({ database, namespace, now = () => new Date(), id = newLeaseId }: LeaseStoreOptions) {
    this.#database = database
    this.#namespace = checkNamespace(namespace)
    this.#now = now
    this.#id = id
  }

  async create(init: NewLease = {}, options: AbortOptions = {}): Promise<Lease> {
    const { id = this.#id() } = init
    if (id === '') throw new OrlopError('INVALID_ARGUMENT', 'lease: the id must not be empty')
    const record: LeaseRecord = {
      labels: keptLabels({ ...init.labels, ...this.#expiry(init.expiresIn) }),
      createdAt: this.#now(),
    }
    const key = leaseKey(this.#namespace, id)
    await this.#database.update(async tx => {
      if ((await tx.get(key)) !== undefined) {
        throw new OrlopError('ALREADY_EXISTS', `lease ${JSON.stringify(id)} already exists`)
      }
      await touchNamespace(tx, this.#namespace)
      tx.put(key, encode(record))
    }, options)
    return Object.freeze({ id, ...record })
  }

  list(filters: readonly string[] = [], options: AbortOptions = {}): AsyncIterable<Lease> {
    const wanted = parseFilters(filters)
    return this.#list(
      ({ id, labels }) =>
        wanted(([head, ...rest]) => {
          if (head === 'id' && rest.length === 0) return id
          return head === 'labels' ? labelField(labels, rest) : undefined
        }),
      options,
    )
  }

  async delete(id: string, options: AbortOptions = {}): Promise<void> {
    await this.#database.update(async tx => {
      await requireLease(tx, this.#namespace, id)
      await deleteLease(tx, this.#namespace, id)
    }, options)
  }

  async addResource(lease: string, resource: LeaseResource, options: AbortOptions = {}): Promise<void> {
    await this.#database.update(tx => addLeaseResource(tx, this.#namespace, lease, resource), options)
  }

  async deleteResource(lease: string, resource: LeaseResource, options: AbortOptions = {}): Promise<void> {
    await this.#database.update(async tx => {
      await requireLease(tx, this.#namespace, lease)
      deleteLeaseResource(tx, this.#namespace, lease, resource)
    }, options)
  }

  async *resources(
    lease: string,
    options: AbortOptions = {},
  ): AsyncGenerator<LeaseResource, void, undefined> {
    const found = await this.#database.view(async view => {
      await requireLease(view, this.#namespace, lease)
      const list: LeaseResource[] = []
      for await (const { key } of view.range(leaseResourcesPrefix(this.#namespace, lease), options)) {
        const parsed = parseKey(key)
        if (parsed?.kind === 'lease-resource') list.push(Object.freeze(parsed.resource))
      }
      return list
    })
    yield* found
  }

  /** Reads in one go and yields afterwards, so that a slow reader holds no snapshot open. */
  async *#list(
    wanted: (lease: Lease) => boolean,
    options: AbortOptions,
  ): AsyncGenerator<Lease, void, undefined> {
    const found = await this.#database.view(async view => {
      const list: Lease[] = []
      for await (const { key, value } of view.range(kindPrefix(this.#namespace, 'lease'), options)) {
        const parsed = parseKey(key)
        if (parsed?.kind !== 'lease') continue
        const lease = Object.freeze({ id: parsed.id, ...decode(key, value, readLeaseRecord) })
        if (wanted(lease)) list.push(lease)
      }
      return list
    })
    yield* found
  }

  #expiry(expiresIn: number | undefined): Record<string, string> {
    if (expiresIn === undefined) return {}
    const date = new Date(this.#now().getTime() + expiresIn)
    if (Number.isNaN(date.getTime())) {
      throw new OrlopError('INVALID_ARGUMENT', `lease: expiresIn must be milliseconds, got ${expiresIn}`)
    }
    return { [labelKeys.gcExpire]: date.toISOString() }
  }
}

/** An id as containerd makes them: the nanosecond within the second, and three random bytes. */
export const newLeaseId = (): string =>
  `${process.hrtime.bigint() % 1_000_000_000n}-${randomBytes(3).toString('base64url')}`

/**
 * Makes a lease hold something, inside the transaction that makes the thing.
 *
 * @throws NOT_FOUND  no lease with that id
 * @throws INVALID_ARGUMENT, UNIMPLEMENTED  a resource that cannot be: see `checkResource`
 */
export async function addLeaseResource(
  tx: Transaction,
  namespace: string,
  lease: string,
  resource: LeaseResource,
): Promise<void> {
  await requireLease(tx, namespace, lease)
  tx.put(leaseResourceKey(namespace, lease, checkResource(resource)), {})
}

/** Makes a lease let go of something, inside the transaction that removes it; missing ones are no error. */
export function deleteLeaseResource(
  tx: Transaction,
  namespace: string,
  lease: string,
  resource: LeaseResource,
): void {
  tx.delete(leaseResourceKey(namespace, lease, checkResource(resource)))
}

/** Removes a lease and what says what it holds; a missing one is no error. */
export async function deleteLease(tx: Transaction, namespace: string, id: string): Promise<void> {
  for await (const { key } of tx.range(leaseResourcesPrefix(namespace, id))) tx.delete(key)
  tx.delete(leaseKey(namespace, id))
}

async function requireLease(view: View, namespace: string, id: string): Promise<void> {
  if (id === '' || (await view.get(leaseKey(namespace, id))) === undefined) {
    throw new OrlopError('NOT_FOUND', `lease ${JSON.stringify(id)} does not exist`)
  }
}
