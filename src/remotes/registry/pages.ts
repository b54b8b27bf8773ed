import { OrlopError } from '../../errors.ts'
import type { AbortOptions } from '../../options.ts'
import type { Endpoint, EndpointRequest } from './endpoint.ts'
import { contentLength, contentType, type HttpResponse, headerValues, readUpTo } from './http.ts'

/** One page of a list. */
export interface Page {
  readonly bytes: Uint8Array
  /** In lower case, without parameters. */
  readonly contentType: string
}

/** How a list is read. */
export interface PageOptions extends AbortOptions {
  /** Bytes of one page at most. */
  readonly maxBytes: number
}

/** A list of more pages than this has no end. */
const maxPages = 10_000

/**
 * The pages of a list, each asked for when it is wanted; the Link header of one names the next.
 *
 * A Link never leads away: whatever host it names, the next page is asked of the same endpoint. Registries behind proxies
 * name themselves by hosts and schemes that cannot be reached from outside, and others must not be sent our credentials.
 *
 * @throws RESOURCE_EXHAUSTED  a page larger than `maxBytes`, or more than 10,000 pages
 * @throws FAILED_PRECONDITION  a Link that is no URL, or leads to a page that was read already
 * @see distribution-spec v1.1, Listing Tags; RFC 8288
 */
export async function* readPages(
  endpoint: Endpoint,
  first: EndpointRequest,
  { maxBytes, signal }: PageOptions,
): AsyncGenerator<Page> {
  const { what } = first
  const seen = new Set<string>()
  for (let path: string | undefined = first.path; path !== undefined; ) {
    if (seen.has(path)) throw refuse(what, 'its pages lead round in a circle')
    if (seen.size === maxPages)
      throw new OrlopError('RESOURCE_EXHAUSTED', `${what}: more than ${maxPages} pages`)
    seen.add(path)
    const read = (response: HttpResponse): Promise<LinkedPage> => readPage(response, what, maxBytes)
    const { link, ...page }: LinkedPage = await endpoint.exchange({ ...first, path }, read, { signal })
    yield page
    path = link === undefined ? undefined : pathOf(link, path, endpoint.host.path, what)
  }
}

interface LinkedPage extends Page {
  readonly link: string | undefined
}

async function readPage(response: HttpResponse, what: string, maxBytes: number): Promise<LinkedPage> {
  const length = response.encoded ? 0 : (contentLength(response) ?? 0)
  const { bytes, whole } =
    length > maxBytes ? { bytes: Buffer.alloc(0), whole: false } : await readUpTo(response.body, maxBytes)
  if (whole) return { bytes, contentType: contentType(response), link: nextLink(response) }
  await response.body.dump()
  throw new OrlopError(
    'RESOURCE_EXHAUSTED',
    `${what}: a page of more than ${maxBytes} bytes; ask for smaller pages`,
  )
}

/** What the Link header of a response names as the next page. */
function nextLink({ headers }: HttpResponse): string | undefined {
  for (const value of headerValues(headers, 'link')) {
    for (const [, url, parameters = ''] of value.matchAll(/<([^>]*)>((?:\s*;\s*[^;,]*)*)/g)) {
      const [, quoted, bare] = /;\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,"]+))/i.exec(parameters) ?? []
      if ((quoted ?? bare ?? '').toLowerCase().split(/\s+/).includes('next')) return url
    }
  }
  return undefined
}

/** The path and query of the next page below the host's own path. A path that does not lie there is taken for the same. */
function pathOf(link: string, current: string, base: string, what: string): string {
  const here = new URL(`${base}${current}`, 'http://registry.invalid')
  if (!URL.canParse(link, here.href)) throw refuse(what, 'its next page is at what is no URL')
  const { pathname, search } = new URL(link, here)
  const path = pathname.startsWith(`${base}/`) ? pathname : here.pathname
  return path.slice(base.length) + search
}

const refuse = (what: string, why: string): OrlopError =>
  new OrlopError('FAILED_PRECONDITION', `${what}: ${why}`)
