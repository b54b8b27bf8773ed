import type { Labels, Provider, Target } from '../content/types.ts'
import { isOrlopError } from '../errors.ts'
import { labelKeys } from '../oci/annotations.ts'
import type { Digest } from '../oci/digest.ts'
import { mediaTypes } from '../oci/media-type.ts'
import { parseReference } from '../oci/reference.ts'
import type { AbortOptions } from '../options.ts'
import { hostWithoutPort } from '../remotes/registry/hosts.ts'
import type { Resolver } from '../remotes/types.ts'

/** A place that may have a good copy of a blob. */
export interface Source {
  /** For people: `ghcr.io/owner/name`. */
  readonly name: string
  /** @throws NOT_FOUND  it has no such blob */
  open(options: AbortOptions): Promise<{ readonly provider: Provider; readonly target: Target }>
}

/** Names the places that may have a blob, the best first. */
export type Sources = (blob: {
  readonly digest: Digest
  /** Of all namespaces that have a record of it. */
  readonly labels: readonly Labels[]
  /** As its records have it. */
  readonly size?: number | undefined
}) => readonly Source[]

/** What `registrySources` works with. */
export interface RegistrySourcesInit {
  readonly resolver: Resolver
  /** Asked first: `ghcr.io/owner/name:tag`. */
  readonly from?: string | undefined
  /** Names of the images that are here: they know the ports, which the labels leave out. */
  readonly images?: readonly string[] | undefined
}

/** Registries as sources: the one that was named, then those that a blob's `distribution.source` labels name. */
export function registrySources({ resolver, from, images = [] }: RegistrySourcesInit): Sources {
  const domains = new Map<string, Set<string>>()
  for (const name of images) {
    const domain = partsOf(name)?.domain
    if (domain === undefined) continue
    const host = hostWithoutPort(domain)
    domains.set(host, (domains.get(host) ?? new Set()).add(domain))
  }
  const first =
    from === undefined ? [] : [parseReference(from)].map(({ domain, path }) => `${domain}/${path}`)
  return ({ digest, labels, size }) => {
    const named = labels.flatMap(known => [...repositories(known)])
    const found = named.flatMap(({ host, path }) =>
      [...(domains.get(host) ?? [host])].map(domain => `${domain}/${path}`),
    )
    const isDirect = size !== undefined && !labels.some(namesChildren)
    return [...new Set([...first, ...found])].filter(partsOf).flatMap(name => {
      const resolved = sourceOf(resolver, name, digest)
      return isDirect
        ? [blobOf(resolver, name, { mediaType: mediaTypes.octetStream, digest, size }), resolved]
        : [resolved]
    })
  }
}

function* repositories(labels: Labels): Generator<{ readonly host: string; readonly path: string }> {
  for (const [key, value] of Object.entries(labels)) {
    if (!key.startsWith(labelKeys.distributionSource)) continue
    const host = key.slice(labelKeys.distributionSource.length)
    for (const path of value.split(',')) if (path !== '') yield { host, path }
  }
}

/** True for what a pull stored as an index or manifest. */
const namesChildren = (labels: Labels): boolean =>
  Object.keys(labels).some(key => key.startsWith(labelKeys.gcRefContent))

/** Layers and configs are asked for as blobs at once: some registries answer 500 when asked for a manifest of such a digest. */
const blobOf = (resolver: Resolver, name: string, target: Target): Source => ({
  name,
  open: async options => ({
    provider: await resolver.fetcher(`${name}@${target.digest}`, options),
    target,
  }),
})

const sourceOf = (resolver: Resolver, name: string, digest: Digest): Source => ({
  name,
  open: async options => {
    const reference = `${name}@${digest}`
    const target = await resolver.resolve(reference, options)
    return { provider: await resolver.fetcher(reference, options), target }
  },
})

/** A label may hold anything. */
const partsOf = (name: string) => {
  try {
    return parseReference(name)
  } catch (error) {
    if (isOrlopError(error)) return undefined
    throw error
  }
}
