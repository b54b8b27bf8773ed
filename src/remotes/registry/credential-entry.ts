import { OrlopError } from '../../errors.ts'
import { isObject, type JsonObject } from '../../oci/json.ts'
import type { Credential } from './credential.ts'

/**
 * The credential of one entry of `auths`; `undefined` for an empty one.
 *
 * A registry token counts before an identity token, and that before user and password, as in Docker.
 *
 * @param where  names the entry in errors
 * @throws FAILED_PRECONDITION  `auth` is not the base64 of user:password
 */
export function decodeEntry(entry: unknown, where: string): Credential | undefined {
  if (!isObject(entry)) return undefined
  const { registrytoken, identitytoken, auth, username, password } = entry
  const source = where
  if (isText(registrytoken)) return { registryToken: registrytoken, source }
  const user = isText(auth) ? decodeAuth(auth, where, isText(identitytoken)) : undefined
  if (isText(identitytoken)) {
    const name = user?.username || (isText(username) ? username : undefined)
    return { identityToken: identitytoken, ...(name !== undefined && { username: name }), source }
  }
  if (user) return user.username === '' && user.password === '' ? undefined : { ...user, source }
  return isText(username) && typeof password === 'string' ? { username, password, source } : undefined
}

/** The entry that keeps a user's password; whatever else stood there besides secrets stays. */
export function encodeEntry(before: unknown, username: string, password: string): JsonObject {
  const kept = Object.entries(isObject(before) ? before : {}).filter(([key]) => !secretKeys.has(key))
  const auth = Buffer.from(`${username}:${password}`).toString('base64')
  return { ...Object.fromEntries(kept), auth }
}

const secretKeys: ReadonlySet<string> = new Set([
  'auth',
  'username',
  'password',
  'identitytoken',
  'registrytoken',
])

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''

function decodeAuth(
  auth: string,
  where: string,
  lenient: boolean,
): { readonly username: string; readonly password: string } | undefined {
  const refuse = (why: string): undefined => {
    if (lenient) return undefined
    throw new OrlopError(
      'FAILED_PRECONDITION',
      `${where}: "auth" is not ${why} of user:password; log in again`,
    )
  }
  const base64 = auth.replaceAll(/\s/g, '')
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(base64) || base64.replace(/=+$/, '').length % 4 === 1)
    return refuse('base64')
  const text = Buffer.from(base64, 'base64').toString('utf8').replace(/\0+$/, '')
  const at = text.indexOf(':')
  if (at < 0 || (at === 0 && text !== ':')) return refuse('the base64')
  return { username: text.slice(0, at), password: text.slice(at + 1) }
}
