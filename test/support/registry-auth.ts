import type http from 'node:http'
import { type Answer, json } from './registry-answer.ts'

/** How a registry lets people in. */
export interface RegistryAuth {
  readonly type: 'basic' | 'bearer'
  /** Who may come; for `bearer` without it, everybody gets a token. */
  readonly username?: string
  readonly password?: string
  /** An identity token that is taken in place of a password. */
  readonly identityToken?: string
  /** A token that is let in as it is, and that nobody issues. */
  readonly registryToken?: string
  /** Where tokens are said to be issued; default: `/token` of the registry. */
  readonly realm?: string
  /** The status with which OAuth's POST is turned down; absent: it works. */
  readonly refusePost?: number
  /** What the token's answer says of its life, in seconds; absent: nothing. */
  readonly expiresIn?: number
}

/** Issues and checks tokens, and checks passwords. */
export class TokenDesk {
  readonly #realm: string
  readonly #auth: RegistryAuth | undefined
  readonly #valid = new Map<string, string>()
  #count = 0

  constructor(base: string, auth: RegistryAuth | undefined) {
    this.#auth = auth
    this.#realm = auth?.realm ?? `${base}/token`
  }

  /** Makes every token that was issued so far worthless. */
  revoke(): void {
    this.#valid.clear()
  }

  /** The Authorization header of the right user. */
  get basic(): string {
    return `Basic ${Buffer.from(`${this.#auth?.username}:${this.#auth?.password}`).toString('base64')}`
  }

  /** A 401 for requests that must not pass. */
  refuse({ headers: { authorization = '' }, url = '' }: http.IncomingMessage): Answer | undefined {
    if (!this.#auth) return undefined
    if (this.#auth.type === 'basic')
      return authorization === this.basic ? undefined : denied('Basic realm="a, quoted \\"realm\\""')
    const repository = /^\/v2\/(.+)\/(?:manifests|blobs|tags|referrers)\//.exec(url)?.[1]
    const catalog = url.startsWith('/v2/_catalog') ? 'registry:catalog:*' : undefined
    const scope = repository === undefined ? catalog : `repository:${repository}:pull`
    if (this.#auth.registryToken !== undefined && authorization === `Bearer ${this.#auth.registryToken}`)
      return undefined
    const granted = this.#valid.get(authorization.replace(/^Bearer /, ''))?.split(' ')
    if (granted && (scope === undefined || granted.includes(scope))) return undefined
    const wanted = scope === undefined ? '' : `,scope="${scope}"`
    return denied(`Bearer realm="${this.#realm}",service="test, service"${wanted}`)
  }

  /** The token server's answer. */
  issue(request: http.IncomingMessage, body: string): Answer {
    const isPost = request.method === 'POST'
    const form = isPost ? new URLSearchParams(body) : new URL(request.url ?? '', 'http://x').searchParams
    if (isPost && this.#auth?.refusePost !== undefined)
      return json(this.#auth.refusePost, { error: 'unsupported', error_description: body })
    // The description repeats what was sent, as no server should.
    if (!this.#knows(request, form))
      return json(401, { error: 'invalid_grant', details: `${body} ${request.headers.authorization}` })
    const value = `token-${++this.#count}-secret`
    this.#valid.set(value, form.getAll('scope').join(' '))
    const life = this.#auth?.expiresIn === undefined ? {} : { expires_in: this.#auth.expiresIn }
    return json(200, isPost ? { access_token: value, ...life } : { token: value, ...life })
  }

  #knows({ method, headers }: http.IncomingMessage, form: URLSearchParams): boolean {
    const { username, password, identityToken } = this.#auth ?? {}
    if (username === undefined && identityToken === undefined) return true
    if (method !== 'POST') return headers.authorization === this.basic
    if (form.get('grant_type') === 'refresh_token') return form.get('refresh_token') === identityToken
    return form.get('username') === username && form.get('password') === password
  }
}

const denied = (challenge: string): Answer =>
  json(
    401,
    { errors: [{ code: 'UNAUTHORIZED', message: 'authentication required' }] },
    { 'www-authenticate': challenge },
  )
