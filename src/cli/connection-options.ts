import { type Command, Option } from 'commander'
import { OrlopError } from '../errors.ts'
import type { AbortOptions } from '../options.ts'
import type { Hosts } from '../remotes/registry/hosts.ts'
import type { RegistryResolverOptions } from '../remotes/registry/resolver.ts'
import { collect } from './arguments.ts'
import { addHttpTrace } from './http-trace.ts'

/** How registries are reached. */
export interface ConnectionOptions {
  readonly hostsDir?: string
  readonly registriesConf?: string
  readonly plainHttp?: boolean
  readonly skipVerify?: boolean
  readonly tlscacert?: string
  readonly tlscert?: string
  readonly tlskey?: string
  readonly insecureRegistry?: readonly string[]
}

/** Adds the options of `ConnectionOptions`, named as `ctr` names them. */
export const addConnectionOptions = (command: Command): Command =>
  addHttpTrace(command)
    .addOption(
      new Option(
        '--hosts-dir <directory>',
        'where hosts.toml says where registries are, as in /etc/containerd/certs.d',
      ).conflicts('registriesConf'),
    )
    .option('--registries-conf <file>', 'the registries.conf that says where registries are')
    .option('--plain-http', 'speak HTTP without TLS to the registry; loopback addresses get it anyway')
    .option('-k, --skip-verify', 'do not check certificates')
    .option('--tlscacert <file>', 'certificates of authorities to trust as well, PEM')
    .option('--tlscert <file>', 'client certificate to show to the registry, PEM')
    .option('--tlskey <file>', 'key of that certificate, PEM; default: it is in the same file')
    .option(
      '--insecure-registry <host|network>',
      'registry, or network of registries (10.0.0.0/8), that may have any certificate or none; may be repeated',
      collect,
    )

/**
 * What `ConnectionOptions` say to a `RegistryResolver`. The client certificate is for one registry and for none of its
 * mirrors; authorities count for all.
 *
 * @param domain  the registry, as references name it
 * @throws NOT_FOUND, FAILED_PRECONDITION  a certificate that is not there, or is none
 */
export async function connectionOf(
  options: ConnectionOptions,
  domain: string,
  abort: AbortOptions = {},
): Promise<Pick<RegistryResolverOptions, 'hosts' | 'ca' | 'skipVerify' | 'systemRoots'>> {
  const { tlscacert, tlscert, tlskey, skipVerify } = options
  if (tlskey !== undefined && tlscert === undefined)
    throw new OrlopError('INVALID_ARGUMENT', '--tlskey: name its certificate with --tlscert')
  const { readAuthorities, readPair } = await import('../remotes/registry/certs.ts')
  const ca = tlscacert === undefined ? undefined : await readAuthorities(tlscacert, abort)
  const pair = tlscert === undefined ? undefined : await readPair(tlscert, tlskey, abort)
  const hosts = await hostsOf(options)
  const own: Hosts = async (place, more) =>
    (await hosts(place, more)).map(host =>
      pair && host.name === domain
        ? { ...host, connection: { ...host.connection, certificates: [pair] } }
        : host,
    )
  return { hosts: pair ? own : hosts, ca, skipVerify, systemRoots: true }
}

/** Where registries are, as the options and this machine's configuration say. */
async function hostsOf(options: ConnectionOptions): Promise<Hosts> {
  const { hostsDir, registriesConf, plainHttp = false, insecureRegistry = [] } = options
  const { configuredHosts } = await import('../remotes/registry/configured-hosts.ts')
  const hosts = configuredHosts({ hostsDirectory: hostsDir, registriesConf, plainHttp })
  if (insecureRegistry.length === 0) return hosts
  const { withInsecure } = await import('../remotes/registry/insecure-hosts.ts')
  return withInsecure(hosts, insecureRegistry)
}
