import { OrlopError } from '../../errors.ts'
import { formatReference, type Reference } from '../../oci/reference.ts'
import { defaultHost, everything, type Host, type Place } from './hosts.ts'
import type { ConfiguredRegistry, Registries } from './registries-files.ts'
import { findRegistry, type PullSource, pullSources } from './registries-match.ts'

/**
 * The endpoints of a place by registries.conf: mirrors as their rules have it, then the registry's location.
 *
 * An insecure one is spoken to over TLS without looking at its certificate, and over plain HTTP where it does not speak
 * TLS. Credentials are looked for by where a source lies, so a mirror gets its own. A mirror that is itself blocked is
 * passed over.
 *
 * @returns `undefined` when no `[[registry]]` is about the place
 * @throws PERMISSION_DENIED  the registry is blocked, or every place that it lies at is
 * @throws FAILED_PRECONDITION  a location that does not make a reference
 */
export function hostsByRegistries(
  { registries }: Pick<Registries, 'registries'>,
  { domain, path, tag, digest }: Place,
): readonly Host[] | undefined {
  const reference: Reference = {
    domain,
    path: path ?? '',
    ...(tag !== undefined && { tag }),
    ...(digest !== undefined && { digest }),
  }
  const registry = findRegistry(registries, path === undefined ? domain : formatReference(reference))
  if (!registry) return undefined
  if (registry.blocked) throw isBlocked(registry)
  // The registry as a whole lies where it says only when its location is one.
  if (path === undefined) return [secured(defaultHost(domain), registry.insecure)]
  const sources = pullSources(registry, reference)
  const blockOf = (source: PullSource): ConfiguredRegistry | undefined => {
    const found = findRegistry(registries, formatReference(source.reference))
    return found?.blocked ? found : undefined
  }
  const open = sources.filter(source => !blockOf(source))
  const [first] = sources.flatMap(source => blockOf(source) ?? [])
  if (open.length === 0 && first) throw isBlocked(first)
  return open.map(source => toHost(source, path))
}

const isBlocked = ({ prefix, file }: ConfiguredRegistry): OrlopError =>
  new OrlopError('PERMISSION_DENIED', `registry ${prefix} is blocked in ${file}`)

function toHost({ reference, insecure, isMirror }: PullSource, asked: string): Host {
  const { domain, path, digest } = reference
  const host = secured(defaultHost(domain), insecure)
  return {
    ...host,
    ...(path !== asked && { repository: path }),
    capabilities: isMirror ? new Set(digest === undefined ? ['pull', 'resolve'] : ['pull']) : everything,
  }
}

/** A host as it is, or one that is not to be trusted and need not be. */
export const secured = (host: Host, insecure: boolean): Host =>
  insecure
    ? {
        ...host,
        schemes: host.schemes.includes('http') ? host.schemes : ['https', 'http'],
        connection: { ...host.connection, skipVerify: true },
      }
    : host
