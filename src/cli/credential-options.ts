import { access, constants } from 'node:fs/promises'
import process from 'node:process'
import { annotate, fromErrno } from '../errors.ts'
import type { AbortOptions } from '../options.ts'
import type { Credentials } from '../remotes/registry/credential.ts'
import type { Registries } from '../remotes/registry/registries-files.ts'

/** The options that say where credentials are kept. */
export interface CredentialFlags {
  readonly authfile?: string | undefined
  readonly compatAuthFile?: string | undefined
  readonly registriesConf?: string | undefined
  readonly hostsDir?: string | undefined
}

/** Where credentials are looked for and kept. */
export interface CredentialPlaces {
  readonly authFile: string | undefined
  readonly compatAuthFile: string | undefined
  /** `credential-helpers` of registries.conf, which a file that is named comes before. */
  readonly credentialHelpers: readonly string[] | undefined
}

/** Where options and registries.conf say that credentials are kept. */
export async function credentialPlaces(
  { authfile, compatAuthFile, registriesConf, hostsDir }: CredentialFlags,
  options: AbortOptions = {},
): Promise<CredentialPlaces> {
  const named = authfile ?? compatAuthFile ?? process.env.REGISTRY_AUTH_FILE
  const configured = named || hostsDir !== undefined ? undefined : await registries(registriesConf, options)
  return { authFile: authfile, compatAuthFile, credentialHelpers: configured?.credentialHelpers }
}

/** The credentials that are kept there, read anew each time. */
export const keptCredentials =
  (flags: CredentialFlags): Credentials =>
  async (host, wanted = {}) => {
    const { storedCredentials } = await import('../remotes/registry/credentials.ts')
    const { authFile, compatAuthFile, credentialHelpers } = await credentialPlaces(flags, wanted)
    return storedCredentials({ authFile: authFile ?? compatAuthFile, credentialHelpers })(host, wanted)
  }

/** The registry that is meant where none is named: the first that registries.conf searches. */
export const firstRegistry = async (
  { registriesConf }: CredentialFlags,
  options: AbortOptions,
): Promise<string | undefined> => (await registries(registriesConf, options)).search[0]

async function registries(file: string | undefined, options: AbortOptions): Promise<Registries> {
  const { readRegistries } = await import('../remotes/registry/registries-files.ts')
  return readRegistries({ file }, options)
}

/** A file that is named and not there is a slip that would otherwise show as a refusal of the registry. */
export async function checkAuthFile(authfile = process.env.REGISTRY_AUTH_FILE): Promise<void> {
  if (authfile === undefined || authfile === '') return
  try {
    await access(authfile, constants.R_OK)
  } catch (error) {
    throw annotate(fromErrno(error, authfile), '--authfile or REGISTRY_AUTH_FILE')
  }
}
