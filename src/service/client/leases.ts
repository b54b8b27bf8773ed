import { OrlopError } from '../../errors.ts'
import { parseFilters } from '../../filters/filter.ts'
import type { Lease, LeaseManager, LeaseResources, NewLease } from '../../metadata/lease-types.ts'
import type { LeaseResource } from '../../metadata/schema.ts'
import { labelKeys } from '../../oci/annotations.ts'
import type { AbortOptions } from '../../options.ts'
import { type Lease as LeaseMessage, Leases } from '../gen/containerd/services/leases/v1/leases_pb.ts'
import { dateOf } from '../messages.ts'
import type { Connection, Place } from './connection.ts'

/** The leases of a namespace behind a socket: orlop's or containerd's. */
export class RemoteLeases implements LeaseManager, LeaseResources {
  readonly #connection: Connection
  readonly #place: Place

  constructor(connection: Connection, place: Place) {
    this.#connection = connection
    this.#place = place
  }

  async create({ id, labels = {}, expiresIn }: NewLease = {}, options: AbortOptions = {}): Promise<Lease> {
    // Without an id the service makes one, so an empty one must not get there.
    if (id === '') throw new OrlopError('INVALID_ARGUMENT', 'lease: the id must not be empty')
    const request = { id: id ?? '', labels: { ...labels, ...expiry(expiresIn) } }
    return leaseOf((await this.#connection.unary(Leases.method.create, request, this.#with(options))).lease)
  }

  list(filters: readonly string[] = [], options: AbortOptions = {}): AsyncIterable<Lease> {
    parseFilters(filters)
    return this.#list(filters, options)
  }

  async *#list(filters: readonly string[], options: AbortOptions): AsyncGenerator<Lease> {
    const request = { filters: [...filters] }
    const { leases } = await this.#connection.unary(Leases.method.list, request, this.#with(options))
    yield* leases.map(leaseOf)
  }

  async delete(id: string, options: AbortOptions = {}): Promise<void> {
    await this.#connection.unary(Leases.method.delete, { id }, this.#with(options))
  }

  /** Has the service collect, and waits for it. The wire has no call for that, but leases can be deleted so. */
  async collect(options: AbortOptions = {}): Promise<void> {
    const { id } = await this.create({ expiresIn: hour }, options)
    await this.#connection.unary(Leases.method.delete, { id, sync: true }, this.#with(options))
  }

  async addResource(
    id: string,
    { type, id: name }: LeaseResource,
    options: AbortOptions = {},
  ): Promise<void> {
    const request = { id, resource: { type, id: name } }
    await this.#connection.unary(Leases.method.addResource, request, this.#with(options))
  }

  async deleteResource(
    id: string,
    { type, id: name }: LeaseResource,
    options: AbortOptions = {},
  ): Promise<void> {
    const request = { id, resource: { type, id: name } }
    await this.#connection.unary(Leases.method.deleteResource, request, this.#with(options))
  }

  async *resources(id: string, options: AbortOptions = {}): AsyncGenerator<LeaseResource> {
    const { resources } = await this.#connection.unary(
      Leases.method.listResources,
      { id },
      this.#with(options),
    )
    for (const { type, id: name } of resources) yield { type, id: name }
  }

  #with({ signal }: AbortOptions): Place & AbortOptions {
    return { ...this.#place, signal }
  }
}

const hour = 60 * 60 * 1000

const leaseOf = (message: LeaseMessage | undefined): Lease => {
  if (message === undefined) throw new OrlopError('INTERNAL', 'leases: the service told nothing of the lease')
  const { id, labels, createdAt } = message
  return { id, labels, createdAt: dateOf(createdAt) }
}

const expiry = (expiresIn: number | undefined): Record<string, string> => {
  if (expiresIn === undefined) return {}
  const date = new Date(Date.now() + expiresIn)
  if (Number.isNaN(date.getTime())) {
    throw new OrlopError('INVALID_ARGUMENT', `lease: expiresIn must be milliseconds, got ${expiresIn}`)
  }
  return { [labelKeys.gcExpire]: date.toISOString() }
}
