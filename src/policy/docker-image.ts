import type { Digest } from '../oci/digest.ts'
import { parseReference, withDigest } from '../oci/reference.ts'
import { dockerScopes } from '../oci/scopes.ts'
import type { PolicyIdentity, PolicyImage } from './types.ts'

/**
 * What policies know an image of a registry by.
 *
 * @param name  what was asked for, in full; of a tag and a digest the digest counts
 * @throws INVALID_ARGUMENT  no reference
 */
export function dockerIdentity(name: string): PolicyIdentity {
  const parsed = parseReference(name)
  const reference = parsed.digest ? withDigest(parsed, parsed.digest) : parsed
  return { transport: 'docker', scopes: dockerScopes(reference), reference }
}

/** A manifest of an image in a registry, as policies see it. Throws as `dockerIdentity`. */
export const dockerImage = (
  name: string,
  digest: Digest,
  manifest: PolicyImage['manifest'],
  signatures: PolicyImage['signatures'],
): PolicyImage => ({ ...dockerIdentity(name), digest, manifest, signatures })
