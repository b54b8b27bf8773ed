import { OrlopError } from '../../errors.ts'
import { type Digest, parseDigest } from '../../oci/digest.ts'

/** A reference taken apart for a registry's API. */
export interface Location {
  /** Host and port, as the reference has it: `docker.io`, `localhost:5000`. */
  readonly registry: string
  /** Path of the repository: `library/busybox`. */
  readonly repository: string
  readonly tag?: string
  readonly digest?: Digest
}

const domain = /^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i
const path = /^[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*$/
const tagShape = /^\w[\w.-]{0,127}$/

/**
 * A reference taken apart. A first part without dot, port or the name localhost is a path on `docker.io`.
 *
 * @throws INVALID_ARGUMENT  no reference
 */
export function parseLocation(reference: string): Location {
  const at = reference.indexOf('@')
  const digest = at < 0 ? undefined : parseDigest(reference.slice(at + 1))
  const named = at < 0 ? reference : reference.slice(0, at)
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1)
  const tag = colon < 0 ? undefined : named.slice(colon + 1)
  const { registry, repository } = splitName(colon < 0 ? named : named.slice(0, colon))
  if (!domain.test(registry) || !path.test(repository) || (tag !== undefined && !tagShape.test(tag)))
    throw new OrlopError(
      'INVALID_ARGUMENT',
      `reference ${JSON.stringify(reference.slice(0, 300))}: not host/path:tag`,
    )
  return { registry, repository, ...(tag !== undefined && { tag }), ...(digest && { digest }) }
}

function splitName(name: string): { readonly registry: string; readonly repository: string } {
  const slash = name.indexOf('/')
  const first = slash < 0 ? '' : name.slice(0, slash)
  const isHost = /[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase()
  const registry = isHost ? first : 'docker.io'
  const repository = isHost ? name.slice(slash + 1) : name
  const isHub = registry === 'docker.io' || registry === 'index.docker.io'
  return { registry, repository: isHub && !repository.includes('/') ? `library/${repository}` : repository }
}
