import crypto, { X509Certificate } from 'node:crypto'
import fs from 'node:fs/promises'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { registryUser, type TokenAuth } from './docker-registry.ts'
import { testCertificate } from './tls.ts'
import { type Teardown, temporaryDirectory } from './tmp.ts'

/** One token that was asked for. */
export interface TokenAsked {
  readonly method: string
  /** `undefined` for nobody. */
  readonly user: string | undefined
  readonly grant: string | undefined
  readonly scopes: readonly string[]
  readonly status: number
}

/** A server that issues tokens which docker-registry takes. */
export interface TokenServer {
  /** For `startDockerRegistry`. */
  readonly auth: TokenAuth
  readonly asked: TokenAsked[]
}

/** How a token server behaves. */
export interface TokenServerOptions {
  /** False: it knows the GET of the token specification alone, and not OAuth's POST. Default: both. */
  readonly oauth?: boolean
}

/** Who a token server knows: `registryUser`, and this refresh token of theirs. */
export const refreshToken = 'a-refresh-token-of-keeper'

const service = 'orlop test registry'
const issuer = 'orlop test issuer'

/**
 * Starts a token server as the token specification of distribution has it, with OAuth's POST besides.
 *
 * Nobody may pull below `public/`; `registryUser` may do everything. Tokens are JWTs signed with ES256, whose key is
 * shown by the certificate in `x5c`.
 */
export async function startTokenServer(
  t: Teardown,
  { oauth = true }: TokenServerOptions = {},
): Promise<TokenServer> {
  const rootCertBundle = path.join(await temporaryDirectory(t), 'issuer.pem')
  await fs.writeFile(rootCertBundle, testCertificate.cert)
  const asked: TokenAsked[] = []
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const { status, body, ...rest } = answer(request, Buffer.concat(chunks).toString(), oauth)
    asked.push({ ...rest, status })
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const realm = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`
  return { auth: { realm, service, issuer, rootCertBundle }, asked }
}

function answer({ method = '', url = '', headers }: http.IncomingMessage, text: string, oauth: boolean) {
  const isPost = method === 'POST'
  const form = isPost ? new URLSearchParams(text) : new URL(url, 'http://x').searchParams
  const scopes = form.getAll('scope').flatMap(scope => scope.split(' '))
  const grant = form.get('grant_type') ?? undefined
  if (isPost && !oauth) return { method, user: undefined, grant, scopes, status: 405, body: {} }
  const user = isPost ? userOfForm(form) : userOfHeader(headers.authorization)
  const seen = { method, user: user || undefined, grant, scopes }
  if (user === '' || form.get('service') !== service)
    return { ...seen, status: 401, body: { errors: [{ code: 'UNAUTHORIZED', message: 'who is that?' }] } }
  const token = sign(user, scopes)
  const life = { expires_in: 300, issued_at: new Date().toISOString() }
  return { ...seen, status: 200, body: isPost ? { access_token: token, ...life } : { token, ...life } }
}

/** The user, `undefined` for nobody, `''` for one who is not who they say. */
function userOfHeader(authorization: string | undefined): string | undefined {
  if (authorization === undefined) return undefined
  const { name, password } = registryUser
  return authorization === `Basic ${btoa(`${name}:${password}`)}` ? name : ''
}

function userOfForm(form: URLSearchParams): string {
  const { name, password } = registryUser
  const isUser = form.get('username') === name && form.get('password') === password
  const isToken = form.get('grant_type') === 'refresh_token' && form.get('refresh_token') === refreshToken
  return (form.get('grant_type') === 'password' && isUser) || isToken ? name : ''
}

function sign(user: string | undefined, scopes: readonly string[]): string {
  const seconds = Math.floor(Date.now() / 1000)
  const x5c = [new X509Certificate(testCertificate.cert).raw.toString('base64')]
  const claims = {
    iss: issuer,
    sub: user ?? '',
    aud: service,
    exp: seconds + 300,
    nbf: seconds - 60,
    iat: seconds,
    jti: crypto.randomUUID(),
    access: scopes.map(scope => accessOf(scope, user)).filter(({ actions }) => actions.length > 0),
  }
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const text = `${part({ typ: 'JWT', alg: 'ES256', x5c })}.${part(claims)}`
  const key = { key: testCertificate.key, dsaEncoding: 'ieee-p1363' } as const
  return `${text}.${crypto.sign('sha256', Buffer.from(text), key).toString('base64url')}`
}

/** What of a scope somebody may do. */
function accessOf(scope: string, user: string | undefined) {
  const [, type = '', name = '', list = ''] = /^([^:]+):(.+):([^:]*)$/.exec(scope) ?? []
  const wanted = list.split(',').filter(Boolean)
  const allowed = user !== undefined ? wanted : name.startsWith('public/') ? ['pull'] : []
  return { type, name, actions: wanted.filter(action => allowed.includes(action)) }
}
