import type { AbortOptions } from '../../options.ts'
import { type Challenge, parseChallenges } from './challenge.ts'
import type { Connection } from './connection.ts'
import { type Credential, type Credentials, canonicalHost } from './credential.ts'
import { RegistryError, type Shown, unauthenticated } from './error.ts'
import { type HttpResponse, headerValues, type Send } from './http.ts'
import { realmOf } from './realm.ts'
import { sendAsFrom } from './redirect.ts'
import { Refusals } from './refusals.ts'
import { normalizeScopes, repositoryOf } from './scope.ts'
import { SingleFlight } from './single-flight.ts'
import {
  basicHeader,
  fetchToken,
  type Token,
  type TokenCredential,
  type TokenMethod,
  type TokenRequest,
} from './token.ts'

/** Who is asked, and for what. */
export interface AuthTarget {
  /** The registry as people know it. */
  readonly name: string
  /** Host and port as they are connected to; credentials are looked for by these, and shown to nothing else. */
  readonly address: string
  /** Where the request goes; what is learned is kept by this. */
  readonly origin: URL
  /** The first that speaks of a repository says whose credentials are wanted, where parts of a registry have their own. */
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

/** Tokens and the like remembered at most; the oldest go first. */
const maxRemembered = 2048

/**
 * Finds the Authorization header for requests to registries, and learns from their challenges.
 *
 * Each origin's challenge is remembered, so that only the first request is refused. A credential goes to the origin that
 * it belongs to and to the token server that this origin names (see `realmOf`); one that was refused, and never taken,
 * is not shown again for a minute. Nobody learns more of a failed fetch of a token than those who waited for it.
 */
export class Authorizer {
  readonly #send: Send
  readonly #credentials: Credentials
  readonly #now: () => number
  readonly #refusals: Refusals
  readonly #challenges = new Map<string, Challenge>()
  readonly #basics = new Map<string, string>()
  readonly #tokens = new Map<string, Token>()
  /** Scopes that challenges asked for besides the request's own. */
  readonly #wider = new Map<string, readonly string[]>()
  /** How each token server wants to be asked. */
  readonly #methods = new Map<string, TokenMethod>()
  readonly #shown = new Map<string, Shown | undefined>()
  readonly #flights = new SingleFlight<Token>()
  readonly #lookups = new SingleFlight<Credential | undefined>()

  constructor({ send, credentials, now = Date.now }: AuthorizerOptions) {
    this.#send = send
    this.#credentials = credentials
    this.#now = now
    this.#refusals = new Refusals(now)
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
    if (used?.startsWith('Basic ')) this.#refusals.refused(target.origin.origin, used)
    const challenges = parseChallenges(headerValues(response.headers, 'www-authenticate'))
    const challenge =
      challenges.find(({ scheme, parameters }) => scheme === 'bearer' && parameters.has('realm')) ??
      challenges.find(({ scheme }) => scheme === 'basic')
    if (!challenge) return false
    const { origin } = target.origin
    const known = this.#challenges.get(origin)
    remember(this.#challenges, origin, challenge)
    const widened = this.#widen(target, challenge)
    const stale = this.#forget(target, used)
    return known?.scheme !== challenge.scheme || widened || used === undefined || (stale && !fresh)
  }

  /** Notes that a request which carried this header was not refused. */
  accepted({ origin }: AuthTarget, used: string): void {
    if (used.startsWith('Basic ')) this.#refusals.taken(origin.origin, used)
  }

  /** What was found when a credential was last looked for; `undefined` for none, or when that was never. */
  shown(target: AuthTarget): Shown | undefined {
    return this.#shown.get(ownerOf(target))
  }

  async #basic(target: AuthTarget, { signal }: AbortOptions): Promise<string | undefined> {
    const key = basicKeyOf(target)
    const known = this.#basics.get(key)
    if (known !== undefined) return known
    const credential = await this.#credential(target, { signal })
    if (!credential) return undefined
    if (!('password' in credential)) throw notForBasic(target, credential)
    const header = basicHeader(credential)
    if (this.#refusals.waitMs(target.origin.origin, header) > 0) return undefined
    remember(this.#basics, key, header)
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
    const method = this.#methods.get(realm.href)
    const asked = { realm, service: parameters.get('service'), scopes, registry: target.name, method }
    const token = await this.#ask(target, { ...asked, credential }, { signal })
    remember(this.#tokens, key, token)
    return token
  }

  async #ask(target: AuthTarget, request: TokenRequest, { signal }: AbortOptions): Promise<Token> {
    const { credential, realm } = request
    const secret = credential && secretOf(credential)
    if (secret !== undefined) this.#refuseToRepeat(request, secret)
    try {
      const token = await fetchToken(sendAsFrom(target, this.#send), request, { signal, now: this.#now })
      if (secret !== undefined) {
        this.#refusals.taken(realm.href, secret)
        remember(this.#methods, realm.href, token.method)
      }
      return token
    } catch (error) {
      if (secret !== undefined && error instanceof RegistryError && error.status === 401)
        this.#refusals.refused(realm.href, secret)
      throw error
    }
  }

  /** Fails when a credential was refused a moment ago. */
  #refuseToRepeat({ realm, registry, credential }: TokenRequest, secret: string): void {
    const wait = this.#refusals.waitMs(realm.href, secret)
    if (wait === 0) return
    const again = `not shown again for ${Math.ceil(wait / 1000)} s, for accounts get locked by that`
    const text = `${unauthenticated(registry, credential)}; ${again}`
    throw new RegistryError('UNAUTHENTICATED', text, { method: 'GET', url: realm, status: 401 })
  }

  async #credential(target: AuthTarget, { signal }: AbortOptions): Promise<Credential | undefined> {
    const owner = ownerOf(target)
    const host = canonicalHost(target.address) === 'docker.io' ? 'docker.io' : target.address
    const repository = repositoryOf(target.scopes)
    const find = (options: AbortOptions) => this.#credentials(host, { repository, ...options })
    const credential = await this.#lookups.run(owner, find, { signal })
    remember(this.#shown, owner, credential && { source: credential.source })
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
    if (used === `Bearer ${this.#tokens.get(key)?.value}`) this.#tokens.delete(key)
    if (used === this.#basics.get(basicKeyOf(target))) this.#basics.delete(basicKeyOf(target))
    return used !== undefined
  }
}

const keyOf = ({ origin, scopes }: AuthTarget): string =>
  JSON.stringify([origin.origin, ...normalizeScopes(scopes)])

const basicKeyOf = ({ origin, scopes }: AuthTarget): string =>
  JSON.stringify([origin.origin, repositoryOf(scopes)])

/** What a credential is looked up by. */
const ownerOf = ({ address, scopes }: AuthTarget): string => JSON.stringify([address, repositoryOf(scopes)])

/** What is secret in a credential, to be told apart by. */
const secretOf = (credential: TokenCredential): string =>
  'identityToken' in credential
    ? JSON.stringify([credential.identityToken])
    : JSON.stringify([credential.username, credential.password])

function notForBasic({ name, origin }: AuthTarget, { source }: Credential): RegistryError {
  const found = source === undefined ? 'there is' : `${source} has`
  const text = `${name} wants a user and a password, and ${found} only a token; log in again with "orlop login ${name}"`
  return new RegistryError('UNAUTHENTICATED', text, { method: 'GET', url: origin, status: 401 })
}

function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key)
  map.set(key, value)
  const oldest = map.keys().next()
  if (map.size > maxRemembered && !oldest.done) map.delete(oldest.value)
}
