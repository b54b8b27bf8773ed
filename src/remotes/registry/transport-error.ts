import { isObject } from '../../oci/json.ts'
import { RegistryError, sanitizeUrl } from './error.ts'
import type { HttpRequest } from './http.ts'

/** A failure below HTTP as a `RegistryError` without status: what was asked, what broke, what to do. */
export function transportError(thrown: unknown, request: HttpRequest, proxy?: URL): RegistryError {
  const { method, url } = request
  const cause = innermost(thrown)
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  const text = texts[code]?.(url) ?? tlsText(code, url) ?? `${url.host}: ${messageOf(cause)}`
  const hint = isWordless(cause, request) ? '; does it want a client certificate (--tlscert, --tlskey)?' : ''
  const kind = code.startsWith('Z_') ? 'DATA_LOSS' : 'UNAVAILABLE'
  const way = proxy ? ` (through the proxy ${proxy.protocol}//${proxy.host}; see HTTPS_PROXY, NO_PROXY)` : ''
  return new RegistryError(kind, `${method} ${sanitizeUrl(url)}: ${text}${hint}${way}`, {
    method,
    url,
    cause,
  })
}

/** When every address of a host fails, Node hides the reasons in an AggregateError. */
const innermost = (error: unknown): unknown =>
  error instanceof AggregateError && error.errors.length > 0 ? error.errors[0] : error

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/**
 * True when a server of TLS closed a fresh connection at the first request of somebody without certificate: since TLS 1.3
 * that is how it says that it wants one, and the alert that tells so mostly comes too late to be seen.
 */
const isWordless = (error: unknown, { url, connection }: HttpRequest): boolean =>
  url.protocol === 'https:' &&
  !connection?.certificates &&
  error instanceof Error &&
  'socket' in error &&
  isObject(error.socket) &&
  error.socket.bytesRead === 0

const broke = (): string => 'the connection broke before the response was complete'

const texts: Readonly<Record<string, (url: URL) => string>> = {
  ECONNREFUSED: url => `${url.host} refuses connections; check host and port, and that the registry runs`,
  ENOTFOUND: url => `host ${url.hostname} is unknown; check the name and this machine's DNS`,
  EAI_AGAIN: url => `the name server did not answer for ${url.hostname}; check this machine's network`,
  EHOSTUNREACH: url => `there is no route to ${url.host}`,
  ENETUNREACH: url => `there is no route to ${url.host}`,
  ETIMEDOUT: url => `${url.host} does not answer`,
  UND_ERR_CONNECT_TIMEOUT: url => `${url.host} does not answer`,
  UND_ERR_HEADERS_TIMEOUT: url => `${url.host} took the request and never answered`,
  UND_ERR_BODY_TIMEOUT: url => `${url.host} stopped sending in the middle of the response`,
  ORLOP_STALLED: url => `${url.host} stopped taking what is sent`,
  ECONNRESET: broke,
  EPIPE: broke,
  UND_ERR_SOCKET: broke,
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: broke,
  ERR_SSL_WRONG_VERSION_NUMBER: plainText,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: plainText,
  Z_BUF_ERROR: () => 'its Content-Encoding ends too early',
  Z_DATA_ERROR: () => 'it is not in the Content-Encoding that it claims',
}

function plainText(url: URL): string {
  return `${url.host} does not speak TLS; if it is meant to be plain HTTP, ask for that (--plain-http)`
}

/** The codes of certificates that will not do. @see Node's tls documentation, X509 certificate error codes */
const certificate =
  /^(CERT_|UNABLE_TO_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|ERR_TLS_CERT_ALTNAME_INVALID|HOSTNAME_MISMATCH)/

function tlsText(code: string, url: URL): string | undefined {
  if (certificate.test(code))
    return `the certificate of ${url.host} is not trusted (${code}); trust who signed it (--tlscacert), or check nothing (--skip-verify)`
  if (/ALERT_(CERTIFICATE_REQUIRED|BAD_CERTIFICATE|UNKNOWN_CA|HANDSHAKE_FAILURE)$/.test(code))
    return `${url.host} refuses to speak TLS with this machine (${code}); does it want a client certificate (--tlscert, --tlskey)?`
  return undefined
}
