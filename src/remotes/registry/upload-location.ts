import type { Digest } from '../../oci/digest.ts'
import { RegistryError, sanitizeUrl } from './error.ts'
import { type HttpResponse, headerValue } from './http.ts'

/**
 * Where an upload goes on, as its last response says; `undefined` when it does not say.
 *
 * A path counts from what was asked. Many a registry behind a proxy thinks that it is reached without TLS; its own host
 * is then asked over TLS all the same.
 *
 * @throws FAILED_PRECONDITION  no URL, neither http nor https, or another host without TLS where the registry has it
 */
export function uploadLocation(response: HttpResponse): URL | undefined {
  const { headers, url: from } = response
  const text = headerValue(headers, 'location')
  if (text === undefined || text === '') return undefined
  if (!URL.canParse(text, from.href)) throw refuse(response, 'sends its upload to what is no URL')
  const url = new URL(text, from)
  url.username = ''
  url.password = ''
  url.hash = ''
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw refuse(response, `sends its upload to ${url.protocol}, not http or https`)
  if (url.protocol === 'https:' || from.protocol === 'http:') return url
  const port = url.port === '80' ? '' : url.port
  if (url.hostname === from.hostname && (port === '' || port === from.port)) {
    url.protocol = 'https:'
    url.port = from.port
    return url
  }
  throw refuse(response, `sends its upload from https to plain http (${sanitizeUrl(url)})`)
}

/** The address that ends an upload: what its location carries stays as it is. */
export function withDigest(location: URL, digest: Digest): URL {
  const url = new URL(location)
  url.search = `${url.search}${url.search === '' ? '?' : '&'}digest=${encodeURIComponent(digest)}`
  return url
}

const refuse = ({ method, url, status }: HttpResponse, why: string): RegistryError =>
  new RegistryError('FAILED_PRECONDITION', `${method} ${sanitizeUrl(url)}: the registry ${why}`, {
    method,
    url,
    status,
  })
