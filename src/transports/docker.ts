import { parseReference } from '../oci/reference.ts'
import type { AbortOptions } from '../options.ts'
import type { Resolver } from '../remotes/types.ts'
import { type DockerPlace, formatPlace } from './place.ts'
import type { Source } from './types.ts'

/**
 * An image of a registry, to read. No request is made yet; the resolver stays the caller's.
 *
 * @see containers/image docker
 */
export async function openDockerSource(
  place: DockerPlace,
  resolver: Resolver,
  options: AbortOptions = {},
): Promise<Source> {
  const { reference } = place
  const { domain, path } = parseReference(reference)
  return {
    place: formatPlace(place),
    blobs: await resolver.fetcher(reference, options),
    resolve: again => resolver.resolve(reference, again),
    origin: { registry: domain, repository: path },
    [Symbol.asyncDispose]: async () => undefined,
  }
}
