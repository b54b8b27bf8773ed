import test from 'ava'
import type { Credential } from '../../../src/remotes/registry/credential.ts'
import { fetchToken, type TokenCredential, type TokenMethod } from '../../../src/remotes/registry/token.ts'
import { type Said, scripted } from '../../support/fake-registry.ts'

const realm = new URL('https://auth.test/token?fixed=1')
const user: TokenCredential = { username: 'u', password: 'p&=' }
const nowMs = Date.parse('2026-01-01T00:00:00Z')

const ask = async (said: Said, credential?: TokenCredential, method?: TokenMethod) => {
  const { sent, send } = scripted(() => said)
  const scopes = ['repository:a:pull', 'repository:b:pull']
  const request = { realm, service: 'the service', scopes, credential, registry: 'a.test', method }
  return { sent, token: await fetchToken(send, request, { now: () => nowMs }) }
}

test('fetchToken() by GET names service, scopes and account in the query', async t => {
  const { sent, token } = await ask({ body: '{"token":"t"}' }, user, 'GET')
  t.is(token.value, 't')
  t.is(token.method, 'GET')
  t.is(sent[0]?.method, 'GET')
  t.is(
    sent[0]?.url.href,
    'https://auth.test/token?fixed=1&account=u&service=the+service&scope=repository%3Aa%3Apull&scope=repository%3Ab%3Apull',
  )
  t.is(sent[0]?.headers?.authorization, `Basic ${btoa('u:p&=')}`)
})

test('fetchToken() by POST has all of it in a form', async t => {
  const { sent, token } = await ask({ body: '{"access_token":"t"}' }, user)
  t.is(token.method, 'POST')
  t.is(sent[0]?.url.href, realm.href)
  t.is(sent[0]?.headers?.authorization, undefined)
  t.deepEqual(Object.fromEntries(new URLSearchParams(String(sent[0]?.body))), {
    client_id: 'orlop',
    service: 'the service',
    scope: 'repository:a:pull repository:b:pull',
    grant_type: 'password',
    username: 'u',
    password: 'p&=',
  })
})

const tries = test.macro({
  exec: async (
    t,
    status: number,
    credential: Credential | undefined,
    method: TokenMethod | undefined,
    expected: string,
  ) => {
    const { sent, send } = scripted(request => (request.method === 'POST' ? { status } : { status: 401 }))
    const request = { realm, service: undefined, scopes: [], registry: 'a.test', method }
    const asked = fetchToken(send, { ...request, credential: credential as TokenCredential })
    await t.throwsAsync(asked, { name: 'RegistryError' })
    t.is(sent.map(({ method }) => method).join(' '), expected)
  },
  title: (_, status, credential, method, expected) =>
    `fetchToken() with ${Object.keys(credential ?? { nothing: 1 })[0]}${method ? ` where ${method} has worked` : ''}, POST answered ${status}: ${expected}`,
})

for (const status of [400, 401, 403, 404, 405, 415, 501]) test(tries, status, user, undefined, 'POST GET')
for (const status of [408, 429, 500, 503]) test(tries, status, user, undefined, 'POST')
for (const status of [400, 401, 404, 405]) test(tries, status, { identityToken: 'i' }, undefined, 'POST')
test(tries, 401, user, 'POST', 'POST')
test(tries, 401, user, 'GET', 'GET')
test(tries, 405, { identityToken: 'i' }, 'GET', 'POST')
test(tries, 200, undefined, undefined, 'GET')

const lives = test.macro({
  exec: async (t, answer: object, date: string | undefined, seconds: number) => {
    const headers = { ...(date !== undefined && { date }) }
    const { token } = await ask({ headers, body: JSON.stringify({ token: 't', ...answer }) })
    t.is((token.expiresAt - nowMs) / 1000, seconds)
  },
  title: (_, answer, date, seconds) =>
    `a token of ${JSON.stringify(answer)}${date === undefined ? '' : ` at ${date}`} is used for ${seconds} s`,
})

// Ten seconds less than it lives: clocks differ, and requests take time.
test(lives, {}, undefined, 50)
test(lives, { expires_in: 300 }, undefined, 290)
test(lives, { expires_in: 61 }, undefined, 51)
test(lives, { expires_in: 10 }, undefined, 50)
test(lives, { expires_in: 0 }, undefined, 50)
test(lives, { expires_in: -5 }, undefined, 50)
test(lives, { expires_in: '300' }, undefined, 50)
test(lives, { expires_in: null }, undefined, 50)
test(lives, { expires_in: 300, issued_at: '2025-12-31T23:58:00Z' }, undefined, 170)
test(lives, { expires_in: 300, issued_at: '2025-12-31T23:58:00.123456789Z' }, undefined, 170.123)
test(lives, { expires_in: 300, issued_at: '2025-12-31T20:00:00Z' }, undefined, 50)
test(lives, { expires_in: 300, issued_at: '2026-01-01T01:00:00Z' }, undefined, 290)
test(lives, { expires_in: 300, issued_at: 'yesterday' }, undefined, 290)
test(lives, { expires_in: 300, issued_at: 17 }, undefined, 290)
// The server's clock is an hour behind ours, and an hour ahead: only its own dates are compared.
test(lives, { expires_in: 300, issued_at: '2025-12-31T22:59:00Z' }, 'Wed, 31 Dec 2025 23:00:00 GMT', 230)
test(lives, { expires_in: 300, issued_at: '2026-01-01T01:00:00Z' }, 'Thu, 01 Jan 2026 01:00:00 GMT', 290)
test(lives, { expires_in: 300, issued_at: '2025-12-31T23:58:00Z' }, 'no date', 290)

const refuses = test.macro<[string]>({
  exec: async (t, body: string) => {
    const error = await t.throwsAsync(ask({ body }, user), {
      code: 'UNAUTHENTICATED',
      message: /auth\.test answered without a token/,
    })
    t.false(error?.message.includes('hunter2'))
  },
  title: (_, body) => `fetchToken() refuses the answer ${body.slice(0, 40)}`,
})

test(refuses, '')
test(refuses, '{}')
test(refuses, '[]')
test(refuses, '"hunter2"')
test(refuses, 'hunter2')
test(refuses, '{"token":""}')
test(refuses, '{"token":17}')
test(refuses, '{"token":"hunter2\\r\\nx: y"}')
test(refuses, '{"token":"hunter2 and more"}')
