import { isNotFound } from '../errors.ts'
import type { AbortOptions } from '../options.ts'
import type { Lease, LeaseManager, NewLease } from './lease-types.ts'

const day = 24 * 60 * 60 * 1000

/** Options of `withLease`. */
export interface WithLeaseOptions extends NewLease, AbortOptions {}

/**
 * Runs `work` under a lease and deletes it in the end, also when `work` fails.
 *
 * The first error is the one thrown. Should the process die, the lease expires by itself: by default after 24 hours.
 */
export async function withLease<T>(
  leases: Pick<LeaseManager, 'create' | 'delete'>,
  options: WithLeaseOptions,
  work: (lease: Lease) => Promise<T>,
): Promise<T> {
  const { signal, expiresIn = day, ...init } = options
  const lease = await leases.create({ ...init, expiresIn }, { signal })
  let result: T
  try {
    result = await work(lease)
  } catch (error) {
    // It expires by itself; what went wrong first is what matters.
    await leases.delete(lease.id).catch(() => undefined)
    throw error
  }
  await leases.delete(lease.id).catch(unlessNotFound)
  return result
}

/** An expired lease may have been collected while the work went on. */
const unlessNotFound = (error: unknown): void => {
  if (!isNotFound(error)) throw error
}
