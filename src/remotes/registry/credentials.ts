import { isNotFound, OrlopError } from '../../errors.ts'
import type { AbortOptions } from '../../options.ts'
import {
  type Credential,
  type CredentialOptions,
  type Credentials,
  canonicalHost,
  serverNames,
} from './credential.ts'
import { decodeEntry } from './credential-entry.ts'
import { type CredentialDocument, entryFor, hostKey, readCredentialFile } from './credential-file.ts'
import {
  type CredentialFile,
  type CredentialFilesOptions,
  credentialFiles,
  dockerConfigFile,
} from './credential-files.ts'
import { type HelperOptions, helperCredential } from './credential-helper.ts'

/** Where `dockerCredentials` looks. */
export interface DockerCredentialsOptions extends HelperOptions {
  /** The file; default `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`. It need not exist. */
  readonly file?: string | undefined
}

/** Where `storedCredentials` looks. */
export interface StoredCredentialsOptions extends HelperOptions, CredentialFilesOptions {
  /**
   * The sources in order, as `credential-helpers` of registries.conf has them: names of helpers, and
   * `containers-auth.json` for the files. Default: the files.
   */
  readonly credentialHelpers?: readonly string[] | undefined
}

/** The name that stands for the files among `credential-helpers`. @see containers-registries.conf(5) */
export const filesHelper = 'containers-auth.json'

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
 * Credentials as Docker keeps them, of its config.json alone: a helper for the host, else the helper for all, else
 * `auths` of the file itself.
 *
 * @throws as `storedCredentials`
 */
export function dockerCredentials(options: DockerCredentialsOptions = {}): Credentials {
  const file: CredentialFile = {
    name: options.file ?? dockerConfigFile(options.env ?? process.env),
    format: 'auths',
  }
  return (host, wanted = {}) => fromFile(file, host, { ...options, ...wanted })
}

/**
 * The credentials of whoever runs this, as podman, skopeo and Docker find them.
 *
 * The first file that has an entry decides: see `credentialFiles` for their order. In a file the helper of the host
 * (`credHelpers`) comes first, then the helper for all (`credsStore`, which Docker has and containers/image has not),
 * then `auths` with the longest key that the repository lies below. A `credsStore` whose program is not installed is
 * passed over: many config files name one that was never there.
 *
 * Files are read at each call, so that a login counts at once.
 *
 * @throws FAILED_PRECONDITION  a file is there and is not what such files are; the rest is not searched
 * @throws UNAUTHENTICATED  a helper failed, and nothing else had an answer
 * @see containers-auth.json(5); containers/image pkg/docker/config
 */
export function storedCredentials(options: StoredCredentialsOptions = {}): Credentials {
  const { credentialHelpers = [filesHelper] } = options
  return async (host, wanted = {}) => {
    let failure: unknown
    for (const helper of credentialHelpers) {
      if (helper === filesHelper) {
        const found = await fromFiles(options, host, wanted)
        if (found) return found
        continue
      }
      try {
        const found = await askHelper(helper, host, { ...options, ...wanted })
        if (found) return found
      } catch (error) {
        wanted.signal?.throwIfAborted()
        failure ??= error
      }
    }
    if (failure !== undefined) throw failure
    return undefined
  }
}

async function fromFiles(
  options: StoredCredentialsOptions,
  host: string,
  wanted: CredentialOptions,
): Promise<Credential | undefined> {
  for (const file of credentialFiles(options)) {
    const found = await fromFile(file, host, { ...options, ...wanted })
    if (found) return found
  }
  return undefined
}

async function fromFile(
  file: CredentialFile,
  host: string,
  options: HelperOptions & CredentialOptions,
): Promise<Credential | undefined> {
  const document = await readCredentialFile(file, options)
  if (!document) return undefined
  const helped = await fromHelpers(document, file.name, host, options)
  if (helped) return helped
  const entry = entryFor(document, host, options.repository)
  return entry && decodeEntry(entry.value, `${file.name}: auths of ${entry.key}`)
}

async function fromHelpers(
  { credHelpers, credsStore }: CredentialDocument,
  file: string,
  host: string,
  options: HelperOptions & AbortOptions,
): Promise<Credential | undefined> {
  const key = hostKey(credHelpers, host)
  const own = key === undefined ? undefined : credHelpers[key]
  if (own !== undefined && own !== '') {
    if (typeof own !== 'string')
      throw new OrlopError('FAILED_PRECONDITION', `${file}: credHelpers of ${key}: not a name`)
    return askHelper(own, host, options)
  }
  if (credsStore === undefined) return undefined
  try {
    return await askHelper(credsStore, host, options)
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

async function askHelper(
  helper: string,
  host: string,
  options: HelperOptions & AbortOptions,
): Promise<Credential | undefined> {
  for (const server of serverNames(host)) {
    const found = await helperCredential(helper, server, options)
    if (found) return found
  }
  return undefined
}
