import { inspect } from 'node:util'
import test from 'ava'
import { type ErrorCode, isOrlopError } from '../../../src/errors.ts'
import { clean, RegistryError, responseError, sanitizeUrl } from '../../../src/remotes/registry/error.ts'
import type { HttpResponse } from '../../../src/remotes/registry/http.ts'

const response = (
  status: number,
  body: string | Error = '',
  headers: HttpResponse['headers'] = {},
): HttpResponse => ({
  status,
  headers,
  method: 'GET',
  url: new URL('https://a.test/v2/b/manifests/c?X-Signature=hunter2'),
  crossed: false,
  encoded: false,
  body: {
    async dump() {},
    async *[Symbol.asyncIterator]() {
      if (body instanceof Error) throw body
      yield Buffer.from(body)
    },
  },
})

const context = { what: 'a.test/b:c', registry: 'a.test' }

const maps = test.macro({
  exec: async (t, status: number, code: ErrorCode) => {
    const error = await responseError(response(status), context)
    t.is(error.code, code)
    t.is(error.status, status)
    t.true(error.message.startsWith('a.test/b:c: '))
    t.true(error.message.includes(String(status)) || status === 404 || status === 410)
    t.true(isOrlopError(error))
  },
  title: (_, status, code) => `responseError() makes ${status} ${code}`,
})

test(maps, 400, 'INVALID_ARGUMENT')
test(maps, 401, 'UNAUTHENTICATED')
test(maps, 403, 'PERMISSION_DENIED')
test(maps, 404, 'NOT_FOUND')
test(maps, 405, 'UNIMPLEMENTED')
test(maps, 408, 'UNAVAILABLE')
test(maps, 409, 'FAILED_PRECONDITION')
test(maps, 410, 'NOT_FOUND')
test(maps, 412, 'FAILED_PRECONDITION')
test(maps, 413, 'RESOURCE_EXHAUSTED')
test(maps, 416, 'OUT_OF_RANGE')
test(maps, 418, 'UNKNOWN')
test(maps, 429, 'RESOURCE_EXHAUSTED')
test(maps, 451, 'PERMISSION_DENIED')
test(maps, 500, 'UNAVAILABLE')
test(maps, 501, 'UNIMPLEMENTED')
test(maps, 503, 'UNAVAILABLE')
test(maps, 507, 'RESOURCE_EXHAUSTED')
test(maps, 599, 'UNAVAILABLE')
test(maps, 302, 'UNKNOWN')

const says = test.macro({
  exec: async (t, body: string | Error, expected: RegExp, errors: readonly object[]) => {
    const error = await responseError(response(403, body), context)
    t.regex(error.message, expected)
    t.deepEqual(error.errors, errors)
  },
  title: title => `responseError() reads ${title}`,
})

test(
  "a registry's errors",
  says,
  '{"errors":[{"code":"DENIED","message":"no"},{"code":"X"}]}',
  /no \(DENIED\); X;/,
  [
    { code: 'DENIED', message: 'no' },
    { code: 'X', message: '' },
  ],
)
test('text', says, 'quota exceeded', /: quota exceeded$/, [])
test('no HTML', says, '<html>hunter2</html>', /^((?!hunter2).)*$/, [])
test('other JSON', says, '{"message":"no"}', /"message":"no"/, [])
test('errors of a wrong kind', says, '{"errors":[null,"x",{"code":5}]}', /UNKNOWN/, [
  { code: 'UNKNOWN', message: '' },
])
test('a body that cannot be read', says, new Error('torn'), /denies access \(403\); check/, [])
test('a body that is too long', says, `{"errors":[{"code":"${'x'.repeat(100_000)}"}]}`, /x…;/, [])
test(
  'no control characters',
  says,
  '{"errors":[{"code":"A\\u001b[31m","message":"b\\nc\\u0007"}]}',
  /b c \(A \[31m\)/,
  [{ code: 'A [31m', message: 'b c' }],
)

test('responseError() says of a refused write that the registry may be read-only', async t => {
  const body = '{"errors":[{"code":"UNSUPPORTED","message":"The operation is unsupported."}]}'
  const written = { ...response(405, body), method: 'POST' as const }
  t.regex(
    (await responseError(written, context)).message,
    /does not allow POST \(405\).*UNSUPPORTED.*read-only/,
  )
  t.notRegex((await responseError(response(405), context)).message, /read-only/)
})

test('RegistryError shows no value of a query, wherever one looks', async t => {
  const error = await responseError(response(500, 'Authorization: Bearer hunter2-token'), context)
  t.is(error.url, 'https://a.test/v2/b/manifests/c?X-Signature=REDACTED')
  t.false(inspect(error, { depth: 9, showHidden: true }).includes('hunter2'))
  t.is(error.name, 'RegistryError')
})

test('RegistryError keeps its cause', t => {
  const cause = new Error('below')
  const error = new RegistryError('UNAVAILABLE', 'no', {
    method: 'GET',
    url: new URL('https://a.test/'),
    cause,
  })
  t.is(error.cause, cause)
  t.is(error.status, undefined)
})

test('responseError() says when to try again', async t => {
  const error = await responseError(response(429, '', { 'retry-after': '90' }), context)
  t.regex(error.message, /try again in 90 s/)
  t.is(error.retryAfterMs, 90_000)
})

test('responseError() names the host that a redirect led to', async t => {
  const error = await responseError(
    { ...response(403), crossed: true, url: new URL('https://cdn.test/x') },
    context,
  )
  t.regex(error.message, /cdn\.test \(where a\.test redirected to\) denies access/)
})

test('sanitizeUrl() keeps names and hides values', t => {
  t.is(sanitizeUrl(new URL('https://u:p@a.test:1/b?c=d&c=e&f#g')), 'https://a.test:1/b?c=REDACTED&f=REDACTED')
  t.is(sanitizeUrl(new URL('https://a.test/b')), 'https://a.test/b')
})

test('clean() cuts what is long and hides what looks like credentials', t => {
  t.is(clean('x'.repeat(20), 5), 'xxxxx…')
  t.is(clean('Basic dXNlcjpwYXNz and bearer abc.def-ghi', 100), 'Basic REDACTED and bearer REDACTED')
})

for (const [header, text] of [
  ['100;w=21600', 'limits requests to 100 in 6 h (429)'],
  ['10;w=60', 'limits requests to 10 in 1 min (429)'],
  ['5;w=7', 'limits requests to 5 in 7 s (429)'],
  ['5', 'limits requests (429)'],
] as const)
  test(`responseError() tells the limit ${header}`, async t => {
    const { message } = await responseError(response(429, '', { 'ratelimit-limit': header }), context)
    t.true(message.includes(text), message)
  })
