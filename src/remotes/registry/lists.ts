import { OrlopError } from '../../errors.ts'
import { isDigest } from '../../oci/digest.ts'
import { asArray, asObject, asString, optional, parseJson } from '../../oci/json.ts'
import { isTag } from '../../oci/reference.ts'
import type { AbortOptions } from '../../options.ts'
import type { ListOptions } from '../types.ts'
import type { Endpoint, EndpointRequest } from './endpoint.ts'
import { readPages } from './pages.ts'
import { catalogScope, repositoryScope } from './scope.ts'

/** Bytes of one page: a quarter of a million short tags. */
const maxPageSize = 8 * 1024 * 1024

/**
 * The tags of a repository, in the registry's order, page by page.
 *
 * Empty names (Nexus) and digests (Artifactory) among them are left out, as containers/image does.
 *
 * @throws INVALID_ARGUMENT  a page size that is none; at once. Or an answer that is no list of tags
 * @throws NOT_FOUND  no such repository
 * @see distribution-spec v1.1, Listing Tags
 */
export function listTags(
  endpoint: Endpoint,
  repository: string,
  options: ListOptions = {},
): AsyncIterable<string> {
  const request: EndpointRequest = {
    method: 'GET',
    path: `/${repository}/tags/list${queryOf(options)}`,
    headers: { accept: 'application/json' },
    scopes: [repositoryScope(repository, 'pull')],
    what: `${endpoint.host.name}/${repository}: tags`,
  }
  return listNames(endpoint, request, 'tags', isTag, options)
}

/**
 * The repositories of a registry, page by page: those that it cares to tell of, and to whom.
 *
 * @throws INVALID_ARGUMENT  a page size that is none; at once. Or an answer that is no list of repositories
 * @throws NOT_FOUND, UNAUTHENTICATED, PERMISSION_DENIED  the registry tells nobody, or not these credentials
 * @see distribution, spec/api.md, Catalog
 */
export function listRepositories(endpoint: Endpoint, options: ListOptions = {}): AsyncIterable<string> {
  const request: EndpointRequest = {
    method: 'GET',
    path: `/_catalog${queryOf(options)}`,
    headers: { accept: 'application/json' },
    scopes: [catalogScope],
    what: `${endpoint.host.name}: repositories`,
  }
  return listNames(endpoint, request, 'repositories', isRepository, options)
}

/** Capital letters cannot be referred to, but some registries have them. */
const isRepository = (name: string): boolean => /^\w(?:[\w.-]|\/(?=\w)){0,254}$/.test(name)

function queryOf({ pageSize, last }: ListOptions): string {
  if (pageSize !== undefined && (!Number.isSafeInteger(pageSize) || pageSize < 1))
    throw new OrlopError('INVALID_ARGUMENT', `page size ${pageSize}: give a whole number, 1 or more`)
  const query = new URLSearchParams()
  // Without being asked for a size registries send what they like; ECR refuses sizes above 1000, others cap them.
  if (pageSize !== undefined) query.set('n', String(pageSize))
  if (last !== undefined) query.set('last', last)
  return query.size === 0 ? '' : `?${query}`
}

async function* listNames(
  endpoint: Endpoint,
  request: EndpointRequest,
  key: 'tags' | 'repositories',
  isName: (name: string) => boolean,
  { signal }: AbortOptions,
): AsyncGenerator<string> {
  for await (const { bytes } of readPages(endpoint, request, { maxBytes: maxPageSize, signal })) {
    const json = asObject(parseJson(bytes, request.what), request.what)
    const names = optional(json[key], `${request.what}: ${key}`, namesOf) ?? []
    for (const name of names) {
      if (name === undefined || name === '' || isDigest(name)) continue
      if (!isName(name)) throw unfit(name, request.what)
      yield name
    }
  }
}

const namesOf = (list: unknown, what: string): ReadonlyArray<string | undefined> =>
  asArray(list, what, (name, at) => optional(name, at, asString))

const unfit = (name: string, what: string): OrlopError =>
  new OrlopError('INVALID_ARGUMENT', `${what}: ${JSON.stringify(name.slice(0, 160))} is not a name`)
