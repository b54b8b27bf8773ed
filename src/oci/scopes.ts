import { formatReference, type Reference, repositoryName, withDigest } from './reference.ts'

/**
 * Where rules of containers/image for a name are looked for, the most specific first: the name itself with its tag or
 * digest, its repository, each path above it, the host with its port, then `*.` and ever less of the host without its port.
 *
 * Of a name with both tag and digest the digest counts.
 *
 * @see containers-policy.json(5), docker:
 */
export function dockerScopes(reference: Reference): readonly string[] {
  const { domain } = reference
  const repository = repositoryName(reference)
  const scopes = [formatReference(reference.digest ? withDigest(reference, reference.digest) : reference)]
  if (scopes[0] !== repository) scopes.push(repository)
  for (let at = repository.lastIndexOf('/'); at !== -1; at = repository.lastIndexOf('/', at - 1)) {
    scopes.push(repository.slice(0, at))
    if (at === domain.length) break
  }
  return [...scopes, ...wildcards(domain)]
}

function wildcards(domain: string): readonly string[] {
  const labels = (domain.split(':', 1)[0] ?? '').split('.')
  return labels.slice(1).map((_, at) => `*.${labels.slice(at + 1).join('.')}`)
}

/** A path and each directory above it but `/`: what rules for `dir:` and `oci:` are looked for by. */
export function pathScopes(path: string): readonly string[] {
  const scopes: string[] = []
  for (let at = path.length; at > 0; at = path.lastIndexOf('/', at - 1)) scopes.push(path.slice(0, at))
  return scopes.filter(scope => scope !== '/')
}
