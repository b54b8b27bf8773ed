import { OrlopError } from '../../errors.ts'

/** What a login is for: a registry, or a part of one. */
export interface LoginKey {
  /** `quay.io`, or `quay.io/team`. */
  readonly key: string
  /** The registry, with its port: `quay.io`, `localhost:5000`. */
  readonly host: string
  /** `team`; absent for the whole registry. */
  readonly namespace?: string | undefined
}

/**
 * Reads what a login is for. A scheme and a slash at the end, which people paste, are dropped.
 *
 * @throws INVALID_ARGUMENT  no registry: a tag, a digest or a user in it, or characters that no host has
 * @see containers/image pkg/docker/config, validateKey
 */
export function parseLoginKey(text: string): LoginKey {
  const refuse = (why: string): never => {
    throw new OrlopError('INVALID_ARGUMENT', `registry ${JSON.stringify(text.slice(0, 200))}: ${why}`)
  }
  const key = text.replace(/^https?:\/\//i, '').replace(/\/$/, '')
  const slash = key.indexOf('/')
  const host = slash < 0 ? key : key.slice(0, slash)
  const namespace = slash < 0 ? undefined : key.slice(slash + 1)
  if (host === '') return refuse('empty; expected a name like ghcr.io, localhost:5000 or quay.io/team')
  if (key.includes('@')) return refuse('a digest or a user does not belong here')
  if (!/^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?$/.test(host) || !URL.canParse(`https://${host}`))
    return refuse(`${JSON.stringify(host)} is not a host, as in ghcr.io or localhost:5000`)
  if (namespace === undefined) return { key, host }
  if (namespace.includes(':')) return refuse('a tag does not belong here')
  if (!/^[a-z0-9._-]+(\/[a-z0-9._-]+)*$/.test(namespace))
    return refuse(`${JSON.stringify(namespace)} is not a part of a registry, as in quay.io/team`)
  return { key, host, namespace }
}
