import { isObject } from '../../oci/json.ts'
import { type HttpRequest, headerValues, isStreamed, type ResponseHeaders } from './http.ts'

const redacted = 'REDACTED'

/** Parameters that say what is asked for, and never by whom; of all others only the names are told. */
const plainParameters: ReadonlySet<string> = new Set([
  ...['ns', 'n', 'last', 'scope', 'service', 'digest', 'mount', 'from', 'artifactType'],
  ...['client_id', 'grant_type', 'access_type', 'offline_token'],
])

/** A URL without user and fragment, and with the values only of parameters that are known to be harmless. */
export function redactUrl(url: URL): string {
  const query = redactForm(url.searchParams)
  return `${url.protocol}//${url.host}${url.pathname}${query === '' ? '' : `?${query}`}`
}

const redactForm = (form: URLSearchParams): string =>
  [...form]
    .map(([name, value]) => {
      const shown = plainParameters.has(name) ? encodeURIComponent(value) : redacted
      return `${encodeURIComponent(name)}=${shown}`
    })
    .join('&')

/** Headers that are told as they are. What is not known may be a secret, such as the headers of a hosts.toml. */
const plainHeader =
  /^(accept(-.*)?|age|allow|cache-control|connection|content-(type|length|range|encoding|disposition)|date|docker-.*|etag|expires|if-none-match|keep-alive|last-modified|oci-.*|range|retry-after|server|transfer-encoding|user-agent|vary|via|warning|www-authenticate|(x-)?ratelimit(-.*)?|.*request-id|x-registry-supports-signatures)$/

/**
 * Headers with every value taken out that is not known to be harmless, or repeats a secret.
 *
 * @param base  where they were sent, or came from
 */
export const redactHeaders = (
  headers: ResponseHeaders,
  base: URL,
  secrets: readonly string[] = [],
): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.keys(headers).map(name => [
      name,
      headerValues(headers, name)
        .map(value => mask(redactHeader(name.toLowerCase(), value, base), secrets))
        .join(', '),
    ]),
  )

function redactHeader(name: string, value: string, base: URL): string {
  if (name === 'location') return URL.canParse(value, base.href) ? redactUrl(new URL(value, base)) : redacted
  if (name === 'link')
    return value.replaceAll(/<([^>]*)>/g, (_, link: string) => {
      const shown = URL.canParse(link, base.href) ? redactUrl(new URL(link, base)) : redacted
      return `<${shown}>`
    })
  if (name.endsWith('authorization')) return value.replace(/^(\w+ )?.*$/s, `$1${redacted}`)
  return plainHeader.test(name) ? hideQueries(value) : redacted
}

/** Every secret that a request carries, in each form in which an answer may repeat it. */
export function secretsOf({ headers = {}, url, body }: HttpRequest): readonly string[] {
  const held = Object.entries(headers).flatMap(([name, value]) => {
    if (!/authorization$/i.test(name)) return plainHeader.test(name.toLowerCase()) ? [] : [value]
    const credential = value.replace(/^\w+ +/, '')
    const decoded = Buffer.from(credential, 'base64').toString()
    return [credential, decoded, decoded.slice(decoded.indexOf(':') + 1)]
  })
  const forms = [url.searchParams, ...(formOf(headers, body) ?? [])]
  const told = forms.flatMap(form => [...form].filter(([name]) => !plainParameters.has(name)))
  const secrets = [...held, ...told.map(([, value]) => value), url.password]
  return [...new Set(secrets.flatMap(secret => [secret, encodeURIComponent(secret)]))]
    .filter(secret => secret.length > 3)
    .toSorted((a, b) => b.length - a.length)
}

const formOf = (
  headers: NonNullable<HttpRequest['headers']>,
  body: HttpRequest['body'],
): readonly [URLSearchParams] | undefined =>
  typeof body === 'string' && headers['content-type'] === 'application/x-www-form-urlencoded'
    ? [new URLSearchParams(body)]
    : undefined

/** What a request carries, in words: a form without its secrets, of anything else how much it is. */
export function redactRequestBody({ headers = {}, body }: HttpRequest): string | undefined {
  if (body === undefined) return undefined
  const [form] = formOf(headers, body) ?? []
  if (form) return redactForm(form)
  const size = isStreamed(body) ? body.size : Buffer.byteLength(body)
  return size === undefined ? '(a stream)' : `(${size} bytes)`
}

/** A JSON document without what looks like a secret in it, or is one of `secrets`; `undefined` for all that is no JSON. */
export function redactJson(text: string, secrets: readonly string[]): string | undefined {
  try {
    return redactText(JSON.stringify(redactValue(JSON.parse(text), secrets)), secrets)
  } catch {
    return undefined
  }
}

function redactValue(value: unknown, secrets: readonly string[], hidden = false): unknown {
  if (Array.isArray(value)) return value.map(item => redactValue(item, secrets, hidden))
  if (isObject(value))
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [
        key,
        redactValue(item, secrets, hidden || secretKey.test(key)),
      ]),
    )
  if (hidden && value !== null) return redacted
  return typeof value === 'string' ? redactText(value, secrets) : value
}

const secretKey = /token|secret|passw|credential|authorization|cookie|signature|session|key$/i

const redactText = (text: string, secrets: readonly string[]): string => mask(hideQueries(text), secrets)

const hideQueries = (text: string): string =>
  text.replaceAll(/(https?:\/\/[^\s?"<>]+)\?[^\s"<>]+/g, `$1?${redacted}`)

const mask = (text: string, secrets: readonly string[]): string =>
  secrets
    .reduce((shown, secret) => shown.replaceAll(secret, redacted), text)
    .replaceAll(/\b(bearer|basic)\s+(?!realm=)[\w.~+/-]{6,}=*/gi, `$1 ${redacted}`)
