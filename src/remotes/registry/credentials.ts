import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import path from 'node:path'
import { fromErrno, isNotFound, OrlopError } from '../../errors.ts'
import { isObject, type JsonObject } from '../../oci/json.ts'
import type { AbortOptions } from '../../options.ts'
import { type Credential, type Credentials, parseSecretJson } from './credential.ts'
import { type HelperOptions, helperCredential } from './credential-helper.ts'

/** Where `dockerCredentials` looks. */
export interface DockerCredentialsOptions extends HelperOptions {
  /** The file; default `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`. It need not exist. */
  readonly file?: string | undefined
}

/** Nobody: every registry is asked without credentials. */
export const noCredentials: Credentials = async () => undefined

/** One credential, shown to one registry and to no other. */
export const credentialFor = (host: string, credential: Credential): Credentials => {
  const wanted = canonicalHost(host)
  return async asked => (canonicalHost(asked) === wanted ? credential : undefined)
}

/** The first credential that one of several sources has. */
export const firstCredential =
  (...sources: readonly Credentials[]): Credentials =>
  async (host, options) => {
    for (const source of sources) {
      const found = await source(host, options)
      if (found) return found
    }
    return undefined
  }

/**
 * Credentials as Docker keeps them: a helper for the host, else the helper for all, else `auths` of the file itself.
 *
 * The file is read at each call, so that a login counts at once. A `credsStore` whose program is not installed is passed
 * over: many config files name one that was never there.
 *
 * @throws FAILED_PRECONDITION  the file is there and is not what Docker writes
 * @throws UNAUTHENTICATED  a helper that failed
 */
export function dockerCredentials(options: DockerCredentialsOptions = {}): Credentials {
  const { env = process.env } = options
  const file = options.file ?? path.join(env.DOCKER_CONFIG || path.join(homedir(), '.docker'), 'config.json')
  return async (host, { signal } = {}) => {
    const config = await readConfig(file, { signal })
    if (!config) return undefined
    return (await fromHelpers(config, host, { ...options, signal })) ?? fromAuths(config, host, file)
  }
}

/** A host without the several names of Docker Hub; scheme and path, which old files have, are dropped. */
export function canonicalHost(key: string): string {
  const host = key
    .replace(/^https?:\/\//i, '')
    .replace(/\/.*$/s, '')
    .toLowerCase()
  return hubNames.has(host) ? 'docker.io' : host
}

const hubNames: ReadonlySet<string> = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io'])

/** The key that Docker writes for its hub, and the address its helpers know. */
const hubKey = 'https://index.docker.io/v1/'

async function readConfig(file: string, { signal }: AbortOptions): Promise<JsonObject | undefined> {
  let text: string
  try {
    text = await readFile(file, { encoding: 'utf8', ...(signal ? { signal } : {}) })
  } catch (error) {
    signal?.throwIfAborted()
    const ours = fromErrno(error, file)
    if (isNotFound(ours)) return undefined
    throw ours
  }
  const json = text.trim() === '' ? {} : parseSecretJson(text)
  if (!isObject(json))
    throw new OrlopError('FAILED_PRECONDITION', `${file}: not the JSON object that Docker writes`)
  return json
}

async function fromHelpers(
  config: JsonObject,
  host: string,
  options: HelperOptions & AbortOptions,
): Promise<Credential | undefined> {
  const address = canonicalHost(host) === 'docker.io' ? hubKey : host
  const own = entryFor(config.credHelpers, host)
  if (typeof own === 'string' && own !== '') return helperCredential(own, address, options)
  if (typeof config.credsStore !== 'string' || config.credsStore === '') return undefined
  try {
    return await helperCredential(config.credsStore, address, options)
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

function fromAuths(config: JsonObject, host: string, file: string): Credential | undefined {
  const entry = entryFor(config.auths, host)
  if (!isObject(entry)) return undefined
  const { auth, username, password, identitytoken } = entry
  if (typeof identitytoken === 'string' && identitytoken !== '') return { identityToken: identitytoken }
  if (typeof auth === 'string' && auth !== '') return decodeAuth(auth, `${file}: auths for ${host}`)
  if (typeof username === 'string' && typeof password === 'string' && username !== '')
    return { username, password }
  return undefined
}

/** The value for a host: an exact key first, else the first key that names the same host another way. */
function entryFor(map: unknown, host: string): unknown {
  if (!isObject(map)) return undefined
  if (Object.hasOwn(map, host)) return map[host]
  const wanted = canonicalHost(host)
  const key = Object.keys(map).find(name => isWholeHost(name) && canonicalHost(name) === wanted)
  return key === undefined ? undefined : map[key]
}

/** False for keys of one repository (`quay.io/team`), which say nothing of the host; Docker's `/v1/` and `/v2/` do. */
const isWholeHost = (key: string): boolean => /^(https?:\/\/.*|[^/]+\/?(v[12]\/?)?)$/i.test(key)

function decodeAuth(auth: string, where: string): Credential {
  const text = Buffer.from(auth, 'base64').toString('utf8').replace(/\0+$/, '')
  const at = text.indexOf(':')
  if (at <= 0)
    throw new OrlopError(
      'FAILED_PRECONDITION',
      `${where}: "auth" is not the base64 of user:password; log in again`,
    )
  return { username: text.slice(0, at), password: text.slice(at + 1) }
}
