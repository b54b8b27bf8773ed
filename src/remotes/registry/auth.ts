import type { AbortOptions } from '../../options.ts'
import { type Challenge, parseChallenges } from './challenge.ts'
import type { Connection } from './connection.ts'
import type { Credential, Credentials } from './credential.ts'
import { RegistryError, type Shown } from './error.ts'
import { type HttpResponse, headerValues, type Send } from './http.ts'
import { sendAsFrom } from './redirect.ts'
import { normalizeScopes, repositoryOf } from './scope.ts'
import { SingleFlight } from './single-flight.ts'
import { basicHeader, fetchToken, type Token } from './token.ts'

/** Who is asked, and for what. */
export interface AuthTarget {
  /** The registry as people and credentials know it. */
  readonly name: string
  /** Where the request goes; what is learned is kept by this. */
  readonly origin: URL
  readonly scopes: readonly string[]
  /** How that origin is connected to. */
  readonly connection?: Connection | undefined
}

/** Options of `Authorizer`. */
export interface AuthorizerOptions {
  readonly send: Send
  readonly credentials: Credentials
  /** Milliseconds since 1970. */
  readonly now?: (() => number) | undefined
}

/** Tokens and scopes remembered at most; the oldest go first. */
const maxRemembered = 2048

/**
 * Finds the Authorization header for requests to registries, and learns from their challenges.
 *
 * Each origin's challenge is remembered, so that only the first request is refused. A credential goes to the origin that
 * it belongs to and to the token server that this origin names, and to a token server over plain HTTP only when the
 * registry is itself reached so. Nobody learns more of a failed fetch of a token than those who waited for it.
 */
export class Authorizer {
  readonly #send: Send
  readonly #credentials: Credentials
  readonly #now: () => number
  readonly #challenges = new Map<string, Challenge>()
  readonly #basics = new Map<string, string>()
  readonly #tokens = new Map<string, Token>()
  /** Scopes that challenges asked for besides the request's own. */
  readonly #wider = new Map<string, readonly string[]>()
  readonly #flights = new SingleFlight<Token>()
  readonly #shown = new Map<string, Shown | undefined>()

  constructor({ send, credentials, now = Date.now }: AuthorizerOptions) {
    this.#send = send
    this.#credentials = credentials
    this.#now = now
  }

  /**
   * The header for a request; `undefined` before the first challenge, and when there is nothing to show.
   *
   * @throws UNAUTHENTICATED  the token server refuses, or must not be trusted with a credential
   */
  async authorization(target: AuthTarget, { signal }: AbortOptions = {}): Promise<string | undefined> {
    const challenge = this.#challenges.get(target.origin.origin)
    if (!challenge) return undefined
    if (challenge.scheme === 'basic') return this.#basic(target, { signal })
    return `Bearer ${(await this.#token(target, challenge, { signal })).value}`
  }

  /**
   * Learns from a 401 what `authorization` will need.
   *
   * @param used  the header that the refused request carried
   * @param fresh  true when that header was made for this very request
   * @returns true when the request should be sent again
   */
  challenged(target: AuthTarget, response: HttpResponse, used: string | undefined, fresh: boolean): boolean {
    const challenges = parseChallenges(headerValues(response.headers, 'www-authenticate'))
    const challenge =
      challenges.find(({ scheme, parameters }) => scheme === 'bearer' && parameters.has('realm')) ??
      challenges.find(({ scheme }) => scheme === 'basic')
    if (!challenge) return false
    const { origin } = target.origin
    const known = this.#challenges.get(origin)
    this.#challenges.set(origin, challenge)
    const widened = this.#widen(target, challenge)
    const stale = this.#forget(target, used)
    return known?.scheme !== challenge.scheme || widened || used === undefined || (stale && !fresh)
  }

  /** What was found when a credential was last looked for; `undefined` for none, or when that was never. */
  shown(name: string): Shown | undefined {
    return this.#shown.get(name)
  }

  async #basic(target: AuthTarget, { signal }: AbortOptions): Promise<string | undefined> {
    const { origin } = target.origin
    const known = this.#basics.get(origin)
    if (known !== undefined) return known
    const credential = await this.#credential(target, { signal })
    if (!credential || !('password' in credential)) return undefined
    const header = basicHeader(credential)
    this.#basics.set(origin, header)
    return header
  }

  async #token(target: AuthTarget, challenge: Challenge, { signal }: AbortOptions): Promise<Token> {
    const key = keyOf(target)
    const known = this.#tokens.get(key)
    if (known && known.expiresAt > this.#now()) return known
    return this.#flights.run(key, options => this.#fetch(target, challenge, options), { signal })
  }

  async #fetch(target: AuthTarget, { parameters }: Challenge, { signal }: AbortOptions): Promise<Token> {
    const credential = await this.#credential(target, { signal })
    if (credential && 'registryToken' in credential)
      return { value: credential.registryToken, expiresAt: this.#now() }
    const realm = realmOf(parameters.get('realm') ?? '', target, credential)
    const key = keyOf(target)
    const scopes = normalizeScopes([...target.scopes, ...(this.#wider.get(key) ?? [])])
    const request = { realm, service: parameters.get('service'), scopes, credential, registry: target.name }
    const send = sendAsFrom(target, this.#send)
    const token = await fetchToken(send, request, { signal, now: this.#now })
    remember(this.#tokens, key, token)
    return token
  }

  async #credential({ name, scopes }: AuthTarget, { signal }: AbortOptions): Promise<Credential | undefined> {
    const credential = await this.#credentials(name, { repository: repositoryOf(scopes), signal })
    this.#shown.set(name, credential && { source: credential.source })
    return credential
  }

  /** True when the challenge names scopes that were not asked for so far. */
  #widen(target: AuthTarget, { parameters }: Challenge): boolean {
    const asked = parameters.get('scope')
    if (asked === undefined) return false
    const key = keyOf(target)
    const before = normalizeScopes([...target.scopes, ...(this.#wider.get(key) ?? [])])
    const after = normalizeScopes([...before, asked])
    remember(this.#wider, key, after)
    return after.join(' ') !== before.join(' ')
  }

  /** Drops what was refused, unless another request has replaced it already. Either way there may be a better one. */
  #forget(target: AuthTarget, used: string | undefined): boolean {
    const key = keyOf(target)
    const { origin } = target.origin
    if (used === `Bearer ${this.#tokens.get(key)?.value}`) this.#tokens.delete(key)
    if (used === this.#basics.get(origin)) this.#basics.delete(origin)
    return used !== undefined
  }
}

const keyOf = ({ origin, scopes }: AuthTarget): string =>
  JSON.stringify([origin.origin, ...normalizeScopes(scopes)])

function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key)
  map.set(key, value)
  const oldest = map.keys().next()
  if (map.size > maxRemembered && !oldest.done) map.delete(oldest.value)
}

/** The token server's address, where it may be told what is going to be sent. */
function realmOf(text: string, { name, origin }: AuthTarget, credential: Credential | undefined): URL {
  const refuse = (why: string): never => {
    throw new RegistryError('UNAUTHENTICATED', `${name}: ${why}`, { method: 'GET', url: origin, status: 401 })
  }
  const realm = URL.canParse(text) ? new URL(text) : refuse('its challenge names no token server (realm)')
  if (realm.protocol !== 'https:' && realm.protocol !== 'http:')
    return refuse(`its token server is not reached over http or https but ${realm.protocol}`)
  if (credential && realm.protocol === 'http:' && origin.protocol !== 'http:')
    return refuse(`its token server ${realm.host} is reached over plain http; the credentials were not sent`)
  return realm
}
