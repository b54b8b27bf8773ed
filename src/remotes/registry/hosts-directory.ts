import { stat } from 'node:fs/promises'
import path from 'node:path'
import { fromErrno, isNotFound, OrlopError } from '../../errors.ts'
import type { AbortOptions } from '../../options.ts'
import { certificatesIn, readAuthorities, readPair } from './certs.ts'
import type { Connection } from './connection.ts'
import { defaultHost, everything, type Host, type Place } from './hosts.ts'
import { type HostSection, hostsToml, type Server } from './hosts-toml.ts'
import { readText } from './text-file.ts'
import { readToml } from './toml.ts'

/**
 * The endpoints of a place as containerd finds them in a directory with one for each registry: `<host>_<port>_`,
 * `<host>:<port>` or, for all that have none, `_default`.
 *
 * In it `hosts.toml` names mirrors in their order; without that file, certificates lie there as in Docker's certs.d. Read
 * anew at each call. Other than containerd, a file that is not valid is an error: falling back to the registry itself
 * would go past the mirror in silence.
 *
 * @param directory  for example `/etc/containerd/certs.d`
 * @returns `undefined` when the directory has nothing for that registry
 * @throws FAILED_PRECONDITION  a hosts.toml or certificate that is not valid
 * @see containerd core/remotes/docker/config
 */
export async function hostsInDirectory(
  directory: string,
  { domain }: Pick<Place, 'domain'>,
  options: AbortOptions = {},
): Promise<readonly Host[] | undefined> {
  const own = await directoryOf(directory, domain)
  if (own === undefined) return undefined
  const file = path.join(own, 'hosts.toml')
  const text = await readText(file, options)
  if (text === undefined || text === '') {
    const connection = await certificatesIn(own, { ...options, keyInside: true })
    return [toHost({ path: '/v2', ca: [], client: [], headers: {} }, domain, connection ?? {})]
  }
  const sections = await readToml(text, file, table => hostsToml(table, own))
  const hosts: Host[] = []
  for (const one of sections) hosts.push(toHost(one, domain, await connectionOf(one, options)))
  return hosts
}

async function directoryOf(root: string, domain: string): Promise<string | undefined> {
  const colon = domain.lastIndexOf(':')
  const named = colon > 0 ? [`${domain.slice(0, colon)}_${domain.slice(colon + 1)}_`, domain] : [domain]
  for (const name of [...named, '_default']) {
    const candidate = path.join(root, name)
    if (await isThere(candidate)) return candidate
  }
  return undefined
}

async function isThere(file: string): Promise<boolean> {
  try {
    await stat(file)
    return true
  } catch (error) {
    const ours = fromErrno(error, file)
    if (isNotFound(ours)) return false
    throw ours
  }
}

async function connectionOf(
  { ca, client, skipVerify, connectMs }: HostSection,
  options: AbortOptions,
): Promise<Connection> {
  return {
    ...(ca.length > 0 && { ca: await Promise.all(ca.map(file => readAuthorities(file, options))) }),
    ...(client.length > 0 && {
      certificates: await Promise.all(client.map(([cert, key]) => readPair(cert, key, options))),
    }),
    ...(skipVerify !== undefined && { skipVerify }),
    ...(connectMs !== undefined && { connectMs }),
  }
}

function toHost(section: HostSection, domain: string, connection: Connection): Host {
  const { server, path, capabilities = everything, headers } = section
  const { ca, certificates, skipVerify } = connection
  const secured = Boolean(ca || certificates || skipVerify !== undefined)
  const itself = defaultHost(domain)
  const common = {
    ...(Object.keys(headers).length > 0 && { headers }),
    ...(Object.keys(connection).length > 0 && { connection }),
  }
  // A file that does not name the registry has no say in what it may be asked for.
  if (!server) return { ...itself, ...common, schemes: secured ? tlsFirst(itself.schemes) : itself.schemes }
  // `https://docker.io` is what many files call the hub, and no registry.
  const { address } = defaultHost(server.address)
  const isItself = address === itself.address
  return {
    name: isItself ? domain : server.address,
    address,
    schemes: schemesOf(server, secured),
    path,
    capabilities,
    ...(!isItself && { standsFor: domain }),
    ...common,
  }
}

/** Who sets up TLS for an `http:` URL wants TLS where it is spoken; on port 80 it is not. */
const schemesOf = ({ scheme, address }: Server, secured: boolean): Host['schemes'] => {
  if (scheme === 'https') return ['https']
  return secured && !address.endsWith(':80') ? ['https', 'http'] : ['http']
}

const tlsFirst = (schemes: Host['schemes']): Host['schemes'] => schemes.toSorted().toReversed()

/** Throws NOT_FOUND when a directory that somebody named is not there. */
export async function requireDirectory(directory: string, what: string): Promise<void> {
  if (!(await isThere(directory)))
    throw new OrlopError('NOT_FOUND', `${what} ${directory}: no such directory`)
}
