import test from 'ava'
import {
  redactHeaders,
  redactJson,
  redactRequestBody,
  redactUrl,
  secretsOf,
} from '../../../src/remotes/registry/redact.ts'

const base = new URL('https://a.test/v2/')

const urls = test.macro({
  exec: (t, url: string, expected: string) => t.is(redactUrl(new URL(url)), expected),
  title: (_, url) => `redactUrl() of ${url}`,
})

test(urls, 'https://user:hunter2@a.test:5000/v2/x#part', 'https://a.test:5000/v2/x')
test(urls, 'https://a.test/?ns=docker.io&n=5&last=x%20y', 'https://a.test/?ns=docker.io&n=5&last=x%20y')
test(
  urls,
  'https://a.test/?Signature=hunter2&Policy=hunter2',
  'https://a.test/?Signature=REDACTED&Policy=REDACTED',
)
test(
  urls,
  'https://a.test/?_state=hunter2&digest=sha256%3Aabc',
  'https://a.test/?_state=REDACTED&digest=sha256%3Aabc',
)

const headers = test.macro({
  exec: (t, name: string, value: string, expected: string) =>
    t.deepEqual(redactHeaders({ [name]: value }, base), { [name]: expected }),
  title: (_, name, value) => `redactHeaders() of ${name}: ${value}`,
})

test(headers, 'authorization', 'Basic aHVudGVyMg==', 'Basic REDACTED')
test(headers, 'Proxy-Authorization', 'Basic aHVudGVyMg==', 'Basic REDACTED')
test(headers, 'authorization', 'hunter2', 'REDACTED')
test(headers, 'cookie', 'a=hunter2', 'REDACTED')
test(headers, 'x-api-key', 'hunter2', 'REDACTED')
test(headers, 'x-request-id', 'abc', 'abc')
test(headers, 'ratelimit-remaining', '5;w=60', '5;w=60')
test(headers, 'location', '/x?token=hunter2', 'https://a.test/x?token=REDACTED')
test(headers, 'location', 'http://[', 'REDACTED')
test(
  headers,
  'link',
  '</v2/x?n=5&next_page=hunter2>; rel="next"',
  '<https://a.test/v2/x?n=5&next_page=REDACTED>; rel="next"',
)
test(headers, 'warning', '299 - "see https://b.test/?sig=hunter2"', '299 - "see https://b.test/?REDACTED"')

test('secretsOf() knows a password in each of its forms', t => {
  const authorization = `Basic ${Buffer.from('me:hunter2&co').toString('base64')}`
  const secrets = secretsOf({ method: 'GET', url: base, headers: { authorization, 'x-mine': 'sesame' } })
  for (const secret of ['hunter2&co', 'hunter2%26co', authorization.slice(6), 'sesame'])
    t.true(secrets.includes(secret), secret)
})

test('forms are told without secrets, other bodies by their size', t => {
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  const told = (body: string | Uint8Array, more = {}) =>
    redactRequestBody({ method: 'POST', url: base, body, headers: more })
  t.is(told('grant_type=password&password=hunter2', form), 'grant_type=password&password=REDACTED')
  t.is(told('hunter2'), '(7 bytes)')
  t.is(redactRequestBody({ method: 'GET', url: base }), undefined)
})

const documents = test.macro({
  exec: (t, text: string, expected: string | undefined) => t.is(redactJson(text, ['hunter2']), expected),
  title: (_, text) => `redactJson() of ${String(text).slice(0, 80)}`,
})

test(documents, '{"token":"x","expires_in":5}', '{"token":"REDACTED","expires_in":5}')
test(
  documents,
  '{"a":{"refresh_token":"x","Password":7}}',
  '{"a":{"refresh_token":"REDACTED","Password":"REDACTED"}}',
)
test(
  documents,
  '{"errors":[{"detail":"you sent hunter2 to https://a.test/?x=y"}]}',
  '{"errors":[{"detail":"you sent REDACTED to https://a.test/?REDACTED"}]}',
)
test(documents, '{"hunter2":1}', '{"REDACTED":1}')
test(documents, '{"tokens":["x",{"a":true}]}', '{"tokens":["REDACTED",{"a":"REDACTED"}]}')
test(documents, '{"token":null,"a":[1,false,null]}', '{"token":null,"a":[1,false,null]}')
test(documents, '['.repeat(60_000), undefined)
test(documents, 'hunter2', undefined)
test(documents, '<html>hunter2', undefined)
