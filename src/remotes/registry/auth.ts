import { hasCode } from '../../errors.ts'
import type { AbortOptions } from '../../options.ts'
import { type AuthTarget, ownerOf } from './auth-target.ts'
import { BoundedMap } from './bounded-map.ts'
import { type Challenge, parseChallenges } from './challenge.ts'
import { type Credential, type Credentials, canonicalHost } from './credential.ts'
import { RegistryError, type Shown } from './error.ts'
import { type HttpResponse, headerValues, type Send } from './http.ts'
import { Refusals } from './refusals.ts'
import { repositoryOf } from './scope.ts'
import { SingleFlight } from './single-flight.ts'
import { basicHeader } from './token.ts'
import { TokenSource } from './token-source.ts'

/** Options of `Authorizer`. */
export interface AuthorizerOptions {
  readonly send: Send
  readonly credentials: Credentials
  /** Milliseconds since 1970. */
  readonly now?: (() => number) | undefined
}

/** Challenges and the like remembered at most. */
const maxRemembered = 2048

/**
 * Finds the Authorization header for requests to registries, and learns from their challenges.
 *
 * Each origin's challenge is remembered, so that only the first request is refused. A credential goes to the origin that
 * it belongs to and to the token server that this origin names (see `realmOf`); one that was refused, and never taken,
 * is not shown again for a minute. Nobody learns more of a failed fetch of a token than those who waited for it.
 */
export class Authorizer {
  readonly #credentials: Credentials
  readonly #refusals: Refusals
  readonly #tokens: TokenSource
  /** The last challenge of each origin, and whose request it answered. */
  readonly #challenges = new BoundedMap<string, { readonly challenge: Challenge; readonly owner: string }>(
    maxRemembered,
  )
  /** Headers of Basic by origin and whose they are. */
  readonly #basics = new BoundedMap<string, string>(maxRemembered)
  readonly #shown = new BoundedMap<string, Shown | undefined>(maxRemembered)
  readonly #lookups = new SingleFlight<Credential | undefined>()

  constructor({ send, credentials, now = Date.now }: AuthorizerOptions) {
    this.#credentials = credentials
    this.#refusals = new Refusals(now)
    this.#tokens = new TokenSource({
      send,
      credential: (target, options) => this.#credential(target, options),
      refusals: this.#refusals,
      now,
    })
  }

  /**
   * The header for a request; `undefined` before the first challenge, and when there is nothing to show.
   *
   * Some registries name another token server for each of their parts. So a failure that came of the challenge of
   * another repository does not count: the request goes out as it is, and gets a challenge of its own.
   *
   * @throws UNAUTHENTICATED  the token server refuses, or must not be trusted with a credential
   */
  async authorization(target: AuthTarget, { signal }: AbortOptions = {}): Promise<string | undefined> {
    const known = this.#challenges.get(target.origin.origin)
    if (!known) return undefined
    const { challenge, owner } = known
    try {
      if (challenge.scheme === 'basic') return await this.#basic(target, { signal })
      return await this.#tokens.header(target, challenge, { signal })
    } catch (error) {
      if (owner === ownerOf(target) || !hasCode(error, 'UNAUTHENTICATED')) throw error
      return undefined
    }
  }

  /**
   * Learns from a 401 what `authorization` will need.
   *
   * @param used  the header that the refused request carried
   * @param fresh  true when that header was made for this very request
   * @returns true when the request should be sent again
   */
  challenged(target: AuthTarget, response: HttpResponse, used: string | undefined, fresh: boolean): boolean {
    if (used !== undefined) this.#refused(target, used)
    const challenges = parseChallenges(headerValues(response.headers, 'www-authenticate'))
    const challenge =
      challenges.find(({ scheme, parameters }) => scheme === 'bearer' && parameters.has('realm')) ??
      challenges.find(({ scheme }) => scheme === 'basic')
    if (!challenge) return false
    const { origin } = target.origin
    const known = this.#challenges.get(origin)?.challenge
    this.#challenges.set(origin, { challenge, owner: ownerOf(target) })
    const widened = this.#tokens.widen(target, challenge)
    // What was not made for this request may have been replaced since, or can be.
    return known?.scheme !== challenge.scheme || widened || used === undefined || !fresh
  }

  /** Notes that a request which carried this header was not refused. */
  accepted({ origin }: AuthTarget, used: string): void {
    if (used.startsWith('Basic ')) this.#refusals.taken(origin.origin, used)
  }

  /** What was found when a credential was last looked for; `undefined` for none, or when that was never. */
  shown(target: AuthTarget): Shown | undefined {
    return this.#shown.get(ownerOf(target))
  }

  /** The credential for a target; those who need it at the same time share the search. */
  async #credential(target: AuthTarget, { signal }: AbortOptions): Promise<Credential | undefined> {
    const owner = ownerOf(target)
    const host = canonicalHost(target.address) === 'docker.io' ? 'docker.io' : target.address
    const repository = repositoryOf(target.scopes)
    const find = (options: AbortOptions) => this.#credentials(host, { repository, ...options })
    const credential = await this.#lookups.run(owner, find, { signal })
    this.#shown.set(owner, credential && { source: credential.source })
    return credential
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
    this.#basics.set(key, header)
    return header
  }

  /** Drops what was refused, unless another request has replaced it already. */
  #refused(target: AuthTarget, used: string): void {
    this.#tokens.forget(target, used)
    if (!used.startsWith('Basic ')) return
    this.#refusals.refused(target.origin.origin, used)
    const key = basicKeyOf(target)
    if (used === this.#basics.get(key)) this.#basics.delete(key)
  }
}

const basicKeyOf = (target: AuthTarget): string => `${target.origin.origin} ${ownerOf(target)}`

function notForBasic({ name, origin }: AuthTarget, { source }: Credential): RegistryError {
  const found = source === undefined ? 'there is' : `${source} has`
  const text = `${name} wants a user and a password, and ${found} only a token; log in again with "orlop login ${name}"`
  return new RegistryError('UNAUTHENTICATED', text, { method: 'GET', url: origin, status: 401 })
}
