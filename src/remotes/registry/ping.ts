import type { AbortOptions } from '../../options.ts'
import type { Endpoint } from './endpoint.ts'
import { RegistryError } from './error.ts'
import { contentType, type HttpResponse } from './http.ts'

/**
 * Asks a registry whether it is one, and whether it lets us in with what we have.
 *
 * @throws UNAUTHENTICATED  it wants credentials, or other ones
 * @throws NOT_FOUND  something answers that is no registry: it does not know `/v2/`, or has a page for people there
 */
export const ping = (endpoint: Endpoint, options?: AbortOptions): Promise<void> => {
  const { name, path } = endpoint.host
  const read = async (response: HttpResponse): Promise<void> => {
    await response.body.dump()
    const { status, method, url } = response
    const page = contentType(response) === 'text/html'
    if (status < 300 && !page) return
    const why = page ? `a page for people` : status
    const text = `${name}: is not a registry, or not at this address: ${path}/ is answered with ${why}`
    throw new RegistryError('NOT_FOUND', text, { method, url, status })
  }
  return endpoint.exchange(
    { method: 'GET', path: '/', scopes: [], what: name, accept: [404, 410] },
    read,
    options,
  )
}
