import { Turns } from '../../content/turns.ts'
import type { AbortOptions } from '../../options.ts'
import type { AuthTarget } from './auth-target.ts'
import { BoundedMap } from './bounded-map.ts'
import type { Challenge } from './challenge.ts'
import type { Credential } from './credential.ts'
import { RegistryError, unauthenticated } from './error.ts'
import type { Send } from './http.ts'
import { realmOf } from './realm.ts'
import { sendAsFrom } from './redirect.ts'
import type { Refusals } from './refusals.ts'
import { normalizeScopes } from './scope.ts'
import { SingleFlight } from './single-flight.ts'
import {
  fetchToken,
  isHeaderToken,
  type Token,
  type TokenCredential,
  type TokenMethod,
  type TokenRequest,
} from './token.ts'

/** What a `TokenSource` works with. */
export interface TokenSourceOptions {
  readonly send: Send
  /** Finds what is shown to a token server. */
  readonly credential: (target: AuthTarget, options: AbortOptions) => Promise<Credential | undefined>
  readonly refusals: Refusals
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** Tokens and the like remembered at most. */
const maxRemembered = 2048

/** Bearer tokens of many registries, one for each set of scopes, got when they are needed and kept until they end. */
export class TokenSource {
  readonly #options: TokenSourceOptions
  readonly #tokens = new BoundedMap<string, Token>(maxRemembered)
  /** Scopes that challenges asked for besides the request's own. */
  readonly #wider = new BoundedMap<string, readonly string[]>(maxRemembered)
  /** How each token server wants to be asked. */
  readonly #methods = new BoundedMap<string, TokenMethod>(maxRemembered)
  readonly #flights = new SingleFlight<Token>()
  readonly #turns = new Turns()

  constructor(options: TokenSourceOptions) {
    this.#options = options
  }

  /**
   * The header for a request; those who need the same token at the same time share its fetch.
   *
   * @throws UNAUTHENTICATED  the token server refuses, or must not be trusted with a credential
   */
  async header(target: AuthTarget, challenge: Challenge, { signal }: AbortOptions): Promise<string> {
    const key = keyOf(target)
    const known = this.#tokens.get(key)
    const { value } =
      known && known.expiresAt > this.#options.now()
        ? known
        : await this.#flights.run(key, options => this.#get(target, challenge, options), { signal })
    return `Bearer ${value}`
  }

  /** True when a challenge names scopes that were not asked for so far; they will be. */
  widen(target: AuthTarget, { parameters }: Challenge): boolean {
    const asked = parameters.get('scope')
    if (asked === undefined) return false
    const before = this.#scopes(target)
    const after = normalizeScopes([...before, asked])
    this.#wider.set(keyOf(target), after)
    return after.join(' ') !== before.join(' ')
  }

  /** Drops a token that was refused, unless another request has replaced it already. */
  forget(target: AuthTarget, header: string): void {
    const key = keyOf(target)
    if (header === `Bearer ${this.#tokens.get(key)?.value}`) this.#tokens.delete(key)
  }

  #scopes(target: AuthTarget): readonly string[] {
    return normalizeScopes([...target.scopes, ...(this.#wider.get(keyOf(target)) ?? [])])
  }

  async #get(target: AuthTarget, { parameters }: Challenge, options: AbortOptions): Promise<Token> {
    const credential = await this.#options.credential(target, options)
    if (credential && 'registryToken' in credential) return this.#given(target, credential)
    const realm = realmOf(parameters.get('realm') ?? '', target, credential)
    const service = parameters.get('service')
    const request = { realm, service, scopes: this.#scopes(target), credential, registry: target.name }
    const send = sendAsFrom(target, this.#options.send)
    const token = credential
      ? await this.#show(send, { ...request, credential }, options)
      : await fetchToken(send, request, { ...options, now: this.#options.now })
    this.#tokens.set(keyOf(target), token)
    return token
  }

  /** A token that somebody else got; it is looked for anew each time. */
  #given({ name, origin }: AuthTarget, credential: Credential & { readonly registryToken: string }): Token {
    const { registryToken: value, source = 'the credentials' } = credential
    if (isHeaderToken(value)) return { value, expiresAt: this.#options.now() }
    const text = `${name}: the registry token of ${source} has characters that no token has`
    throw new RegistryError('UNAUTHENTICATED', text, { method: 'GET', url: origin, status: 401 })
  }

  /** Shows a credential to a token server: one at a time until it is known to be right, and never over and over. */
  async #show(
    send: Send,
    request: TokenRequest & { readonly credential: TokenCredential },
    { signal }: AbortOptions,
  ): Promise<Token> {
    const { refusals, now } = this.#options
    const place = request.realm.href
    const secret = secretOf(request.credential)
    const ask = async (): Promise<Token> => {
      signal?.throwIfAborted()
      refuseToRepeat(request, refusals.waitMs(place, secret))
      try {
        const token = await fetchToken(
          send,
          { ...request, method: this.#methods.get(place) },
          { signal, now },
        )
        refusals.taken(place, secret)
        this.#methods.set(place, token.method)
        return token
      } catch (error) {
        if (error instanceof RegistryError && error.status === 401) refusals.refused(place, secret)
        throw error
      }
    }
    return refusals.isTaken(place, secret) ? ask() : this.#turns.run(place, ask)
  }
}

const keyOf = ({ origin, scopes }: AuthTarget): string =>
  JSON.stringify([origin.origin, ...normalizeScopes(scopes)])

/** What is secret in a credential, to be told apart by. */
const secretOf = (credential: TokenCredential): string =>
  'identityToken' in credential
    ? JSON.stringify([credential.identityToken])
    : JSON.stringify([credential.username, credential.password])

/** Fails when a credential was refused a moment ago. */
function refuseToRepeat({ realm, registry, credential }: TokenRequest, waitMs: number): void {
  if (waitMs === 0) return
  const again = `not shown again for ${Math.ceil(waitMs / 1000)} s, for accounts get locked by that`
  const text = `${unauthenticated(registry, credential)}; ${again}`
  throw new RegistryError('UNAUTHENTICATED', text, { method: 'GET', url: realm, status: 401 })
}
