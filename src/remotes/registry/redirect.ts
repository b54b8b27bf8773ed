import { type Connection, withoutIdentity } from './connection.ts'
import { RegistryError, sanitizeUrl } from './error.ts'
import { type HttpRequest, type HttpResponse, headerValue, type Send } from './http.ts'

const maxRedirects = 10

/** All that another origin is told; a list of what may go along cannot forget a secret header. */
const portable: ReadonlySet<string> = new Set(['accept', 'accept-encoding', 'range', 'user-agent'])

/**
 * `send` with redirects followed, for GET and HEAD.
 *
 * On any change of scheme, host or port all headers but Accept, Accept-Encoding, Range and User-Agent stay behind, and
 * do not come back when a later hop returns; client certificates neither. Other methods get the redirect itself as their response.
 *
 * @throws FAILED_PRECONDITION  more than 10 hops, a Location that is none, or one from https to http
 */
export const followRedirects =
  (send: Send): Send =>
  async (request, options) => {
    let current = request
    let crossed = false
    for (let hops = 0; ; hops++) {
      const response = await send(current, options)
      const location = redirection(response)
      if (location === undefined) return { ...response, crossed }
      await response.body.dump()
      if (hops === maxRedirects)
        throw refuse(response, `more than ${maxRedirects} redirects, from ${sanitizeUrl(request.url)}`)
      const url = target(location, current.url, request.url, response)
      crossed ||= url.origin !== current.url.origin
      current = { ...(url.origin === current.url.origin ? current : keep(current)), url }
    }
  }

/**
 * `send` for what belongs to an origin and may lie elsewhere, as its token server does: connected to as the origin is,
 * and with its client certificate only at the origin itself.
 */
export const sendAsFrom =
  (
    { origin, connection }: { readonly origin: URL; readonly connection?: Connection | undefined },
    send: Send,
  ): Send =>
  (request, options) => {
    if (!connection) return send(request, options)
    const own = request.url.origin === origin.origin
    return send({ ...request, connection: own ? connection : withoutIdentity(connection) }, options)
  }

const redirection = ({ status, method, headers }: HttpResponse): string | undefined =>
  (method === 'GET' || method === 'HEAD') && [301, 302, 303, 307, 308].includes(status)
    ? headerValue(headers, 'location')
    : undefined

function target(location: string, from: URL, first: URL, response: HttpResponse): URL {
  if (!URL.canParse(location, from.href)) throw refuse(response, 'redirects to what is no URL')
  const url = new URL(location, from)
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw refuse(response, `redirects to ${url.protocol}, not http or https`)
  if (url.protocol === 'http:' && first.protocol === 'https:')
    throw refuse(response, `redirects from https to plain http (${sanitizeUrl(url)})`)
  return url
}

/** A request as another origin may see it. */
const keep = ({ headers = {}, connection, ...request }: HttpRequest): HttpRequest => ({
  ...request,
  headers: Object.fromEntries(Object.entries(headers).filter(([name]) => portable.has(name.toLowerCase()))),
  ...(connection && { connection: withoutIdentity(connection) }),
})

const refuse = ({ method, url, status }: HttpResponse, why: string): RegistryError =>
  new RegistryError('FAILED_PRECONDITION', `${method} ${sanitizeUrl(url)}: ${why}`, { method, url, status })
