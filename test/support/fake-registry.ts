import { Authorizer } from '../../src/remotes/registry/auth.ts'
import type { AuthTarget } from '../../src/remotes/registry/auth-target.ts'
import type { Credentials } from '../../src/remotes/registry/credential.ts'
import type { HttpRequest, HttpResponse, Send } from '../../src/remotes/registry/http.ts'

/** What a scripted server says to one request. */
export interface Said {
  readonly status?: number
  readonly headers?: HttpResponse['headers']
  readonly body?: string
}

/** A response without a connection. */
export const responseOf = (
  { method, url }: Pick<HttpRequest, 'method' | 'url'>,
  { status = 200, headers = {}, body = '' }: Said,
): HttpResponse => ({
  status,
  headers,
  method,
  url,
  crossed: false,
  encoded: false,
  body: {
    async dump() {},
    async *[Symbol.asyncIterator]() {
      yield Buffer.from(body)
    },
  },
})

/** A way to send that reaches a function instead of a network, and remembers what was sent. */
export function scripted(answer: (request: HttpRequest) => Said) {
  const sent: HttpRequest[] = []
  const send: Send = async request => {
    sent.push(request)
    return responseOf(request, answer(request))
  }
  return { sent, send }
}

/** An `Authorizer` over a scripted token server, at a time of its own. */
export function authorizerOver(
  answer: (request: HttpRequest) => Said,
  credentials: Credentials = async () => undefined,
) {
  const clock = { now: 1_000_000_000 }
  const { sent, send } = scripted(answer)
  const authorizer = new Authorizer({ send, credentials, now: () => clock.now })
  /** Tells the authorizer of a 401 with this challenge. */
  const challenge = (target: AuthTarget, header: string, used?: string): boolean => {
    const refusal = { status: 401, headers: { 'www-authenticate': header } }
    return authorizer.challenged(
      target,
      responseOf({ method: 'GET', url: target.origin }, refusal),
      used,
      false,
    )
  }
  return { authorizer, sent, clock, challenge }
}

/** What asks: a repository of a registry that goes by its address. */
export const targetAt = (url: string, repository?: string, ...actions: readonly string[]): AuthTarget => {
  const origin = new URL(url)
  const scopes = repository === undefined ? [] : [`repository:${repository}:${actions.join(',') || 'pull'}`]
  return { name: origin.host, address: origin.host, origin, scopes }
}
