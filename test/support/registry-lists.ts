import type http from 'node:http'
import { mediaTypes } from '../../src/oci/media-type.ts'
import { type Answer, json } from './registry-answer.ts'

/** Something that a registry holds, by the path it is read at. */
export interface Stored {
  readonly path: string
  readonly bytes: Buffer
  readonly digest: string
  readonly mediaType: string
}

/** How a registry lists. */
export interface ListRules {
  /** Names in a page that did not ask for a number; default: all. */
  readonly pageSize?: number
  /** `api`: it knows the referrers API and its filter; `unfiltered`: without the filter; default: it has none. */
  readonly referrers?: 'api' | 'unfiltered'
}

/** Answers to lists of tags, repositories and referrers; `undefined` for what is none of them. */
export function listAnswer(
  { url = '' }: Pick<http.IncomingMessage, 'url'>,
  stored: readonly Stored[],
  rules: ListRules,
): Answer | undefined {
  const { pathname, searchParams } = new URL(url, 'http://registry.test')
  const [, repository = ''] = /^\/v2\/(.+)\/(?:tags\/list|referrers\/[^/]+)$/.exec(pathname) ?? []
  if (pathname.endsWith('/tags/list'))
    return page('tags', tagsOf(repository, stored), pathname, searchParams, rules, { name: repository })
  if (pathname === '/v2/_catalog')
    return page('repositories', repositoriesOf(stored), pathname, searchParams, rules)
  const [, digest] = /\/referrers\/([^/]+)$/.exec(pathname) ?? []
  return digest === undefined || rules.referrers === undefined
    ? undefined
    : referrersOf(repository, digest, searchParams.get('artifactType'), stored, rules)
}

const tagsOf = (repository: string, stored: readonly Stored[]): readonly string[] => {
  const prefix = `/v2/${repository}/manifests/`
  return stored
    .filter(({ path }) => path.startsWith(prefix) && !path.includes(':'))
    .map(({ path }) => path.slice(prefix.length))
}

const repositoriesOf = (stored: readonly Stored[]): readonly string[] =>
  [...new Set(stored.map(({ path }) => path.replace(/^\/v2\/(.+)\/(?:manifests|blobs)\/.*$/, '$1')))].sort()

function page(
  key: string,
  all: readonly string[],
  path: string,
  query: URLSearchParams,
  { pageSize = all.length }: ListRules,
  more: object = {},
): Answer {
  const last = query.get('last')
  const from = last === null ? 0 : all.findIndex(name => name > last || name === last) + 1
  const size = Number(query.get('n') ?? pageSize)
  const names = all.slice(from, from + size)
  const rest = from + size < all.length
  const next = new URLSearchParams({ n: String(size), last: names.at(-1) ?? '' })
  return json(200, { ...more, [key]: names }, rest ? { link: `<${path}?${next}>; rel="next"` } : {})
}

function referrersOf(
  repository: string,
  subject: string,
  artifactType: string | null,
  stored: readonly Stored[],
  { referrers }: ListRules,
): Answer {
  const filters = referrers === 'api' && artifactType !== null
  const manifests = stored
    .filter(({ path, digest }) => path === `/v2/${repository}/manifests/${digest}`)
    .map(({ bytes, digest, mediaType }) => ({
      document: JSON.parse(String(bytes)),
      digest,
      mediaType,
      bytes,
    }))
    .filter(({ document }) => document.subject?.digest === subject)
    .map(({ document, digest, mediaType, bytes }) => ({
      mediaType,
      digest,
      size: bytes.byteLength,
      artifactType: document.artifactType ?? document.config?.mediaType,
    }))
    .filter(found => !filters || found.artifactType === artifactType)
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }
  return json(200, index, {
    'content-type': mediaTypes.ociIndex,
    ...(filters && { 'oci-filters-applied': 'artifactType' }),
  })
}
