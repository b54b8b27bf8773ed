import test from 'ava'
import type { HttpRequest, HttpResponse } from '../../../src/remotes/registry/http.ts'
import { followRedirects } from '../../../src/remotes/registry/redirect.ts'

/** A `send` that answers by a table of redirects, and what it was sent. */
function tableOf(redirects: Readonly<Record<string, string>>, status = 307) {
  const sent: HttpRequest[] = []
  const dumped: string[] = []
  const send = followRedirects(async (request): Promise<HttpResponse> => {
    sent.push(request)
    const { method, url } = request
    const location = redirects[url.href]
    const body = {
      async dump() {
        dumped.push(url.href)
      },
      async *[Symbol.asyncIterator]() {},
    }
    const headers = location === undefined ? {} : { location }
    return {
      status: location === undefined ? 200 : status,
      headers,
      method,
      url,
      crossed: false,
      encoded: false,
      body,
    }
  })
  return { send, sent, dumped }
}

const secret = { authorization: 'Bearer s', cookie: 'a=b', 'x-own': 'c', range: 'bytes=5-', accept: '*/*' }
const get = (url: string, method: HttpRequest['method'] = 'GET'): HttpRequest => ({
  method,
  url: new URL(url),
  headers: secret,
})

for (const status of [301, 302, 303, 307, 308]) {
  test(`followRedirects() follows ${status} and keeps the method`, async t => {
    const { send, sent } = tableOf({ 'https://a/x': '/y' }, status)
    const response = await send(get('https://a/x', 'HEAD'))
    t.is(response.url.href, 'https://a/y')
    t.false(response.crossed)
    t.deepEqual(sent[1]?.headers, secret)
    t.is(sent[1]?.method, 'HEAD')
  })
}

const crosses = test.macro({
  exec: async (t, to: string) => {
    const { send, sent, dumped } = tableOf({ 'https://a.test/x': to })
    const response = await send(get('https://a.test/x'))
    t.true(response.crossed)
    t.deepEqual(sent[1]?.headers, { range: 'bytes=5-', accept: '*/*' })
    t.deepEqual(dumped, ['https://a.test/x'])
  },
  title: (_, to) => `followRedirects() takes no secret from https://a.test to ${to}`,
})

test(crosses, 'https://b.test/x')
test(crosses, 'https://sub.a.test/x')
test(crosses, 'https://a.test:444/x')
test(crosses, 'https://a.test.evil.test/x')
test(crosses, '//b.test/x')

test('followRedirects() does not give secrets back to an origin it returns to', async t => {
  const { send, sent } = tableOf({ 'https://a/1': 'https://b/2', 'https://b/2': 'https://a/3' })
  t.true((await send(get('https://a/1'))).crossed)
  t.false('authorization' in (sent[2]?.headers ?? {}))
})

test('followRedirects() drops secrets on the way from http to https', async t => {
  const { send, sent } = tableOf({ 'http://a/1': 'https://a/1' })
  await send(get('http://a/1'))
  t.false('authorization' in (sent[1]?.headers ?? {}))
})

const refuses = test.macro({
  exec: async (t, to: string, message: RegExp) => {
    const { send, sent, dumped } = tableOf({ 'https://a/x': to })
    await t.throwsAsync(send(get('https://a/x')), { code: 'FAILED_PRECONDITION', message })
    t.is(sent.length, 1)
    t.is(dumped.length, 1)
  },
  title: (_, to) => `followRedirects() refuses to go to ${to}`,
})

test(refuses, 'http://a/x', /plain http/)
test(refuses, 'ftp://a/x', /ftp:/)
test(refuses, 'file:///etc/passwd', /file:/)
test(refuses, 'http://[', /no URL/)

test('followRedirects() lets a registry of plain http redirect to plain http', async t => {
  const { send } = tableOf({ 'http://a/x': 'http://b/x' })
  t.is((await send(get('http://a/x'))).url.href, 'http://b/x')
})

test('followRedirects() gives up after ten', async t => {
  const { send, sent, dumped } = tableOf({ 'https://a/x': 'https://a/x' })
  await t.throwsAsync(send(get('https://a/x')), { message: /more than 10 redirects/ })
  t.is(sent.length, 11)
  t.is(dumped.length, 11)
})

test('followRedirects() hands a redirected POST to its caller', async t => {
  const { send, sent } = tableOf({ 'https://a/x': 'https://b/x' })
  t.is((await send(get('https://a/x', 'POST'))).status, 307)
  t.is(sent.length, 1)
})

test('followRedirects() takes a redirect without Location as it is', async t => {
  const { send } = tableOf({})
  t.is((await send(get('https://a/x'))).status, 200)
})
