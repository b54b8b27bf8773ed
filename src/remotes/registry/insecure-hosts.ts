import { BlockList, isIP } from 'node:net'
import type { AbortOptions } from '../../options.ts'
import { addressesOf } from './addresses.ts'
import { type Host, type Hosts, hostWithoutPort } from './hosts.ts'
import { secured } from './registries-hosts.ts'

/** Options of `withInsecure`. */
export interface InsecureOptions {
  /** Addresses of a name; default: what the system resolves. */
  readonly lookup?: ((name: string, options: AbortOptions) => Promise<readonly string[]>) | undefined
}

/**
 * `hosts` with those made insecure that a list names: their certificates are not checked, and where they do not speak TLS
 * plain HTTP will do.
 *
 * @param list  hosts, with their port where they have one, and networks: `10.0.0.0/8`. A name belongs to a network when
 *   one of its addresses does.
 * @see CRI-O, insecure_registries; Docker's daemon, insecure-registries
 */
export function withInsecure(hosts: Hosts, list: readonly string[], options: InsecureOptions = {}): Hosts {
  const networks = new BlockList()
  const names = new Set<string>()
  for (const entry of list) if (!addNetwork(networks, entry)) names.add(entry)
  const find = options.lookup ?? addressesOf
  const isInsecure = async ({ name }: Host, abort: AbortOptions): Promise<boolean> => {
    if (names.has(name)) return true
    if (names.size === list.length) return false
    const host = hostWithoutPort(name)
    const addresses = isIP(host) !== 0 ? [host] : await find(host, abort)
    return addresses.some(address => isWithin(networks, address))
  }
  return async (place, abort = {}) => {
    const found = await hosts(place, abort)
    return Promise.all(found.map(async host => secured(host, await isInsecure(host, abort))))
  }
}

function addNetwork(networks: BlockList, entry: string): boolean {
  const [, address = '', bits = ''] = /^([0-9a-fA-F:.]+)\/(\d{1,3})$/.exec(entry) ?? []
  const family = isIP(address)
  if (family === 0 || Number(bits) > (family === 6 ? 128 : 32)) return false
  networks.addSubnet(address, Number(bits), family === 6 ? 'ipv6' : 'ipv4')
  return true
}

/** An IPv4 address that is written as one of IPv6 counts as itself. */
function isWithin(networks: BlockList, address: string): boolean {
  const mapped = /^::ffff:([\d.]+)$/i.exec(address)?.[1]
  const bare = mapped ?? address
  return networks.check(bare, isIP(bare) === 6 ? 'ipv6' : 'ipv4')
}
