import { OrlopError } from '../errors.ts'
import { type Filter, parseFilters } from '../filters/filter.ts'
import { isObject, type JsonObject } from '../oci/json.ts'
import type { AbortOptions } from '../options.ts'
import { checkIdentifier, checkNamespace } from './labels.ts'
import { Subscription } from './subscription.ts'

/** An event with where and when it happened. */
export interface Envelope {
  readonly timestamp: Date
  readonly namespace: string
  /** `/images/create`: a path of identifiers, which says what kind of event it is. */
  readonly topic: string
  /** Plain data, named as containerd's messages name it: `{name, labels}`. */
  readonly event: JsonObject
}

/** Takes events; what stores need of an exchange. */
export interface Publisher {
  /**
   * Tells all subscribers; never waits for them.
   *
   * @throws FAILED_PRECONDITION  no namespace
   * @throws INVALID_ARGUMENT  a namespace that is no identifier, or a topic that is no path of identifiers
   */
  publish(event: Omit<Envelope, 'timestamp'>): void
}

/** Hands out events as they happen. */
export interface Subscriber {
  /**
   * The events from this call on, of all namespaces, that one of `filters` matches (none: all).
   *
   * Fields: `namespace`, `topic`, `event.<path>`. Listens when called, not when iterated. Ends without an error when
   * `signal` fires or the loop is left.
   *
   * @throws INVALID_ARGUMENT  a filter that cannot be read; thrown by the call itself
   * @throws RESOURCE_EXHAUSTED  while iterating: the reader was so slow that events were lost
   */
  subscribe(filters?: readonly string[], options?: AbortOptions): AsyncIterable<Envelope>
}

/** Options of an `Exchange`. */
export interface ExchangeOptions {
  /** Events that wait for one slow subscriber before it is cut off; default 10 000. */
  readonly queueLimit?: number | undefined
  readonly now?: (() => Date) | undefined
}

/**
 * Passes events from whoever publishes to whoever listens at that time; nothing is kept.
 *
 * Publish after the transaction has resolved, never inside it: an event tells of what is durable. Unlike containerd's, a
 * subscriber's queue is bounded, so that one that stopped reading cannot fill the memory.
 *
 * @see containerd core/events/exchange
 */
export class Exchange implements Publisher, Subscriber {
  readonly #subscriptions = new Map<Subscription<Envelope>, Filter>()
  readonly #queueLimit: number
  readonly #now: () => Date

  constructor({ queueLimit = 10_000, now = () => new Date() }: ExchangeOptions = {}) {
    this.#queueLimit = queueLimit
    this.#now = now
  }

  publish(event: Omit<Envelope, 'timestamp'>): void {
    this.forward({ ...event, timestamp: this.#now() })
  }

  /**
   * Passes on an event that happened elsewhere, with its own time.
   *
   * @throws FAILED_PRECONDITION  no namespace
   * @throws INVALID_ARGUMENT  as `publish`; or a timestamp that is none
   */
  forward({ timestamp, namespace, topic, event }: Envelope): void {
    checkNamespace(namespace)
    checkTopic(topic)
    if (Number.isNaN(timestamp.getTime())) {
      throw new OrlopError('INVALID_ARGUMENT', `event ${topic}: the timestamp is not a date`)
    }
    const envelope = Object.freeze({ timestamp, namespace, topic, event })
    for (const [subscription, wanted] of this.#subscriptions) {
      if (wanted(path => fieldOf(envelope, path))) subscription.push(envelope)
    }
  }

  subscribe(
    filters: readonly string[] = [],
    { signal }: AbortOptions = {},
  ): AsyncIterableIterator<Envelope, undefined> {
    const wanted = parseFilters(filters)
    const subscription = new Subscription<Envelope>(this.#queueLimit, () => {
      this.#subscriptions.delete(subscription)
      signal?.removeEventListener('abort', end)
    })
    const end = (): void => subscription.end()
    this.#subscriptions.set(subscription, wanted)
    signal?.addEventListener('abort', end)
    if (signal?.aborted) end()
    return subscription
  }
}

const checkTopic = (topic: string): void => {
  if (!topic.startsWith('/') || topic === '/') {
    throw new OrlopError(
      'INVALID_ARGUMENT',
      `topic ${JSON.stringify(topic.slice(0, 160))}: must be a path like "/images/create"`,
    )
  }
  for (const component of topic.slice(1).split('/')) checkIdentifier(`topic ${topic}: component`, component)
}

const fieldOf = (envelope: Envelope, [head, ...rest]: readonly string[]): string | undefined => {
  if (head === 'namespace' || head === 'topic') return envelope[head]
  return head === 'event' ? valueAt(envelope.event, rest) : undefined
}

/** A part of an event; keys with dots in them, as labels have, are found too. Empty text counts as absent. */
const valueAt = (value: unknown, path: readonly string[]): string | undefined => {
  if (path.length === 0) return textOf(value)
  if (!isObject(value)) return undefined
  const [head = '', ...rest] = path
  const whole = path.join('.')
  if (Object.hasOwn(value, whole)) return textOf(value[whole])
  return Object.hasOwn(value, head) ? valueAt(value[head], rest) : undefined
}

const textOf = (value: unknown): string | undefined =>
  (typeof value === 'string' && value !== '') || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : undefined
