import { type LookupAddress, type LookupOptions, lookup } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { OrlopError } from '../../errors.ts'
import type { AbortOptions } from '../../options.ts'
import { addressesOf } from './addresses.ts'
import type { Send } from './http.ts'

/** Throws when an IP address must not be connected to. */
export type AddressGuard = (address: string, host: string) => void

const internal = new BlockList()
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const)
  internal.addSubnet(network, bits, 'ipv4')
for (const [network, bits] of [
  ['::', 127],
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['2002::', 16],
  ['fc00::', 7],
  ['fe80::', 10],
  ['ff00::', 8],
] as const)
  internal.addSubnet(network, bits, 'ipv6')

/** True for loopback, private, link-local, multicast and reserved addresses, and for IPv6 forms that may hide one. */
export function isPrivateAddress(address: string): boolean {
  const bare = address.replace(/%.*$/, '')
  const family = isIP(bare)
  return family === 0 || internal.check(bare, family === 6 ? 'ipv6' : 'ipv4')
}

/** Refuses private addresses: an image must not make its puller knock at the puller's own network, nor must a registry. */
export const refusePrivate: AddressGuard = (address, host) => {
  if (!isPrivateAddress(address)) return
  throw new OrlopError(
    'PERMISSION_DENIED',
    `${host}: an image or a registry must not lead to the private address ${address}; allow it with allowPrivateUrls (--allow-private-urls)`,
  )
}

/** Throws when the host of `url` is itself an address that `guard` refuses; names are looked at when connecting. */
export function guardUrl({ hostname }: URL, guard: AddressGuard): void {
  const bare = hostname.replace(/^\[|\]$/g, '')
  if (isIP(bare) !== 0) guard(bare, hostname)
  else if (/(^|\.)localhost\.?$/i.test(bare)) guard('127.0.0.1', hostname)
}

/**
 * As `guardUrl`, also for a name that stands for such an address here: for what goes through a proxy, which connects by
 * itself. A name that is unknown here passes, for then only the proxy knows it.
 */
export async function guardProxied(
  url: URL,
  guard: AddressGuard,
  options: AbortOptions = {},
  find: typeof addressesOf = addressesOf,
): Promise<void> {
  guardUrl(url, guard)
  const { hostname } = url
  if (isIP(hostname.replace(/^\[|\]$/g, '')) !== 0) return
  for (const address of await find(hostname, options)) guard(address, hostname)
}

/** `send`, with the host of every URL looked at before. */
export const guardedSend =
  (send: Send, guard: AddressGuard | undefined): Send =>
  async (request, options) => {
    if (guard) guardUrl(request.url, guard)
    return send(request, options)
  }

/** True for a host that is itself a private address, or a name of this machine. */
export function isPrivateHost(url: URL): boolean {
  try {
    guardUrl(url, refusePrivate)
    return false
  } catch {
    return true
  }
}

/** `dns.lookup` that fails when any address found is refused: what is checked is what is connected to. */
export const guardedLookup =
  (guard: AddressGuard): LookupFunction =>
  (hostname, options, callback) => {
    const all: LookupOptions & { all: true } = { ...options, all: true }
    lookup(hostname, all, (error, addresses: LookupAddress[]) => {
      const refused = error ?? refusal(addresses, hostname, guard)
      const first = addresses?.[0]
      if (refused || first === undefined) callback(refused ?? new Error(`${hostname}: no address`), '', 0)
      else if (options.all) callback(null, addresses)
      else callback(null, first.address, first.family)
    })
  }

function refusal(addresses: readonly LookupAddress[], host: string, guard: AddressGuard): Error | undefined {
  try {
    for (const { address } of addresses) guard(address, host)
    return undefined
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}
