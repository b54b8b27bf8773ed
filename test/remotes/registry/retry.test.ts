import test from 'ava'
import { OrlopError } from '../../../src/errors.ts'
import { RegistryError, retryAfter } from '../../../src/remotes/registry/error.ts'
import {
  defaultRetryPolicy,
  nextDelay,
  type Patience,
  patienceOf,
  type RetryPolicy,
  retry,
} from '../../../src/remotes/registry/retry.ts'

const url = new URL('https://registry.test/v2/')
const answered = (status: number, retryAfterMs?: number) =>
  new RegistryError('UNAVAILABLE', 'no', { method: 'GET', url, status, retryAfterMs })
const broken = (code: string) =>
  new RegistryError('UNAVAILABLE', 'no', {
    method: 'GET',
    url,
    cause: Object.assign(new Error('no'), { code }),
  })

const policy: RetryPolicy = { ...defaultRetryPolicy, random: () => 1, sleep: async () => {} }

const decides = test.macro({
  exec(t, error: unknown, expected: Patience) {
    t.is(patienceOf(error), expected)
  },
  title: (title, error, expected) =>
    `patienceOf() ${title || (error instanceof RegistryError ? `${error.status}` : String(error))} is ${expected}`,
})

for (const status of [408, 429, 500, 502, 503, 504]) test(decides, answered(status), 'long')
for (const status of [200, 206, 301, 400, 401, 403, 404, 405, 409, 410, 416, 418, 451, 501, 505])
  test(decides, answered(status), 'none')
for (const code of ['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH'])
  test(code, decides, broken(code), 'short')
for (const code of [
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EAI_AGAIN',
  'UND_ERR_SOCKET',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_CONNECT_TIMEOUT',
])
  test(code, decides, broken(code), 'long')
for (const code of ['DEPTH_ZERO_SELF_SIGNED_CERT', 'CERT_HAS_EXPIRED', 'HPE_INVALID_CONSTANT', ''])
  test(`cause ${code}`, decides, broken(code), 'none')
test(decides, new OrlopError('UNAVAILABLE', 'of others'), 'none')
test(decides, new TypeError('a mistake of ours'), 'none')
test(decides, undefined, 'none')

const waits = test.macro({
  exec(t, error: unknown, tries: number, expected: number | undefined) {
    t.is(nextDelay(error, tries, policy), expected)
  },
  title: title => `nextDelay() ${title}`,
})

test('starts at half a second', waits, answered(503), 1, 500)
test('doubles', waits, answered(503), 3, 2000)
test('stops after five tries', waits, answered(503), 5, undefined)
test('stops after three when refused', waits, broken('ECONNREFUSED'), 3, undefined)
test('waits as long as the server asks', waits, answered(429, 7000), 1, 7000)
test('does not wait less than its own time', waits, answered(429, 0), 2, 1000)
test('gives up when the server asks for too much', waits, answered(429, 121_000), 1, undefined)
test('never repeats what is refused for good', waits, answered(404), 1, undefined)

test('nextDelay() keeps at least half of the time, whatever chance says', t => {
  t.is(nextDelay(answered(500), 1, { ...policy, random: () => 0 }), 250)
})

test('nextDelay() is never longer than maxDelayMs', t => {
  t.is(nextDelay(answered(500), 90, { ...policy, attempts: 100 }), 30_000)
})

test('retry() gives the first success, and tells of each wait', async t => {
  const told: Array<readonly [number, number]> = []
  let tries = 0
  const result = await retry(
    async () => {
      if (++tries < 3) throw answered(502)
      return tries
    },
    policy,
    { onRetry: ({ attempt, delayMs }) => told.push([attempt, delayMs]) },
  )
  t.is(result, 3)
  t.deepEqual(told, [
    [1, 500],
    [2, 1000],
  ])
})

test('retry() throws the last failure when its patience is used up', async t => {
  let tries = 0
  const error = await t.throwsAsync(
    retry(async () => {
      tries++
      throw answered(503)
    }, policy),
    { code: 'UNAVAILABLE' },
  )
  t.true(error instanceof RegistryError)
  t.is(tries, 5)
})

test('retry() is stopped in its wait by the signal, with its reason', async t => {
  const stop = new AbortController()
  const reason = new Error('enough')
  const waiting = retry(
    async () => {
      throw answered(503)
    },
    { ...defaultRetryPolicy, baseMs: 3_600_000, maxDelayMs: 3_600_000 },
    { signal: stop.signal, onRetry: () => setImmediate(() => stop.abort(reason)) },
  )
  t.is(await t.throwsAsync(waiting), reason)
})

test('retry() throws the reason of a signal that fired during the attempt', async t => {
  const stop = new AbortController()
  const reason = new Error('enough')
  const attempt = async () => {
    stop.abort(reason)
    throw answered(503)
  }
  t.is(await t.throwsAsync(retry(attempt, policy, { signal: stop.signal })), reason)
})

const asks = test.macro({
  exec(t, value: string | undefined, expected: number | undefined) {
    t.is(retryAfter(value, Date.parse('2026-01-01T00:00:00Z')), expected)
  },
  title: (_, value) => `retryAfter() reads ${JSON.stringify(value)}`,
})

test(asks, undefined, undefined)
test(asks, '', undefined)
test(asks, '0', 0)
test(asks, ' 120 ', 120_000)
test(asks, 'Thu, 01 Jan 2026 00:01:00 GMT', 60_000)
test(asks, 'Wed, 31 Dec 2025 00:00:00 GMT', 0)
test(asks, '-5', undefined)
test(asks, '1.5', undefined)
test(asks, 'soon', undefined)
test(asks, '99999999999999', undefined)
