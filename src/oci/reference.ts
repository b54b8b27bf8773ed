import { OrlopError } from '../errors.ts'
import { type Digest, parseDigest } from './digest.ts'

export { parseSpec, type Spec, specToString } from './spec.ts'

/**
 * The name of an image in Docker's normal form: parsed once and frozen.
 *
 * `alpine` is domain `docker.io`, path `library/alpine`, no tag; `withDefaultTag` adds `latest`.
 */
export interface Reference {
  /** Host, with a port if one was given: `docker.io`, `localhost:5000`, `[::1]:443`. */
  readonly domain: string
  /** The repository: `library/alpine`. */
  readonly path: string
  readonly tag?: string
  readonly digest?: Digest
}

const defaultDomain = 'docker.io'
const officialPrefix = 'library/'
const maxNameLength = 255
const maxTagLength = 128

const label = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?'
const domainShape = new RegExp(`^(?:${label}(?:\\.${label})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?$`)
const componentShape = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/
const idShape = /^[a-f0-9]{64}$/
const tagShape = /^\w[\w.-]*$/

/**
 * An image's name as people type it, in full: `alpine`, `alpine:3.20`, `ghcr.io/a/b@sha256:…`, `localhost:5000/c:d@sha256:…`.
 *
 * What stands before the first `/` is a host if it has a `.` or `:` or is `localhost`; else the host is docker.io, and
 * a single word there lies under `library/`.
 *
 * @throws INVALID_ARGUMENT  not a name: the text says which part is wrong and what a right one looks like
 * @see distribution/reference, ParseNormalizedNamed
 */
export function parseReference(text: string): Reference {
  const refuse: Refuse = why => {
    throw new OrlopError('INVALID_ARGUMENT', `reference ${JSON.stringify(text.slice(0, 300))}: ${why}`)
  }
  if (text === '') return refuse('empty; expected a name like alpine:3.20 or ghcr.io/owner/name:tag')
  if (/^[a-z]+:\/\//i.test(text)) return refuse('leave out the scheme, as in ghcr.io/owner/name:tag')
  if (/\s/.test(text)) return refuse('a name has no blanks')
  const [rest, digest] = splitAt(text, text.indexOf('@'))
  const colon = rest.lastIndexOf(':')
  const [name, tag] = splitAt(rest, colon > rest.lastIndexOf('/') ? colon : -1)
  if (idShape.test(rest))
    return refuse(
      `64 hexadecimal characters are an image's id, not a name; for a digest write name@sha256:${rest}`,
    )
  return referenceOf({
    ...splitName(name, refuse),
    ...(tag !== undefined && { tag: checkTag(tag, refuse) }),
    ...(digest !== undefined && { digest: readDigest(digest, refuse) }),
  })
}

type Refuse = (why: string) => never

const referenceOf = ({ domain, path, tag, digest }: Reference): Reference =>
  Object.freeze({ domain, path, ...(tag !== undefined && { tag }), ...(digest !== undefined && { digest }) })

const splitAt = (text: string, at: number): readonly [string, string | undefined] =>
  at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)]

const splitName = (name: string, refuse: Refuse): Pick<Reference, 'domain' | 'path'> => {
  const [first, below] = splitAt(name, name.indexOf('/'))
  const hasDomain = below !== undefined && looksLikeDomain(first)
  const domain = !hasDomain || first === 'index.docker.io' ? defaultDomain : first
  const repository = hasDomain ? below : name
  const path =
    domain === defaultDomain && !repository.includes('/') ? officialPrefix + repository : repository
  if (domain.length + 1 + path.length > maxNameLength)
    return refuse(`the name without tag and digest has more than ${maxNameLength} characters`)
  if (!domainShape.test(domain))
    return refuse(`${JSON.stringify(first)} is not a host, as in ghcr.io or localhost:5000`)
  if (repository === '') return refuse('the name of the repository is missing, as in ghcr.io/owner/name')
  const wrong = path.split('/').find(component => !componentShape.test(component))
  if (wrong === undefined) return { domain, path }
  if (/[A-Z]/.test(wrong))
    return refuse(`the repository must be in lower case: ${JSON.stringify(repository.toLowerCase())}`)
  return refuse(
    `${JSON.stringify(wrong)} cannot be part of a repository; parts are a-z and 0-9, joined by one "." or "_", "__" or dashes`,
  )
}

const looksLikeDomain = (first: string): boolean => /[.:]/.test(first) || first === 'localhost'

/** True for what can be a tag. */
export const isTag = (text: string): boolean => text.length <= maxTagLength && tagShape.test(text)

const checkTag = (tag: string, refuse: Refuse): string => {
  if (isTag(tag)) return tag
  return refuse(
    `${JSON.stringify(tag)} is not a tag: at most ${maxTagLength} letters, digits, "_", "." and "-", not "." or "-" first`,
  )
}

const readDigest = (text: string, refuse: Refuse): Digest => {
  try {
    return parseDigest(text)
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error))
  }
}

/**
 * A registry as people name it: a host that has a `.`, a port, or is `localhost`.
 *
 * @throws INVALID_ARGUMENT  none
 */
export function parseDomain(text: string): string {
  const domain = text === 'index.docker.io' ? defaultDomain : text
  if (looksLikeDomain(domain) && domainShape.test(domain)) return domain
  throw new OrlopError(
    'INVALID_ARGUMENT',
    `registry ${JSON.stringify(text.slice(0, 300))}: not a host, as in ghcr.io or localhost:5000`,
  )
}

/** Domain and path, without tag and digest: `docker.io/library/alpine`. */
export const repositoryName = ({ domain, path }: Reference): string => `${domain}/${path}`

/** The full text: `docker.io/library/alpine:3.20@sha256:…`. `parseReference` undoes it. */
export const formatReference = (reference: Reference): string => repositoryName(reference) + suffix(reference)

const suffix = ({ tag, digest }: Reference): string =>
  (tag === undefined ? '' : `:${tag}`) + (digest === undefined ? '' : `@${digest}`)

/**
 * The name without what goes without saying, and without tag and digest: `alpine`, `owner/name`, `ghcr.io/owner/name`.
 *
 * What would be read as another name stays: `docker.io/localhost/name`, and `library/` before what looks like an id.
 */
export function familiarName({ domain, path }: Reference): string {
  if (domain !== defaultDomain) return `${domain}/${path}`
  const [first = '', ...rest] = path.split('/')
  const official = `${first}/` === officialPrefix && rest.length === 1
  if (official && !idShape.test(rest.join(''))) return rest.join('')
  return looksLikeDomain(first) ? `${domain}/${path}` : path
}

/** As `familiarName`, with tag and digest: `alpine:3.20`. `parseReference` undoes it. */
export const familiarReference = (reference: Reference): string => familiarName(reference) + suffix(reference)

/** The reference with the tag `latest` if it has neither tag nor digest; else itself. */
export const withDefaultTag = (reference: Reference): Reference =>
  reference.tag === undefined && reference.digest === undefined
    ? referenceOf({ ...reference, tag: 'latest' })
    : reference

/**
 * What a user types, in Docker's normal form and with the default tag: `busybox` is `docker.io/library/busybox:latest`.
 *
 * @throws INVALID_ARGUMENT  not a reference
 */
export const fullReference = (text: string): string => formatReference(withDefaultTag(parseReference(text)))

/**
 * The reference with another tag, and without a digest, which named other bytes.
 *
 * @throws INVALID_ARGUMENT  not a tag
 */
export function withTag({ domain, path }: Reference, tag: string): Reference {
  const refuse: Refuse = why => {
    throw new OrlopError('INVALID_ARGUMENT', `tag: ${why}`)
  }
  return referenceOf({ domain, path, tag: checkTag(tag, refuse) })
}

/** The reference to just these bytes of its repository; a tag is dropped. */
export const withDigest = ({ domain, path }: Reference, digest: Digest): Reference =>
  referenceOf({ domain, path, digest })

/** True for a host, and for a host with path components behind it, in full: `quay.io`, `localhost:5000/a/b`. */
export function isNamePrefix(text: string): boolean {
  const [domain, path] = splitAt(text, text.indexOf('/'))
  return domainShape.test(domain) && (path?.split('/').every(part => componentShape.test(part)) ?? true)
}
