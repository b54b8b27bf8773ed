import process from 'node:process'
import { type Command, Option } from 'commander'
import { OrlopError } from '../errors.ts'
import { parseReference } from '../oci/reference.ts'
import type { AbortOptions } from '../options.ts'
import type { OnProgress } from '../remotes/progress.ts'
import type { Credential, Credentials } from '../remotes/registry/credential.ts'
import type { RateBudget } from '../remotes/registry/host-limits.ts'
import type { RegistryResolver } from '../remotes/registry/resolver.ts'
import { count, requestRate } from './arguments.ts'
import { addConnectionOptions, type ConnectionOptions, connectionOf } from './connection-options.ts'
import { checkAuthFile, keptCredentials } from './credential-options.ts'
import { readPassword } from './password.ts'
import { stderr } from './stderr.ts'

/** Options of every command that reads or writes images in a registry. */
export interface RegistryOptions extends ConnectionOptions {
  readonly user?: string
  readonly authfile?: string
  readonly registryTokenFile?: string
  readonly allowPrivateUrls?: boolean
  readonly requestRate?: RateBudget
  readonly parallelRanges?: number
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
    .addOption(
      new Option(
        '--registry-token-file <file>',
        'file with a bearer token to show to the registry as it is',
      ).conflicts(['user', 'authfile']),
    )
    .option('--allow-private-urls', 'let foreign layers come from loopback and private addresses')
    .option(
      '--request-rate <n/time>',
      'requests that each host gets at most, as 100/1m; what hosts say of their limits is heeded anyway',
      requestRate,
    )
    .option(
      '--parallel-ranges <n>',
      'connections to read one large blob over, 2 or more; default: one',
      count,
    )

/** What `openResolver` may be told. */
export interface OpenResolverOptions extends AbortOptions {
  readonly onProgress?: OnProgress | undefined
}

/**
 * A client for the registry of `reference`. Without `--user` the credentials are those of `orlop login` and the like.
 *
 * Those of `--user` and `--registry-token-file` are for that one registry: no other gets them, wherever it redirects to.
 */
export async function openResolver(
  reference: string,
  options: RegistryOptions,
  { onProgress, signal }: OpenResolverOptions,
): Promise<RegistryResolver> {
  const { RegistryResolver } = await import('../remotes/registry/resolver.ts')
  const { domain } = parseReference(reference)
  const credentials = await credentialsOf(domain, options, { signal })
  const reached = await connectionOf(options, domain, { signal })
  const { allowPrivateUrls, requestRate: budget, parallelRanges: connections } = options
  return new RegistryResolver({
    ...reached,
    credentials,
    allowPrivateUrls,
    rate: budget && { budget: () => budget },
    parallelRanges: connections === undefined ? undefined : { connections },
    onProgress,
  })
}

/** The credentials that the options give for one registry; else those that are kept. */
async function credentialsOf(
  domain: string,
  options: RegistryOptions,
  abort: AbortOptions,
): Promise<Credentials> {
  const { user, registryTokenFile: file } = options
  if (user === undefined && file === undefined) {
    await checkAuthFile(options.authfile)
    return keptCredentials(options)
  }
  const { credentialFor } = await import('../remotes/registry/credentials.ts')
  return credentialFor(
    domain,
    user === undefined ? await tokenIn(file ?? '', abort) : await credentialOf(user, abort),
  )
}

async function tokenIn(file: string, abort: AbortOptions): Promise<Credential> {
  const { readText } = await import('../remotes/registry/text-file.ts')
  const text = await readText(file, abort)
  if (text === undefined) throw new OrlopError('NOT_FOUND', `--registry-token-file ${file}: no such file`)
  return { registryToken: text.trim(), source: file }
}

async function credentialOf(user: string, options: AbortOptions): Promise<Credential> {
  const at = user.indexOf(':')
  const username = at < 0 ? user : user.slice(0, at)
  if (username === '') throw new OrlopError('INVALID_ARGUMENT', '--user: give <name> or <name>:<password>')
  if (at >= 0) return { username, password: user.slice(at + 1) }
  return {
    username,
    password: await readPassword(`Password of ${username}: `, process.stdin, stderr(), options),
  }
}
