import { type Digest, isDigest } from '../../oci/digest.ts'
import type { AbortOptions } from '../../options.ts'
import type { EndpointRequest } from './endpoint.ts'
import type { PushPlace } from './head.ts'
import { fetchManifest } from './manifests.ts'
import { referenceOf } from './put-manifest.ts'
import { listsReferrers, removeReferrer } from './referrers-tag.ts'
import { repositoryScope } from './scope.ts'

/**
 * Deletes a manifest or index by its digest, and so every tag that points at it.
 *
 * The digest is that of the bytes that `name` gives, not what the registry says of them. A manifest that refers to another
 * one is also taken off the list under that one's referrers tag, where the registry keeps no such lists.
 *
 * @param name  a tag or a digest
 * @returns the digest of what was deleted
 * @throws NOT_FOUND  no such manifest
 * @throws UNIMPLEMENTED  the registry deletes nothing
 * @see containers/image docker/docker_image_src.go, deleteImage
 */
export async function deleteManifest(
  place: PushPlace,
  name: string,
  options: AbortOptions = {},
): Promise<Digest> {
  const { endpoint, repository } = place
  const { target, bytes } = await fetchManifest(endpoint, repository, name, options)
  const digest = isDigest(name) ? name : target.digest
  const reference = referenceOf({ mediaType: target.mediaType, bytes }, digest)
  await remove(place, `manifests/${digest}`, whatOf(place, name), options)
  if (reference && !(await listsReferrers(place, reference.subject, options)))
    await removeReferrer(place, reference, options)
  return digest
}

/**
 * Deletes a tag and leaves what it pointed at, where the registry can do that.
 *
 * @throws NOT_FOUND  no such tag
 * @throws UNIMPLEMENTED, INVALID_ARGUMENT  the registry deletes by digest only
 * @see distribution-spec v1.1, Deleting tags
 */
export const deleteTag = (place: PushPlace, tag: string, options: AbortOptions = {}): Promise<void> =>
  remove(place, `manifests/${tag}`, whatOf(place, tag), options)

/**
 * Deletes a blob from a repository, whatever may still name it.
 *
 * @throws NOT_FOUND  no such blob
 * @throws UNIMPLEMENTED  the registry deletes nothing
 */
export const deleteBlob = (place: PushPlace, digest: Digest, options: AbortOptions = {}): Promise<void> =>
  remove(place, `blobs/${digest}`, `${place.endpoint.host.name}/${place.repository}: blob ${digest}`, options)

function remove(
  { endpoint, repository }: PushPlace,
  path: string,
  what: string,
  options: AbortOptions,
): Promise<void> {
  const request: EndpointRequest = {
    method: 'DELETE',
    path: `/${repository}/${path}`,
    scopes: [repositoryScope(repository, 'pull', 'push', 'delete')],
    what,
  }
  return endpoint.exchange(request, ({ body }) => body.dump(), options)
}

const whatOf = ({ endpoint, repository }: PushPlace, name: string): string =>
  `${endpoint.host.name}/${repository}${isDigest(name) ? '@' : ':'}${name}`
