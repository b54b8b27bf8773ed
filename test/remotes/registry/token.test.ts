import test from 'ava'
import { Authorizer } from '../../../src/remotes/registry/auth.ts'
import type { HttpRequest, HttpResponse, Send } from '../../../src/remotes/registry/http.ts'

const credential = { username: 'u', password: 'hunter2' }

function world(realm: string) {
  const sent: HttpRequest[] = []
  const body = (text: string) => ({
    async dump() {},
    async *[Symbol.asyncIterator]() {
      yield Buffer.from(text)
    },
  })
  const response = (
    request: HttpRequest,
    status: number,
    headers: HttpResponse['headers'],
    text: string,
  ): HttpResponse => ({
    status,
    headers,
    method: request.method,
    url: request.url,
    crossed: false,
    encoded: false,
    body: body(text),
  })
  const send: Send = async request => {
    sent.push(request)
    return response(request, 200, {}, '{"token":"t"}')
  }
  const challenged = (url: string) =>
    response({ method: 'GET', url: new URL(url) }, 401, { 'www-authenticate': `Bearer realm="${realm}"` }, '')
  return { sent, send, challenged }
}

const goes = test.macro({
  exec: async (t, registry: string, realm: string, allowed: boolean) => {
    const { sent, send, challenged } = world(realm)
    const authorizer = new Authorizer({ send, credentials: async () => credential })
    const target = { name: 'a.test', origin: new URL(registry), scopes: ['repository:a:pull'] }
    t.true(authorizer.challenged(target, challenged(registry), undefined, false))
    if (allowed) t.is(await authorizer.authorization(target), 'Bearer t')
    else
      await t.throwsAsync(authorizer.authorization(target), {
        code: 'UNAUTHENTICATED',
        message: /plain http/,
      })
    t.is(sent.length, allowed ? 1 : 0)
  },
  title: (_, registry, realm, allowed) =>
    `credentials for ${registry} ${allowed ? 'go' : 'do not go'} to ${realm}`,
})

test(goes, 'https://a.test/', 'https://a.test/token', true)
test(goes, 'https://a.test/', 'https://auth.test/token', true)
test(goes, 'https://a.test/', 'http://a.test/token', false)
test(goes, 'https://a.test/', 'http://auth.test/token', false)
test(goes, 'http://a.test/', 'http://a.test/token', true)
test(goes, 'http://a.test/', 'https://auth.test/token', true)

test('without credentials a token may come over plain http', async t => {
  const { send, challenged } = world('http://auth.test/token')
  const authorizer = new Authorizer({ send, credentials: async () => undefined })
  const target = { name: 'a.test', origin: new URL('https://a.test/'), scopes: [] }
  authorizer.challenged(target, challenged('https://a.test/'), undefined, false)
  t.is(await authorizer.authorization(target), 'Bearer t')
})

test('an Authorizer shows nothing before it was asked', async t => {
  const { send, sent } = world('https://a.test/token')
  const authorizer = new Authorizer({ send, credentials: async () => credential })
  const target = { name: 'a.test', origin: new URL('https://a.test/'), scopes: [] }
  t.is(await authorizer.authorization(target), undefined)
  t.is(authorizer.shown('a.test'), undefined)
  t.deepEqual(sent, [])
})

test('what one origin has taught is not used for another', async t => {
  const { send, challenged } = world('https://a.test/token')
  const authorizer = new Authorizer({ send, credentials: async () => credential })
  const target = { name: 'a.test', origin: new URL('https://a.test/'), scopes: [] }
  authorizer.challenged(target, challenged('https://a.test/'), undefined, false)
  t.is(await authorizer.authorization({ ...target, origin: new URL('https://a.test:444/') }), undefined)
  t.is(await authorizer.authorization({ ...target, origin: new URL('http://a.test/') }), undefined)
})
