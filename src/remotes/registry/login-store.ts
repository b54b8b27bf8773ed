import { OrlopError } from '../../errors.ts'
import { isObject, type JsonObject } from '../../oci/json.ts'
import type { AbortOptions } from '../../options.ts'
import { canonicalHost, hubKey, serverNames } from './credential.ts'
import { editCredentialFile } from './credential-edit.ts'
import { encodeEntry } from './credential-entry.ts'
import { hostKey, isWholeHost, part, readCredentialFile } from './credential-file.ts'
import { type HelperOptions, helperErase, helperList, helperStore } from './credential-helper.ts'
import { filesHelper } from './credentials.ts'
import type { LockOptions } from './lock-file.ts'
import { type LoginFile, type LoginFileOptions, loginFile, makeLoginDirectory } from './login-file.ts'
import type { LoginKey } from './login-key.ts'

/** Where logins are kept. */
export interface LoginStoreOptions extends LoginFileOptions, HelperOptions, LockOptions {
  /** As in `StoredCredentialsOptions`; a login goes to the first of them that takes it. */
  readonly credentialHelpers?: readonly string[] | undefined
}

type User = { readonly username: string; readonly password: string }

/**
 * Keeps a user's password for a registry or a part of one: in the helper that the configuration names, else in a file.
 *
 * @returns where: a file, or a helper's program
 * @throws INVALID_ARGUMENT  a user's name with a colon; a part of a registry where only whole ones can be kept
 * @throws UNAVAILABLE, PERMISSION_DENIED  the file cannot be changed
 */
export async function saveLogin(key: LoginKey, user: User, options: LoginStoreOptions = {}): Promise<string> {
  // RFC 7617: what stands before the first colon is the user.
  if (user.username === '' || user.username.includes(':'))
    throw new OrlopError(
      'INVALID_ARGUMENT',
      `user ${JSON.stringify(user.username)}: empty, or with a colon in it`,
    )
  const { credentialHelpers = [filesHelper] } = options
  let failure: unknown
  for (const helper of credentialHelpers) {
    try {
      return helper === filesHelper
        ? await saveInFile(await loginFile(options), key, user, options)
        : await saveInHelper(helper, key, user, options)
    } catch (error) {
      options.signal?.throwIfAborted()
      failure ??= error
    }
  }
  throw (
    failure ??
    new OrlopError('FAILED_PRECONDITION', 'credential-helpers is empty: there is no place for a login')
  )
}

async function saveInFile(
  file: LoginFile,
  key: LoginKey,
  user: User,
  options: LoginStoreOptions,
): Promise<string> {
  const helper = await helperOf(file, key.host, options)
  if (helper !== undefined) return saveInHelper(helper, key, user, options)
  if (file.compat && key.namespace !== undefined)
    throw new OrlopError(
      'INVALID_ARGUMENT',
      `${key.key}: Docker's ${file.path} keeps whole registries only; log in to ${key.host}, or use an auth.json`,
    )
  const name = file.compat && canonicalHost(key.host) === 'docker.io' ? hubKey : key.key
  await makeLoginDirectory(file.path, options.env)
  await editCredentialFile(
    file.path,
    document => {
      const auths = part(document, 'auths', file.path)
      const before = Object.hasOwn(auths, name) ? auths[name] : undefined
      return { ...document, auths: { ...auths, [name]: encodeEntry(before, user.username, user.password) } }
    },
    options,
  )
  return file.path
}

async function saveInHelper(
  helper: string,
  { key, host, namespace }: LoginKey,
  user: User,
  options: HelperOptions & AbortOptions,
): Promise<string> {
  const program = `docker-credential-${helper}`
  if (namespace !== undefined)
    throw new OrlopError(
      'INVALID_ARGUMENT',
      `${key}: ${program} keeps whole registries only; log in to ${host}`,
    )
  await helperStore(helper, serverNames(host)[0] ?? host, user, options)
  return program
}

/** The helper that a file names for a host: its own, else the one for all. */
async function helperOf(file: LoginFile, host: string, options: AbortOptions): Promise<string | undefined> {
  const document = await readCredentialFile({ name: file.path, format: 'auths' }, options)
  if (!document) return undefined
  const key = hostKey(document.credHelpers, host)
  const own = key === undefined ? undefined : document.credHelpers[key]
  return typeof own === 'string' && own !== '' ? own : document.credsStore
}

/**
 * Forgets the login of a registry or a part of one, wherever `saveLogin` may have put it.
 *
 * @returns where it was: files and programs of helpers
 * @throws NOT_FOUND  there is no such login
 */
export async function removeLogin(
  key: LoginKey,
  options: LoginStoreOptions = {},
): Promise<readonly string[]> {
  const { credentialHelpers = [filesHelper] } = options
  const removed: string[] = []
  for (const helper of credentialHelpers) {
    if (helper !== filesHelper) removed.push(...(await removeFromHelper(helper, key, options)))
    else removed.push(...(await removeFromFile(await loginFile(options), key, options)))
  }
  if (removed.length > 0) return removed
  const { path } = await loginFile(options)
  throw new OrlopError('NOT_FOUND', `not logged in to ${key.key} (looked in ${path})`)
}

async function removeFromFile(
  file: LoginFile,
  key: LoginKey,
  options: LoginStoreOptions,
): Promise<readonly string[]> {
  const helper = await helperOf(file, key.host, options)
  const erased = helper === undefined ? [] : await removeFromHelper(helper, key, options)
  const isOurs = (name: string): boolean =>
    name === key.key ||
    (key.namespace === undefined && isWholeHost(name) && canonicalHost(name) === canonicalHost(key.host))
  const edited = await editAuths(
    file,
    auths => Object.entries(auths).filter(([name]) => !isOurs(name)),
    options,
  )
  return [...erased, ...(edited ? [file.path] : [])]
}

async function removeFromHelper(
  helper: string,
  { host, namespace }: LoginKey,
  options: HelperOptions & AbortOptions,
): Promise<readonly string[]> {
  if (namespace !== undefined) return []
  let erased = false
  for (const server of serverNames(host)) erased = (await helperErase(helper, server, options)) || erased
  return erased ? [`docker-credential-${helper}`] : []
}

/** Changes the entries of a file, where it is there; true when that made a difference. */
async function editAuths(
  file: LoginFile,
  keep: (auths: JsonObject) => readonly (readonly [string, unknown])[],
  options: LoginStoreOptions,
): Promise<boolean> {
  // A file that is not there needs no directory and no lock for nothing to be removed from it.
  if (!(await readCredentialFile({ name: file.path, format: 'auths' }, options))) return false
  return editCredentialFile(
    file.path,
    document => {
      const auths = part(document, 'auths', file.path)
      const kept = keep(auths)
      if (kept.length === Object.keys(auths).length) return undefined
      return { ...document, auths: Object.fromEntries(kept) }
    },
    options,
  )
}

/**
 * Forgets every login of the file, and every one that its helpers know; which helper serves which registry stays.
 *
 * @returns where there was something: files and programs of helpers
 * @throws the first failure of a helper, after the others had their turn
 */
export async function removeAllLogins(options: LoginStoreOptions = {}): Promise<readonly string[]> {
  const { credentialHelpers = [filesHelper] } = options
  const removed: string[] = []
  const helpers = new Set(credentialHelpers.filter(name => name !== filesHelper))
  if (credentialHelpers.includes(filesHelper)) {
    const file = await loginFile(options)
    for (const name of await helpersOf(file, options)) helpers.add(name)
    if (await editAuths(file, () => [], options)) removed.push(file.path)
  }
  let failure: unknown
  for (const helper of helpers) {
    try {
      const servers = await helperList(helper, options)
      for (const server of servers) await helperErase(helper, server, options)
      if (servers.length > 0) removed.push(`docker-credential-${helper}`)
    } catch (error) {
      options.signal?.throwIfAborted()
      failure ??= error
    }
  }
  if (failure !== undefined) throw failure
  return removed
}

async function helpersOf(file: LoginFile, options: AbortOptions): Promise<readonly string[]> {
  const document = await readCredentialFile({ name: file.path, format: 'auths' }, options)
  if (!document) return []
  const own = isObject(document.credHelpers) ? Object.values(document.credHelpers) : []
  return [...own, document.credsStore].filter(name => typeof name === 'string' && name !== '') as string[]
}
