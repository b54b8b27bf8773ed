import { BlockList, isIP } from 'node:net'
import type { Credential } from './credential.ts'
import { RegistryError } from './error.ts'
import { isLoopbackHost } from './hosts.ts'

/** Who named a token server. */
export interface RealmOf {
  /** The registry, as people know it. */
  readonly name: string
  readonly origin: URL
}

/**
 * The token server's address out of a challenge, where it may be told what is going to be sent.
 *
 * A registry may name a token server on any host: it could as well ask for the password itself. What it may not do is
 * have a password sent in the clear that it was not itself reached in the clear for (CVE-2019-10214), or have this
 * machine, or what is next to it, asked by us: clouds tell secrets to whoever asks from inside.
 *
 * @throws UNAUTHENTICATED  it names none, or one that must not be asked
 */
export function realmOf(text: string, { name, origin }: RealmOf, credential: Credential | undefined): URL {
  const refuse = (why: string): never => {
    throw new RegistryError('UNAUTHENTICATED', `${name}: ${why}`, { method: 'GET', url: origin, status: 401 })
  }
  const realm = URL.canParse(text) ? new URL(text) : refuse('its challenge names no token server (realm)')
  if (realm.protocol !== 'https:' && realm.protocol !== 'http:')
    return refuse(`its token server is not reached over http or https but ${realm.protocol}`)
  if (credential && realm.protocol === 'http:' && origin.protocol !== 'http:')
    return refuse(`its token server ${realm.host} is reached over plain http; the credentials were not sent`)
  if (origin.protocol === 'https:' && isInner(realm) && !isInner(origin))
    return refuse(
      `its token server ${realm.host} is an address of this machine or next to it; it was not asked`,
    )
  return realm
}

const linkLocal = new BlockList()
linkLocal.addSubnet('169.254.0.0', 16, 'ipv4')
linkLocal.addSubnet('0.0.0.0', 8, 'ipv4')
linkLocal.addSubnet('fe80::', 10, 'ipv6')
linkLocal.addAddress('::', 'ipv6')

/** True for this machine, and for addresses that only this machine's own network can mean. */
function isInner({ hostname }: URL): boolean {
  const host = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
  if (isLoopbackHost(host) || host.endsWith('.localhost')) return true
  const family = isIP(host)
  return family !== 0 && linkLocal.check(host, family === 6 ? 'ipv6' : 'ipv4')
}
