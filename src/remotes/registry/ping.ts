import type { AbortOptions } from '../../options.ts'
import type { Endpoint } from './endpoint.ts'

/**
 * Asks a registry whether it is one, and whether it lets us in with what we have.
 *
 * @throws UNAUTHENTICATED  it wants credentials, or other ones
 * @throws NOT_FOUND  it answers, and not as a registry
 */
export const ping = (endpoint: Endpoint, options?: AbortOptions): Promise<void> =>
  endpoint.exchange(
    { method: 'GET', path: '/', scopes: [], what: endpoint.host.name },
    response => response.body.dump(),
    options,
  )
