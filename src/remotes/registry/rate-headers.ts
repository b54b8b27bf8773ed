import { headerValue, headerValues, type ResponseHeaders } from './http.ts'

/** What a response says of its host's limit; `undefined` is what it does not say. Times are milliseconds. */
export interface RateState {
  /** Requests that are allowed in `windowMs`. */
  readonly limit: number | undefined
  readonly windowMs: number | undefined
  /** Requests that are left. */
  readonly remaining: number | undefined
  /** Until there are more again. */
  readonly resetMs: number | undefined
}

/**
 * Reads the headers with which servers tell of their limits: `RateLimit-Limit`, `-Remaining` and `-Reset`, with or without
 * `X-` before them, Docker Hub's form `100;w=21600` among them, and the one header `RateLimit` of later drafts.
 *
 * Of several policies the one with the shortest window counts, for it is the one to be met next.
 *
 * @see draft-ietf-httpapi-ratelimit-headers 03, 07 and 10; docs.docker.com, Docker Hub usage and limits
 */
export function rateState(headers: ResponseHeaders, nowMs: number): RateState {
  const items = (name: string): readonly Item[] =>
    parseItems(headerValue(headers, `ratelimit-${name}`) ?? headerValue(headers, `x-ratelimit-${name}`) ?? '')
  const named = new Map(
    headerValues(headers, 'ratelimit')
      .flatMap(parseItems)
      .flatMap(({ parameters }) => [...parameters]),
  )
  const policies = headerValues(headers, 'ratelimit-policy').flatMap(parseItems)
  const policy = shortest([...policies, ...items('limit')])
  const [left] = items('remaining')
  const [reset] = items('reset')
  return {
    limit: policy?.parameters.get('q') ?? policy?.number ?? named.get('limit'),
    windowMs: milliseconds(policy?.parameters.get('w') ?? left?.parameters.get('w')),
    remaining: left?.number ?? named.get('r') ?? named.get('remaining'),
    resetMs: untilReset(reset?.number ?? named.get('t') ?? named.get('reset'), nowMs),
  }
}

interface Item {
  /** The item itself, where it is a number. */
  readonly number: number | undefined
  readonly parameters: ReadonlyMap<string, number>
}

/** `10, 100;w=60` and `"default";q=100;w=60` and `limit=100, reset=50`: what of it is numbers. */
const parseItems = (text: string): readonly Item[] =>
  text.split(',').map(item => {
    const parts = item.split(';').map(part => part.trim())
    const [number] = parts.filter(part => /^\d{1,12}$/.test(part)).map(Number)
    const pairs = parts.flatMap(part => {
      const [, name = '', digits] = /^([a-z]+)\s*=\s*(\d{1,12})$/i.exec(part) ?? []
      return digits === undefined ? [] : [[name.toLowerCase(), Number(digits)] as const]
    })
    return { number, parameters: new Map(pairs) }
  })

const shortest = (items: readonly Item[]): Item | undefined => {
  const windowOf = ({ parameters }: Item): number => parameters.get('w') ?? Number.POSITIVE_INFINITY
  return items
    .filter(({ number, parameters }) => number !== undefined || parameters.has('q'))
    .toSorted((a, b) => (windowOf(a) < windowOf(b) ? -1 : 1))[0]
}

const milliseconds = (seconds: number | undefined): number | undefined =>
  seconds === undefined ? undefined : seconds * 1000

/** Some servers send the time of the reset, in seconds since 1970, and some how many seconds there are until then. */
const untilReset = (seconds: number | undefined, nowMs: number): number | undefined =>
  seconds !== undefined && seconds > 1_000_000_000
    ? Math.max(0, seconds * 1000 - nowMs)
    : milliseconds(seconds)
