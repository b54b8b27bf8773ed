import { isObject } from '../../oci/json.ts'
import type { AbortOptions } from '../../options.ts'
import { type Credential, parseSecretJson } from './credential.ts'
import { codeOf, RegistryError, retryAfter, unauthenticated } from './error.ts'
import { type HttpRequest, type HttpResponse, headerValue, readUpTo, type Send } from './http.ts'
import { followRedirects } from './redirect.ts'

/** A bearer token and until when to use it. */
export interface Token {
  readonly value: string
  /** Milliseconds since 1970. */
  readonly expiresAt: number
}

/** A credential that a token server takes. */
export type TokenCredential = Exclude<Credential, { readonly registryToken: string }>

/** How a token is asked for: OAuth's POST, or the older GET. */
export type TokenMethod = 'POST' | 'GET'

/** What is asked of a token server. */
export interface TokenRequest {
  readonly realm: URL
  readonly service: string | undefined
  readonly scopes: readonly string[]
  readonly credential: TokenCredential | undefined
  /** The registry, as people know it. */
  readonly registry: string
  /** What has worked there; without it POST is tried first, and then GET. */
  readonly method?: TokenMethod | undefined
}

/** A token, and how it was got. */
export interface IssuedToken extends Token {
  readonly method: TokenMethod
}

/** A token of less use than this long is refreshed early, in milliseconds: clocks differ and requests take time. */
const leewayMs = 10_000
/** What a token lives that does not say, and what each lives at least. @see distribution spec, token authentication */
const leastLifeMs = 60_000
const maxTokenBody = 1024 * 1024

/**
 * A token for some scopes: OAuth's POST when there is a credential, else, and where that is not known, GET.
 *
 * A POST carries the credential in its body and is never redirected. Nothing that the server says beyond its status is
 * told in errors: it was just sent a secret and may repeat it.
 *
 * @throws UNAUTHENTICATED  the credential is refused, or none is not enough
 */
export async function fetchToken(
  send: Send,
  request: TokenRequest,
  { signal, now = Date.now }: AbortOptions & { readonly now?: () => number } = {},
): Promise<IssuedToken> {
  const { credential, method } = request
  const onlyPost = credential && 'identityToken' in credential
  if (credential && (onlyPost || method !== 'GET')) {
    const response = await send(postRequest(request, credential), { signal })
    if (response.status === 200) return readToken(response, request, now())
    // A server that knows POST has the last word with it: a wrong password is not shown twice.
    if (onlyPost || method === 'POST' || !isOfNoUse(response.status)) return fail(response, request)
    await response.body.dump()
  }
  const response = await followRedirects(send)(getRequest(request), { signal })
  return response.status === 200 ? readToken(response, request, now()) : fail(response, request)
}

/** Servers without the newer endpoint answer 404 or 405, and some anything else; GET then has the last word. */
const isOfNoUse = (status: number): boolean =>
  (status < 500 && status !== 408 && status !== 429) || status === 501

const clientId = 'orlop'

function postRequest({ realm, service, scopes }: TokenRequest, credential: TokenCredential): HttpRequest {
  const form = new URLSearchParams({ client_id: clientId })
  if (service !== undefined) form.set('service', service)
  if (scopes.length > 0) form.set('scope', scopes.join(' '))
  const grant =
    'identityToken' in credential
      ? { grant_type: 'refresh_token', refresh_token: credential.identityToken }
      : { grant_type: 'password', username: credential.username, password: credential.password }
  for (const [name, value] of Object.entries(grant)) form.set(name, value)
  const headers = { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' }
  return { method: 'POST', url: realm, headers, body: form.toString() }
}

function getRequest({ realm, service, scopes, credential }: TokenRequest): HttpRequest {
  const url = new URL(realm)
  const user = credential && 'password' in credential ? credential : undefined
  if (user) url.searchParams.set('account', user.username)
  if (service !== undefined) url.searchParams.set('service', service)
  for (const scope of scopes) url.searchParams.append('scope', scope)
  const authorization = user && basicHeader(user)
  return {
    method: 'GET',
    url,
    headers: { accept: 'application/json', ...(authorization && { authorization }) },
  }
}

/** The Authorization header of a user and a password. @see RFC 7617 */
export const basicHeader = ({
  username,
  password,
}: {
  readonly username: string
  readonly password: string
}): string => `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`

async function readToken(response: HttpResponse, request: TokenRequest, nowMs: number): Promise<IssuedToken> {
  const { bytes, whole } = await readUpTo(response.body, maxTokenBody)
  const json = whole ? parseSecretJson(bytes.toString('utf8')) : undefined
  const answer = isObject(json) ? json : {}
  const value = [answer.access_token, answer.token].find(token => typeof token === 'string' && token !== '')
  if (typeof value !== 'string' || !isHeaderToken(value)) {
    const text = `${request.registry}: the token server ${request.realm.host} answered without a token`
    throw new RegistryError('UNAUTHENTICATED', text, {
      method: response.method,
      url: request.realm,
      status: 200,
    })
  }
  const method = response.method === 'POST' ? 'POST' : 'GET'
  return { value, expiresAt: nowMs + usefulMs(answer, headerValue(response.headers, 'date'), nowMs), method }
}

/** True for what can stand in a header as a token. */
export const isHeaderToken = (text: string): boolean => /^[\x21-\x7e]+$/.test(text)

/**
 * How long to use a token, in milliseconds from now.
 *
 * A server may hand out one that it issued a while ago (`issued_at`); how long is told by its own clock, the Date of
 * its answer, for ours may be wrong by more than a token lives.
 */
function usefulMs(
  { expires_in: seconds, issued_at: issued }: { readonly expires_in?: unknown; readonly issued_at?: unknown },
  date: string | undefined,
  nowMs: number,
): number {
  const life = typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : leastLifeMs
  const itsNow = date === undefined ? nowMs : Date.parse(date)
  const age = typeof issued === 'string' ? Math.max(0, itsNow - Date.parse(issued)) : 0
  const left = Math.max(leastLifeMs, life - (Number.isFinite(age) ? age : 0))
  return left - Math.min(leewayMs, left / 2)
}

async function fail(response: HttpResponse, request: TokenRequest): Promise<never> {
  const { status, method, headers } = response
  const { registry, realm, credential } = request
  await response.body.dump()
  const denied = status >= 400 && status < 500 && status !== 408 && status !== 429
  const text = denied
    ? unauthenticated(registry, credential)
    : `${registry}: the token server ${realm.host} answered ${status}; try again later`
  const retryAfterMs = retryAfter(headerValue(headers, 'retry-after'), Date.now())
  throw new RegistryError(denied ? 'UNAUTHENTICATED' : codeOf(status), text, {
    method,
    url: realm,
    status,
    retryAfterMs,
  })
}
