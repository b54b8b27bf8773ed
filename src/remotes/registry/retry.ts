import { setTimeout as delay } from 'node:timers/promises'
import type { AbortOptions } from '../../options.ts'
import { RegistryError } from './error.ts'

/** How often and how long to try. Times are milliseconds. */
export interface RetryPolicy {
  /** Tries of a request in all, when the server is busy or a connection breaks. */
  readonly attempts: number
  /** Tries in all, when the host is unknown or refuses connections. */
  readonly quickAttempts: number
  /** The first wait; it doubles from there. */
  readonly baseMs: number
  /** The longest wait of our own choosing. */
  readonly maxDelayMs: number
  /** The longest wait a server may ask for; one that asks for more is not asked again. */
  readonly maxRetryAfterMs: number
  /** From 0 to 1; spreads the waits of many clients. */
  readonly random: () => number
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Waits. Rejects when `signal` fires. */
  readonly sleep: (ms: number, options: AbortOptions) => Promise<void>
}

/** The policy that is used where none is given. */
export const defaultRetryPolicy: RetryPolicy = {
  attempts: 5,
  quickAttempts: 3,
  baseMs: 500,
  maxDelayMs: 30_000,
  maxRetryAfterMs: 120_000,
  random: Math.random,
  now: Date.now,
  sleep: (ms, { signal }) => delay(ms, undefined, signal ? { signal } : {}),
}

/** Told before each wait. */
export interface RetryNotice {
  /** The attempt that failed, from 1. */
  readonly attempt: number
  readonly delayMs: number
  readonly error: RegistryError
}

/** Options of `retry`. */
export interface RetryOptions extends AbortOptions {
  readonly onRetry?: ((notice: RetryNotice) => void) | undefined
}

/** How long a failure is worth insisting: not at all, a few quick tries, or all of them. */
export type Patience = 'none' | 'short' | 'long'

/** Runs `attempt` until it succeeds, fails for good, or the policy's patience is used up; then throws the last error. */
export async function retry<T>(
  attempt: () => Promise<T>,
  policy: RetryPolicy,
  { signal, onRetry }: RetryOptions = {},
): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt()
    } catch (error) {
      signal?.throwIfAborted()
      const delayMs = nextDelay(error, tries, policy)
      if (delayMs === undefined || !(error instanceof RegistryError)) throw error
      onRetry?.({ attempt: tries, delayMs, error })
      await pause(delayMs, policy, { signal })
    }
  }
}

/** Waits as the policy has it; rejects with `signal.reason` when aborted. */
export async function pause(ms: number, policy: RetryPolicy, { signal }: AbortOptions): Promise<void> {
  try {
    await policy.sleep(ms, { signal })
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  }
}

/** The wait before another try after `tries` of them, in milliseconds; `undefined` when there should be none. */
export function nextDelay(error: unknown, tries: number, policy: RetryPolicy): number | undefined {
  const patience = patienceOf(error)
  if (patience === 'none') return undefined
  if (tries >= (patience === 'short' ? policy.quickAttempts : policy.attempts)) return undefined
  const asked = error instanceof RegistryError ? error.retryAfterMs : undefined
  if (asked !== undefined && asked > policy.maxRetryAfterMs) return undefined
  return Math.max(asked ?? 0, backOff(tries, policy))
}

/** The exponential part: half of it fixed, half of it chance. */
export const backOff = (tries: number, { baseMs, maxDelayMs, random }: RetryPolicy): number =>
  Math.round(Math.min(maxDelayMs, baseMs * 2 ** (tries - 1)) * (0.5 + random() / 2))

const busy: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504])

const unreachable: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
])

const broken: ReadonlySet<string> = new Set([
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EAI_AGAIN',
  'ENETDOWN',
  'UND_ERR_SOCKET',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
  'ORLOP_STALLED',
])

/** How long a failure is worth insisting. Statuses decide where there is one, else what broke the connection. */
export function patienceOf(error: unknown): Patience {
  if (!(error instanceof RegistryError)) return 'none'
  if (error.status !== undefined) return busy.has(error.status) ? 'long' : 'none'
  const code = causeCode(error)
  if (unreachable.has(code)) return 'short'
  return broken.has(code) ? 'long' : 'none'
}

/** The `code` of what lay beneath a transport error; `''` when it has none. */
export function causeCode({ cause }: Error): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : ''
}
