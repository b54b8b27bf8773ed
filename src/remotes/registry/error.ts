import { type ErrorCode, OrlopError } from '../../errors.ts'
import { isObject } from '../../oci/json.ts'
import { type HttpRequest, type HttpResponse, headerValue, readUpTo } from './http.ts'
import { rateState } from './rate-headers.ts'

/** One entry of a registry's error document. */
export interface RegistryErrorItem {
  /** As the registry spells it, for example `MANIFEST_UNKNOWN`. */
  readonly code: string
  readonly message: string
}

/** What a `RegistryError` knows besides code and text. */
export interface RegistryErrorDetails {
  readonly method: HttpRequest['method']
  readonly url: URL
  /** Absent when no response came. */
  readonly status?: number | undefined
  readonly errors?: readonly RegistryErrorItem[] | undefined
  /** Milliseconds that the server asks to wait. */
  readonly retryAfterMs?: number | undefined
  readonly cause?: unknown
}

/** A request to a registry that failed, with what the registry said. */
export class RegistryError extends OrlopError {
  override readonly name: string = 'RegistryError'
  readonly method: HttpRequest['method']
  /** What was asked, without the values of its query. */
  readonly url: string
  /** The HTTP status; `undefined` when no response came. */
  readonly status: number | undefined
  readonly errors: readonly RegistryErrorItem[]
  /** Milliseconds that the server asked to wait. */
  readonly retryAfterMs: number | undefined

  constructor(code: ErrorCode, message: string, details: RegistryErrorDetails) {
    super(code, message, details.cause === undefined ? undefined : { cause: details.cause })
    this.method = details.method
    this.url = sanitizeUrl(details.url)
    this.status = details.status
    this.errors = details.errors ?? []
    this.retryAfterMs = details.retryAfterMs
  }
}

/** True for a `RegistryError` that came of a response with one of `statuses`. */
export const hasStatus = (error: unknown, ...statuses: readonly number[]): boolean =>
  error instanceof RegistryError && error.status !== undefined && statuses.includes(error.status)

/** A URL for people: no user, no fragment, and of the query only the names; signed URLs carry secrets there. */
export function sanitizeUrl(url: URL): string {
  const names = [...new Set(url.searchParams.keys())].map(name => `${encodeURIComponent(name)}=REDACTED`)
  return `${url.protocol}//${url.host}${url.pathname}${names.length > 0 ? `?${names.join('&')}` : ''}`
}

/** Bytes of an error document that are looked at. */
const maxErrorBody = 64 * 1024

/** What an error's text needs to be of use. */
export interface ErrorContext {
  /** What was asked for: a reference, or a blob of a repository. */
  readonly what: string
  /** The registry, as people know it. */
  readonly registry: string
  /** What there was to answer a challenge with. */
  readonly credentials?: Shown | undefined
  /** Milliseconds since 1970; waits until a date are counted from here. */
  readonly now?: (() => number) | undefined
}

/** The error that an unwelcome response amounts to. Reads the body, up to 64 KiB, and lets go of the connection. */
export async function responseError(response: HttpResponse, context: ErrorContext): Promise<RegistryError> {
  const { status, method, url } = response
  const said = await readSaid(response)
  const retryAfterMs = retryAfter(headerValue(response.headers, 'retry-after'), (context.now ?? Date.now)())
  const text = explain(response, context, said.text, retryAfterMs)
  return new RegistryError(codeOf(status), text, { method, url, status, errors: said.errors, retryAfterMs })
}

const codes: Readonly<Record<number, ErrorCode>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  405: 'UNIMPLEMENTED',
  408: 'UNAVAILABLE',
  409: 'FAILED_PRECONDITION',
  410: 'NOT_FOUND',
  412: 'FAILED_PRECONDITION',
  413: 'RESOURCE_EXHAUSTED',
  416: 'OUT_OF_RANGE',
  429: 'RESOURCE_EXHAUSTED',
  451: 'PERMISSION_DENIED',
  501: 'UNIMPLEMENTED',
  507: 'RESOURCE_EXHAUSTED',
}

/** The code that an HTTP status of 400 and above stands for. */
export const codeOf = (status: number): ErrorCode =>
  codes[status] ?? (status >= 500 ? 'UNAVAILABLE' : 'UNKNOWN')

function explain(
  response: HttpResponse,
  { what, registry, credentials }: ErrorContext,
  said: string,
  waitMs: number | undefined,
): string {
  const { status, url, crossed } = response
  const who = crossed ? `${url.host} (where ${registry} redirected to)` : registry
  const reason = said === '' ? '' : `: ${said}`
  if (status === 401 && !crossed) return `${what}: ${unauthenticated(registry, credentials)}${reason}`
  if (status === 401 || status === 403)
    return `${what}: ${who} denies access (${status})${reason}${/\bquota\b/i.test(said) ? '' : checkAccount}`
  if (status === 404 || status === 410) {
    const way =
      isWrite(response) && said.includes('NAME_UNKNOWN')
        ? '; the repository may have to be made there first'
        : ''
    return `${what}: not found at ${who}${reason}${way}`
  }
  if (status === 405 && isWrite(response))
    return `${what}: ${who} does not allow ${response.method} (405)${reason}; it may be read-only, a mirror, or set up without deletion`
  if (status === 413) return `${what}: ${who} takes no request of this size (413)${reason}`
  if (status === 507) return `${what}: ${who} has no room for it (507)${reason}`
  if (status === 429)
    return `${what}: ${who} limits requests${limitOf(response)} (429)${reason}; ${tryAgain(waitMs)}`
  if (status >= 500 || status === 408)
    return `${what}: ${who} failed (${status})${reason}; ${tryAgain(waitMs)}`
  return `${what}: ${response.method} ${sanitizeUrl(url)} answered ${status}${reason}`
}

const checkAccount = '; check that the repository exists and that the account may use it'

const isWrite = ({ method }: HttpResponse): boolean => method !== 'GET' && method !== 'HEAD'

/** ` to 100 in 6 h`, where the server says so. */
function limitOf({ headers }: HttpResponse): string {
  const { limit, windowMs } = rateState(headers, Date.now())
  if (limit === undefined || windowMs === undefined) return ''
  const [ms, unit] = (
    [
      [3_600_000, 'h'],
      [60_000, 'min'],
    ] as const
  ).find(([one]) => windowMs % one === 0) ?? [1000, 's']
  return ` to ${limit} in ${windowMs / ms} ${unit}`
}

const tryAgain = (waitMs: number | undefined): string =>
  waitMs === undefined ? 'try again later' : `try again in ${Math.ceil(waitMs / 1000)} s`

/** What there was to show a registry: a credential, and where it was found. */
export interface Shown {
  readonly source?: string | undefined
}

/** Why a registry will not let one in, and the way out. */
export const unauthenticated = (registry: string, shown: Shown | undefined): string =>
  shown
    ? `${registry} refused the credentials${shown.source === undefined ? '' : ` of ${shown.source}`} (401); check user and password, for example with "orlop login ${registry}"`
    : `${registry} wants credentials, or there is no such repository (401); no credentials for host ${registry} in auth.json or Docker's config.json: "orlop login ${registry}" writes them`

/**
 * The wait that a Retry-After header asks for.
 *
 * @param value  whole seconds, or an HTTP date
 * @returns milliseconds, ≥ 0; `undefined` when there is none that can be read
 */
export function retryAfter(value: string | undefined, nowMs: number): number | undefined {
  const text = value?.trim() ?? ''
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000
  const at = /^[A-Za-z]{3}/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs)
}

interface Said {
  readonly text: string
  readonly errors: readonly RegistryErrorItem[]
}

async function readSaid({ body }: HttpResponse): Promise<Said> {
  let text: string
  try {
    text = (await readUpTo(body, maxErrorBody)).bytes.toString('utf8')
  } catch {
    // The status is what failed; a body that cannot be read as well must not hide it.
    return { text: '', errors: [] }
  }
  const errors = errorItems(text)
  if (errors.length > 0) return { text: clean(errors.map(itemText).join('; '), 500), errors }
  return { text: /^\s*</.test(text) ? '' : clean(text, 200), errors }
}

function errorItems(text: string): readonly RegistryErrorItem[] {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return []
  }
  const list = isObject(json) && Array.isArray(json.errors) ? json.errors.slice(0, 16) : []
  return list.filter(isObject).map(item => ({
    code: clean(typeof item.code === 'string' ? item.code : 'UNKNOWN', 64),
    message: clean(typeof item.message === 'string' ? item.message : '', 300),
  }))
}

const itemText = ({ code, message }: RegistryErrorItem): string =>
  message === '' ? code : `${message} (${code})`

/** A server's words made fit for a terminal and a log: no control characters, no credentials sent back, not long. */
export function clean(text: string, limit: number): string {
  const plain = text
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must go
    .replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g, ' ')
    .replaceAll(/\b(bearer|basic)\s+[\w.~+/=-]{6,}/gi, '$1 REDACTED')
    .trim()
  return plain.length > limit ? `${plain.slice(0, limit)}…` : plain
}
