import { homedir } from 'node:os'
import path from 'node:path'
import type { AbortOptions } from '../../options.ts'
import { certificatesIn } from './certs.ts'
import { joinConnections } from './connection.ts'
import { defaultHost, type Host, type Hosts, type HostsOptions, type Place } from './hosts.ts'
import { hostsInDirectory, requireDirectory } from './hosts-directory.ts'
import { type RegistriesOptions, readRegistries } from './registries-files.ts'
import { hostsByRegistries } from './registries-hosts.ts'

/** What `configuredHosts` reads; with none of it what a machine has. */
export interface ConfiguredHostsOptions extends Omit<RegistriesOptions, 'file'>, HostsOptions {
  /** A directory of hosts.toml, as `ctr --hosts-dir` takes it; then registries.conf and certs.d are not read. */
  readonly hostsDirectory?: string | undefined
  /** A registries.conf; then directories of hosts.toml are not read. */
  readonly registriesConf?: string | undefined
  /** Directories of hosts.toml that need not be there; default `~/.config/containerd/certs.d`, `/etc/containerd/certs.d`. */
  readonly hostsDirectories?: readonly string[] | undefined
  /** Directories of certificates by registry, the first that has one counting; default those of `certsDirectories`. */
  readonly certsDirectories?: readonly string[] | undefined
}

/**
 * Where registries are by this machine's configuration. It is read anew, but for what was read within the last second.
 *
 * The first that speaks of a registry decides: registries.conf with its drop-ins; a hosts.toml; else it is its own only
 * host. But to hosts.toml, which has its own, certificates come from certs.d of podman and Docker. A hosts directory or
 * a registries.conf that is named is the only one. `plainHttp` is about the registry itself, whatever a file says.
 *
 * @throws NOT_FOUND  what was named is not there
 * @throws FAILED_PRECONDITION  a file that is not valid
 * @throws PERMISSION_DENIED  registries.conf blocks the registry
 * @see docs/registries.md
 */
export function configuredHosts(options: ConfiguredHostsOptions = {}): Hosts {
  const { plainHttp = false } = options
  const hosts =
    options.hostsDirectory === undefined ? byMachine(options) : byDirectory(options.hostsDirectory)
  return async (place, abort) => {
    const plain = typeof plainHttp === 'function' ? plainHttp(place.domain) : plainHttp
    const found = await hosts(place, abort)
    return found.map(host => (plain && host.name === place.domain ? { ...host, schemes: ['http'] } : host))
  }
}

const byDirectory =
  (directory: string): Hosts =>
  async (place, abort) => {
    await requireDirectory(directory, 'hosts directory')
    return (await hostsInDirectory(directory, place, abort)) ?? [defaultHost(place.domain)]
  }

function byMachine(options: ConfiguredHostsOptions): Hosts {
  const { env = process.env, registriesConf } = options
  const { certsDirectories: certs = certsDirectories(env) } = options
  const { hostsDirectories = registriesConf === undefined ? hostsTomlDirectories(env) : [] } = options
  const files = { ...options, file: registriesConf }
  const registries = remembered(abort => readRegistries(files, abort))
  return async (place, abort) => {
    const configured = hostsByRegistries(await registries(abort), place)
    if (configured) return withCertificates(configured, certs, abort)
    const found = await inDirectories(hostsDirectories, place, abort)
    return found ?? withCertificates([defaultHost(place.domain)], certs, abort)
  }
}

/** Milliseconds for which files that were read count as they were: a thousand images must not read them each anew. */
const freshMs = 1000

/** What `read` gave lately, or gives now. */
function remembered<T>(
  read: (abort: AbortOptions | undefined) => Promise<T>,
): (abort: AbortOptions | undefined) => Promise<T> {
  let last: { readonly value: T; readonly at: number } | undefined
  return async abort => {
    if (last && performance.now() - last.at < freshMs) return last.value
    const at = performance.now()
    const value = await read(abort)
    last = { value, at }
    return value
  }
}

/** Where certificates lie by registry: `<directory>/<host>:<port>/*.crt`. The first directory that is there counts. */
export function certsDirectories(env: NodeJS.ProcessEnv = process.env): readonly string[] {
  const home = env.HOME || homedir()
  return [
    path.join(home, '.config/containers/certs.d'),
    '/etc/containers/certs.d',
    path.join(home, '.config/docker/certs.d'),
    '/etc/docker/certs.d',
  ]
}

const hostsTomlDirectories = (env: NodeJS.ProcessEnv): readonly string[] => [
  path.join(env.HOME || homedir(), '.config/containerd/certs.d'),
  '/etc/containerd/certs.d',
]

async function inDirectories(
  directories: readonly string[],
  place: Place,
  abort: AbortOptions | undefined,
): Promise<readonly Host[] | undefined> {
  for (const directory of directories) {
    const found = await hostsInDirectory(directory, place, abort)
    if (found) return found
  }
  return undefined
}

const withCertificates = (
  hosts: readonly Host[],
  directories: readonly string[],
  abort: AbortOptions | undefined,
): Promise<readonly Host[]> => Promise.all(hosts.map(async host => withCertificate(host, directories, abort)))

async function withCertificate(
  host: Host,
  directories: readonly string[],
  abort: AbortOptions | undefined,
): Promise<Host> {
  for (const directory of directories) {
    const found = await certificatesIn(path.join(directory, host.name), abort)
    if (found) return { ...host, connection: joinConnections(host.connection ?? {}, found) }
  }
  return host
}
