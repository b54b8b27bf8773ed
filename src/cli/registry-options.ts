import process from 'node:process'
import type { Command } from 'commander'
import { OrlopError } from '../errors.ts'
import { parseReference } from '../oci/reference.ts'
import type { AbortOptions } from '../options.ts'
import type { OnProgress } from '../remotes/progress.ts'
import type { Credential, Credentials } from '../remotes/registry/credential.ts'
import type { RegistryResolver } from '../remotes/registry/resolver.ts'
import { addConnectionOptions, type ConnectionOptions, connectionOf } from './connection-options.ts'
import { checkAuthFile, keptCredentials } from './credential-options.ts'
import { readPassword } from './password.ts'

/** Options of every command that reads or writes images in a registry. */
export interface RegistryOptions extends ConnectionOptions {
  readonly user?: string
  readonly authfile?: string
  readonly allowPrivateUrls?: boolean
}

/** Adds the options of `RegistryOptions`, named as `ctr` names them. */
export const addRegistryOptions = (command: Command): Command =>
  addConnectionOptions(command)
    .option(
      '-u, --user <name[:password]>',
      'credentials for the registry; the password is asked for when missing',
    )
    .option(
      '--authfile <file>',
      'the only file to look for credentials in, as `orlop login --authfile` writes it',
    )
    .option('--allow-private-urls', 'let foreign layers come from loopback and private addresses')

/** What `openResolver` may be told. */
export interface OpenResolverOptions extends AbortOptions {
  readonly onProgress?: OnProgress | undefined
}

/**
 * A client for the registry of `reference`. Without `--user` the credentials are those of `orlop login` and the like.
 *
 * Those of `--user` are for that one registry: no other gets them, wherever it redirects to.
 */
export async function openResolver(
  reference: string,
  { user, authfile, allowPrivateUrls, ...connection }: RegistryOptions,
  { onProgress, signal }: OpenResolverOptions,
): Promise<RegistryResolver> {
  const [{ RegistryResolver }, { credentialFor }] = await Promise.all([
    import('../remotes/registry/resolver.ts'),
    import('../remotes/registry/credentials.ts'),
  ])
  const { domain } = parseReference(reference)
  if (user === undefined) await checkAuthFile(authfile)
  const credentials: Credentials =
    user === undefined
      ? keptCredentials({ authfile, ...connection })
      : credentialFor(domain, await credentialOf(user, { signal }))
  const reached = await connectionOf(connection, domain, { signal })
  return new RegistryResolver({ ...reached, credentials, allowPrivateUrls, onProgress })
}

async function credentialOf(user: string, options: AbortOptions): Promise<Credential> {
  const at = user.indexOf(':')
  const username = at < 0 ? user : user.slice(0, at)
  if (username === '') throw new OrlopError('INVALID_ARGUMENT', '--user: give <name> or <name>:<password>')
  if (at >= 0) return { username, password: user.slice(at + 1) }
  return {
    username,
    password: await readPassword(`Password of ${username}: `, process.stdin, process.stderr, options),
  }
}
