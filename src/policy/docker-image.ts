import type { Digest } from '../oci/digest.ts'
import { parseReference, withDigest } from '../oci/reference.ts'
import { dockerScopes } from '../oci/scopes.ts'
import type { PolicyImage } from './types.ts'

/**
 * A manifest of an image in a registry, as policies see it.
 *
 * @param name  what was asked for, in full; of a tag and a digest the digest counts. What is no reference has no identity,
 * so that no signature vouches for it.
 */
export function dockerImage(
  name: string,
  digest: Digest,
  manifest: PolicyImage['manifest'],
  signatures: PolicyImage['signatures'],
): PolicyImage {
  const parsed = parseReference(name)
  const reference = parsed.digest ? withDigest(parsed, parsed.digest) : parsed
  return { transport: 'docker', scopes: dockerScopes(reference), reference, digest, manifest, signatures }
}
