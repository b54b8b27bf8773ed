import { OrlopError } from '../../errors.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { algorithmOf, type Digest } from '../../oci/digest.ts'
import { maxManifestSize, parseIndex } from '../../oci/document.ts'
import { isIndex, mediaTypes } from '../../oci/media-type.ts'
import type { ReferrersOptions } from '../types.ts'
import type { Endpoint, EndpointRequest } from './endpoint.ts'
import { hasStatus, RegistryError } from './error.ts'
import { fetchManifest } from './manifests.ts'
import { readPages } from './pages.ts'
import { repositoryScope } from './scope.ts'

/**
 * What refers to a manifest, as the referrers API tells it.
 *
 * The type is asked for and looked at again here: a registry may not know the filter.
 *
 * @throws NOT_FOUND  at the first `next()`: the registry has no such API
 * @throws INVALID_ARGUMENT  an answer that is no index
 * @see distribution-spec v1.1, Listing Referrers
 */
export async function* referrersByApi(
  endpoint: Endpoint,
  repository: string,
  digest: Digest,
  { artifactType, signal }: ReferrersOptions = {},
): AsyncGenerator<Descriptor> {
  const query = artifactType === undefined ? '' : `?${new URLSearchParams({ artifactType })}`
  const what = `${endpoint.host.name}/${repository}@${digest}: referrers`
  const request: EndpointRequest = {
    method: 'GET',
    path: `/${repository}/referrers/${digest}${query}`,
    headers: { accept: mediaTypes.ociIndex },
    scopes: [repositoryScope(repository, 'pull')],
    what,
  }
  let begun = false
  try {
    for await (const page of readPages(endpoint, request, { maxBytes: maxManifestSize, signal })) {
      // Without the API some answer with a page for people, or with what they answer to everything.
      if (page.contentType !== mediaTypes.ociIndex) throw noApi(what)
      begun = true
      yield* ofType(parseIndex(page.bytes, what).manifests, artifactType)
    }
  } catch (error) {
    throw !begun && hasStatus(error, 400, 404, 405, 406, 501) ? noApi(what, error) : error
  }
}

/**
 * What refers to a manifest, as the index under its referrers tag lists it.
 *
 * @throws NOT_FOUND  at the first `next()`: there is no such tag
 * @throws INVALID_ARGUMENT  the tag points at no index
 * @see distribution-spec v1.1, Referrers Tag Schema
 */
export async function* referrersByTag(
  endpoint: Endpoint,
  repository: string,
  digest: Digest,
  { artifactType, signal }: ReferrersOptions = {},
): AsyncGenerator<Descriptor> {
  const tag = referrersTag(digest)
  const { target, bytes } = await fetchManifest(endpoint, repository, tag, { signal })
  const what = `${endpoint.host.name}/${repository}:${tag}`
  if (!isIndex(target))
    throw new OrlopError('INVALID_ARGUMENT', `${what}: ${target.mediaType}, not an index of referrers`)
  yield* ofType(parseIndex(bytes, what).manifests, artifactType)
}

/** The tag under which clients list a manifest's referrers where the registry does not: `sha256-<hex>`. */
export function referrersTag(digest: Digest): string {
  const algorithm = algorithmOf(digest)
  const encoded = digest.slice(algorithm.length + 1)
  return `${algorithm.slice(0, 32)}-${encoded.slice(0, 64)}`
}

const ofType = (found: readonly Descriptor[], wanted: string | undefined): readonly Descriptor[] =>
  wanted === undefined ? found : found.filter(({ artifactType }) => artifactType === wanted)

const noApi = (what: string, cause?: unknown): OrlopError =>
  cause instanceof RegistryError
    ? new OrlopError('NOT_FOUND', cause.message, { cause })
    : new OrlopError('NOT_FOUND', `${what}: the registry does not list them`)
