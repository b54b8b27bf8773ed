import { isIPv4 } from 'node:net'

/** What an endpoint may be asked for. */
export type Capability = 'pull' | 'resolve' | 'push' | 'referrers'

/** One endpoint of a registry: where to send what is meant for it. */
export interface Host {
  /** What people and credentials call it: `docker.io`, `localhost:5000`. */
  readonly name: string
  /** Host and port to connect to. */
  readonly address: string
  /** To be tried in order until one turns out to be what the host speaks; more than one only on this machine. */
  readonly schemes: readonly ('https' | 'http')[]
  /** Put before `/<repository>/…`, without slash at its end. */
  readonly path: string
  readonly capabilities: ReadonlySet<Capability>
}

/** The endpoints of a registry, in the order to try them: mirrors first, itself last. */
export type Hosts = (registry: string) => readonly Host[]

/** Options of `defaultHosts`. */
export interface HostsOptions {
  /** Which registries speak plain HTTP: all, none, or by name. This machine's are found out. */
  readonly plainHttp?: boolean | ((registry: string) => boolean) | undefined
}

const everything: ReadonlySet<Capability> = new Set(['pull', 'resolve', 'push', 'referrers'])

/**
 * Each registry as its own only endpoint; `docker.io` is `registry-1.docker.io`.
 *
 * A registry on this machine is tried over plain HTTP and then over TLS, the other way round on port 443 or none.
 *
 * @see containerd core/remotes/docker/registry.go
 */
export const defaultHosts =
  ({ plainHttp = false }: HostsOptions = {}): Hosts =>
  registry => {
    const plain = typeof plainHttp === 'function' ? plainHttp(registry) : plainHttp
    return [
      {
        name: registry,
        address: hubNames.has(registry) ? 'registry-1.docker.io' : registry,
        schemes: plain ? ['http'] : schemesOf(registry),
        path: '/v2',
        capabilities: everything,
      },
    ]
  }

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
