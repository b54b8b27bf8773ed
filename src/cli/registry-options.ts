import process from 'node:process'
import type { Command } from 'commander'
import { OrlopError } from '../errors.ts'
import { parseReference } from '../oci/reference.ts'
import type { AbortOptions } from '../options.ts'
import type { OnProgress } from '../remotes/progress.ts'
import type { Credential, Credentials } from '../remotes/registry/credential.ts'
import type { RegistryResolver } from '../remotes/registry/resolver.ts'
import { readPassword } from './password.ts'

/** Options of every command that talks to a registry. */
export interface RegistryOptions {
  readonly plainHttp?: boolean
  readonly user?: string
  readonly allowPrivateUrls?: boolean
}

/** Adds the options of `RegistryOptions`, named as `ctr` names them. */
export const addRegistryOptions = (command: Command): Command =>
  command
    .option('--plain-http', 'speak HTTP without TLS to the registry; loopback addresses get it anyway')
    .option(
      '-u, --user <name[:password]>',
      'credentials for the registry; the password is asked for when missing',
    )
    .option('--allow-private-urls', 'let foreign layers come from loopback and private addresses')

/** What `openResolver` may be told. */
export interface OpenResolverOptions extends AbortOptions {
  readonly onProgress?: OnProgress | undefined
}

/**
 * A client for the registry of `reference`. Without `--user` the credentials are Docker's.
 *
 * Those of `--user` are for that one registry: no other gets them, wherever it redirects to.
 */
export async function openResolver(
  reference: string,
  { plainHttp, user, allowPrivateUrls }: RegistryOptions,
  { onProgress, signal }: OpenResolverOptions,
): Promise<RegistryResolver> {
  const [{ RegistryResolver }, { credentialFor }] = await Promise.all([
    import('../remotes/registry/resolver.ts'),
    import('../remotes/registry/credentials.ts'),
  ])
  const { domain } = parseReference(reference)
  const credentials: Credentials | undefined =
    user === undefined ? undefined : credentialFor(domain, await credentialOf(user, { signal }))
  return new RegistryResolver({ credentials, plainHttp, allowPrivateUrls, onProgress })
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
