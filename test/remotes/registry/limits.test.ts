import test from 'ava'
import fc from 'fast-check'
import { responseError } from '../../../src/remotes/registry/error.ts'
import type { HttpResponse } from '../../../src/remotes/registry/http.ts'
import { fetchToken } from '../../../src/remotes/registry/token.ts'
import { responseOf, scripted } from '../../support/fake-registry.ts'

const url = new URL('https://a.test/v2/x')
const chunk = Buffer.alloc(16 * 1024, ' ')

/** A response whose body never ends, and how much of it was read. */
function endless(status: number) {
  const count = { bytes: 0, ended: false }
  const response: HttpResponse = {
    ...responseOf({ method: 'GET', url }, { status }),
    body: {
      async dump() {},
      async *[Symbol.asyncIterator]() {
        try {
          for (;;) {
            count.bytes += chunk.byteLength
            yield chunk
          }
        } finally {
          count.ended = true
        }
      },
    },
  }
  return { response, count }
}

for (const status of [400, 401, 404, 500]) {
  test(`CVE-2020-1702: no more than 64 KiB are read of an error ${status} without end`, async t => {
    const { response, count } = endless(status)
    await responseError(response, { what: 'x', registry: 'a.test' })
    t.true(count.bytes <= 64 * 1024 + chunk.byteLength, `${count.bytes} bytes`)
    t.true(count.ended, 'the rest is let go')
  })
}

test('CVE-2020-1702: no more than 1 MiB is read of a token without end', async t => {
  const { response, count } = endless(200)
  const request = { realm: url, service: undefined, scopes: [], credential: undefined, registry: 'a.test' }
  await t.throwsAsync(
    fetchToken(async () => response, request),
    { code: 'UNAUTHENTICATED' },
  )
  t.true(count.bytes <= 1024 * 1024 + chunk.byteLength, `${count.bytes} bytes`)
  t.true(count.ended, 'the rest is let go')
})

test('fetchToken() takes any JSON for an answer: a token of some life, or an error of ours', async t => {
  const text = fc.oneof(fc.constantFrom('t', '', 'a b', 'a\nb', 'hunter2\u0000'), fc.string())
  const life = fc.oneof(fc.integer(), fc.double(), fc.string(), fc.constant(null))
  const date = fc.oneof(
    fc.string(),
    fc.date({ noInvalidDate: true }).map(at => at.toISOString()),
    fc.integer(),
  )
  const answer = fc.oneof(
    fc.jsonValue(),
    fc.record({ token: text, access_token: text, expires_in: life, issued_at: date }, { requiredKeys: [] }),
  )
  await fc.assert(
    fc.asyncProperty(answer, async json => {
      const { send } = scripted(() => ({ body: JSON.stringify(json) }))
      const request = {
        realm: url,
        service: undefined,
        scopes: [],
        credential: undefined,
        registry: 'a.test',
      }
      try {
        const { value, expiresAt } = await fetchToken(send, request, { now: () => 0 })
        t.regex(value, /^[\x21-\x7e]+$/)
        t.true(expiresAt >= 50_000)
      } catch (error) {
        t.like(error, { name: 'RegistryError', code: 'UNAUTHENTICATED' })
        t.false(String(error).includes('hunter2'))
      }
    }),
  )
})
