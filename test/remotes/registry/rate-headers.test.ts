import test from 'ava'
import type { ResponseHeaders } from '../../../src/remotes/registry/http.ts'
import { type RateState, rateState } from '../../../src/remotes/registry/rate-headers.ts'

const now = 1_800_000_000_000
const nothing: RateState = { limit: undefined, windowMs: undefined, remaining: undefined, resetMs: undefined }

const reads = test.macro({
  exec(t, headers: ResponseHeaders, expected: Partial<RateState>) {
    t.deepEqual(rateState(headers, now), { ...nothing, ...expected })
  },
  title: (_, headers) => `rateState() of ${JSON.stringify(headers)}`,
})

test(reads, {}, {})
test(
  reads,
  { 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': '76;w=21600' },
  { limit: 100, windowMs: 21_600_000, remaining: 76 },
)
test(
  reads,
  { 'ratelimit-limit': '10', 'ratelimit-remaining': '0', 'ratelimit-reset': '50' },
  { limit: 10, remaining: 0, resetMs: 50_000 },
)
test(reads, { 'ratelimit-limit': '10, 50;w=60, 10;w=1' }, { limit: 10, windowMs: 1000 })
test(
  reads,
  { 'ratelimit-limit': '10, 10;w=1;comment="a", 50;w=60', 'ratelimit-remaining': '4' },
  { limit: 10, windowMs: 1000, remaining: 4 },
)
test(
  reads,
  { ratelimit: '"default";r=50;t=30', 'ratelimit-policy': '"default";q=100;w=60' },
  { limit: 100, windowMs: 60_000, remaining: 50, resetMs: 30_000 },
)
test(reads, { ratelimit: 'limit=100, remaining=5, reset=7' }, { limit: 100, remaining: 5, resetMs: 7000 })
test(
  reads,
  { 'x-ratelimit-limit': '5000', 'x-ratelimit-remaining': '4999', 'x-ratelimit-reset': '1800000090' },
  { limit: 5000, remaining: 4999, resetMs: 90_000 },
)
test(reads, { 'x-ratelimit-reset': '1700000000' }, { resetMs: 0 })
test(reads, { 'ratelimit-remaining': 'lots', 'ratelimit-reset': '-1', ratelimit: ';;,=' }, {})
test(reads, { 'ratelimit-limit': '9'.repeat(40), 'ratelimit-remaining': '1e3' }, {})
