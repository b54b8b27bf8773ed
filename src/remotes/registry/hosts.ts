import { isIPv4 } from 'node:net'
import type { Digest } from '../../oci/digest.ts'
import type { AbortOptions } from '../../options.ts'
import type { Connection } from './connection.ts'

/** What an endpoint may be asked for. */
export type Capability = 'pull' | 'resolve' | 'push' | 'referrers'

/** One endpoint of a registry: where to send what is meant for it. */
export interface Host {
  /** What people and credentials call it: `docker.io`, `localhost:5000`; a mirror goes by its own name. */
  readonly name: string
  /** Host and port to connect to. */
  readonly address: string
  /** To be tried in order until one turns out to be what the host speaks; more than one only on this machine. */
  readonly schemes: readonly ('https' | 'http')[]
  /** Put before `/<repository>/…`, without slash at its end. */
  readonly path: string
  readonly capabilities: ReadonlySet<Capability>
  /** What the repository is called there, where that is not as in the reference. */
  readonly repository?: string | undefined
  /** The registry that it stands in for, which it is told in the query `ns`; absent: it is told nothing. */
  readonly standsFor?: string | undefined
  /** Sent with every request to it, by lower-case name; no other origin sees them. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly connection?: Connection | undefined
}

/** What is to be reached: a registry, a repository of it, or one image. Every `Reference` is one. */
export interface Place {
  /** With its port, as references name it: `docker.io`, `localhost:5000`. */
  readonly domain: string
  /** Absent: the registry itself, to log in or to list its repositories. */
  readonly path?: string | undefined
  /** Absent, as the digest: the repository itself, to list or to write to. */
  readonly tag?: string | undefined
  readonly digest?: Digest | undefined
}

/**
 * The endpoints of a place, in the order to try them: mirrors first, the registry itself last.
 *
 * Asked anew for each image, so that a changed configuration counts at once.
 */
export type Hosts = (place: Place, options?: AbortOptions) => Promise<readonly Host[]>

/** Options of `defaultHosts`. */
export interface HostsOptions {
  /** Which registries speak plain HTTP: all, none, or by name. This machine's are found out. */
  readonly plainHttp?: boolean | ((registry: string) => boolean) | undefined
}

/** All that an endpoint may be asked for. */
export const everything: ReadonlySet<Capability> = new Set(['pull', 'resolve', 'push', 'referrers'])

/**
 * A registry as its own endpoint, for everything; `docker.io` is `registry-1.docker.io`.
 *
 * A registry on this machine is tried over plain HTTP and then over TLS, the other way round on port 443 or none.
 *
 * @param plain  true: over plain HTTP and nothing else
 * @see containerd core/remotes/docker/registry.go
 */
export const defaultHost = (registry: string, plain = false): Host => ({
  name: registry,
  address: hubNames.has(registry) ? 'registry-1.docker.io' : registry,
  schemes: plain ? ['http'] : schemesOf(registry),
  path: '/v2',
  capabilities: everything,
})

/** Each registry as its own only endpoint, see `defaultHost`. */
export const defaultHosts =
  ({ plainHttp = false }: HostsOptions = {}): Hosts =>
  async ({ domain }) => [defaultHost(domain, typeof plainHttp === 'function' ? plainHttp(domain) : plainHttp)]

const hubNames: ReadonlySet<string> = new Set(['docker.io', 'index.docker.io'])

const schemesOf = (registry: string): Host['schemes'] => {
  const { host, port } = split(registry)
  if (!isLoopbackHost(host)) return ['https']
  return port === '' || port === '443' ? ['https', 'http'] : ['http', 'https']
}

const split = (registry: string): { readonly host: string; readonly port: string } => {
  const [, host = registry, port = ''] = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(registry) ?? []
  return { host: host.replace(/^\[|\]$/g, ''), port }
}

/** The host of a registry without its port. */
export const hostWithoutPort = (registry: string): string => split(registry).host

/** True for names of this machine: localhost, 127.0.0.0/8, ::1. */
export const isLoopbackHost = (host: string): boolean =>
  host.toLowerCase() === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'))
