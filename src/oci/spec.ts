import { OrlopError } from '../errors.ts'

/**
 * A reference as containerd reads it: `locator[:object]`, or `locator@object` with the `@` kept in the object.
 *
 * Nothing is added: no registry, no `library/`, no tag. For what people type see `parseReference`.
 */
export interface Spec {
  /** Host and path: `docker.io/library/alpine`. */
  readonly locator: string
  /** `3.20`, `3.20@sha256:…` or `@sha256:…`; `''` when there is none. */
  readonly object: string
  /** What stands before the first `/` of the locator. */
  readonly hostname: string
  /** What stands behind the `@` of the object, unchecked: it may be a part of a digest only. */
  readonly digest?: string
}

const hostShape = /^(?:\[[0-9A-Fa-f:.]+\]|[^\s:@[\]<>"%]+)(?::\d*)?$/

/**
 * A containerd reference out of text. A query and a fragment are dropped; `%` escapes in the path are read.
 *
 * @throws INVALID_ARGUMENT  a scheme (`https://`), no host, a port that is no number, or a path with `..`. Names of users,
 *   which containerd drops silently, are refused too
 * @see containerd pkg/reference/reference.go
 */
export function parseSpec(text: string): Spec {
  const refuse = (why: string): never => {
    throw new OrlopError(
      'INVALID_ARGUMENT',
      `reference ${JSON.stringify(text.slice(0, 300))}: ${why}; expected one like docker.io/library/alpine:3.20`,
    )
  }
  if (text.includes('://')) refuse('there must be no scheme')
  if (/\p{Cc}/u.test(text)) refuse('there must be no control characters')
  const [plain = ''] = text.split(/[#?]/, 1)
  const slash = plain.indexOf('/')
  const host = slash === -1 ? plain : plain.slice(0, slash)
  if (host === '') refuse('hostname required')
  if (!hostShape.test(host)) refuse(`${JSON.stringify(host)} is not <host> or <host>:<port>`)
  const path = decode(slash === -1 ? '' : plain.slice(slash)) ?? refuse('wrong % escape')
  const at = path.search(/[:@]/)
  const segments = (at === -1 ? path : path.slice(0, at))
    .split('/')
    .filter(part => part !== '' && part !== '.')
  if (segments.includes('..')) refuse('the path must not go up')
  return specOf([host, ...segments].join('/'), at === -1 ? '' : path.slice(at).replace(/^:/, ''))
}

const decode = (path: string): string | undefined => {
  try {
    return decodeURIComponent(path)
  } catch {
    return undefined
  }
}

const specOf = (locator: string, object: string): Spec => {
  const at = object.indexOf('@')
  return Object.freeze({
    locator,
    object,
    hostname: locator.split('/', 1)[0] ?? '',
    ...(at !== -1 && { digest: object.slice(at + 1) }),
  })
}

/** The text of a containerd reference; the one it came from, less its query. */
export function specToString({ locator, object }: Spec): string {
  if (object === '') return locator
  return object.startsWith('@') ? locator + object : `${locator}:${object}`
}
