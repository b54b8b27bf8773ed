import process from 'node:process'
import { type Command, Option } from 'commander'
import { hasCode, isOrlopError, OrlopError } from '../../errors.ts'
import type { Credential, Credentials } from '../../remotes/registry/credential.ts'
import type { LoginKey } from '../../remotes/registry/login-key.ts'
import { addConnectionOptions, type ConnectionOptions, connectionOf } from '../connection-options.ts'
import type { Context } from '../context.ts'
import {
  type CredentialFlags,
  credentialPlaces,
  firstRegistry,
  keptCredentials,
} from '../credential-options.ts'
import { readAnswer, readPassword, readWholePassword } from '../password.ts'
import { addLoginFileOptions, type LoginFileFlags } from './login-options.ts'

interface LoginOptions extends ConnectionOptions, LoginFileFlags {
  readonly username?: string
  readonly password?: string | true
  readonly passwordStdin?: boolean
  readonly getLogin?: boolean
}

interface User {
  readonly username: string
  readonly password: string
}

/** Makes `command` a login: `orlop login` and `orlop registry login`. */
export function addLogin(command: Command, context: Context): void {
  command
    .description('check a user and password with a registry, and keep them for later commands')
    .argument(
      '[registry]',
      'where: ghcr.io, localhost:5000, or a part of a registry as quay.io/team; default: the first that registries.conf searches',
    )
    .option('-u, --username <name>', 'who; asked for when missing')
    .option('--password-stdin', 'read the password from stdin instead of asking for it')
    .addOption(new Option('-p, --password [password]').hideHelp())
    .option('--get-login', 'print who is logged in, and do nothing')
  addConnectionOptions(addLoginFileOptions(command)).action(
    (registry: string | undefined, options: LoginOptions) => login(registry, options, context),
  )
}

async function login(given: string | undefined, options: LoginOptions, context: Context): Promise<void> {
  if (options.password !== undefined)
    throw new OrlopError(
      'INVALID_ARGUMENT',
      '--password: not taken, for other users of this machine can read command lines; use --password-stdin',
    )
  const { parseLoginKey } = await import('../../remotes/registry/login-key.ts')
  const text = given ?? (await defaultRegistry(options, context))
  const key = parseLoginKey(text)
  if (/^https?:\/\//i.test(text)) context.out.note(`orlop: warning: ${text}: the scheme is left out`)
  if (options.getLogin) return printLogin(key, options, context)
  const interactive = options.username === undefined && !options.passwordStdin
  const known = interactive ? await stored(key, options, context) : undefined
  if (known && (await isValid(known, key, options, context))) return report(key, known, known.source, context)
  const user = await askUser(options, known, context)
  await check(user, key, options, context)
  const { saveLogin } = await import('../../remotes/registry/login-store.ts')
  const { signal } = context
  const place = await saveLogin(key, user, { ...(await credentialPlaces(options, { signal })), signal })
  report(key, user, place, context)
}

async function printLogin(key: LoginKey, options: LoginOptions, context: Context): Promise<void> {
  const { out } = context
  const known = await stored(key, options, context)
  if (!known) throw new OrlopError('NOT_FOUND', `not logged in to ${key.key}`)
  if (context.options.json) out.json({ registry: key.key, username: userOf(known), source: known.source })
  else out.line(userOf(known) ?? '<token>')
}

const userOf = (credential: Credential): string | undefined =>
  'username' in credential ? credential.username : undefined

/** What is kept for a registry already. */
const stored = (
  { host, namespace }: LoginKey,
  options: CredentialFlags,
  { signal }: Context,
): Promise<Credential | undefined> => keptCredentials(options)(host, { repository: namespace, signal })

async function defaultRegistry(options: CredentialFlags, { signal }: Context): Promise<string> {
  const found = await firstRegistry(options, { signal })
  if (found !== undefined) return found
  throw new OrlopError('INVALID_ARGUMENT', 'which registry? registries.conf has none to search')
}

/** Whether a registry still lets in who is kept for it. */
async function isValid(
  credential: Credential,
  key: LoginKey,
  options: LoginOptions,
  context: Context,
): Promise<boolean> {
  try {
    await check(credential, key, options, context)
    return true
  } catch (error) {
    if (!hasCode(error, 'UNAUTHENTICATED') && !hasCode(error, 'PERMISSION_DENIED')) throw error
    context.out.note(`orlop: ${isOrlopError(error) ? error.message : error}`)
    return false
  }
}

async function check(
  credential: Credential,
  { host, namespace }: LoginKey,
  options: LoginOptions,
  { out, signal }: Context,
): Promise<void> {
  const [{ RegistryResolver }, { credentialFor }] = await Promise.all([
    import('../../remotes/registry/resolver.ts'),
    import('../../remotes/registry/credentials.ts'),
  ])
  const only = credentialFor(host, credential)
  let asked = false
  const credentials: Credentials = (...wanted) => {
    asked = true
    return only(...wanted)
  }
  await using resolver = new RegistryResolver({
    ...(await connectionOf(options, host, { signal })),
    credentials,
  })
  await resolver.ping({ domain: host, path: namespace }, { signal })
  if (!asked) out.note(`orlop: warning: ${host} asked for no credentials, so the password was not tried`)
}

async function askUser(
  { username: given, passwordStdin }: LoginOptions,
  known: Credential | undefined,
  { signal }: Context,
): Promise<User> {
  const { stdin, stderr } = process
  if (passwordStdin) {
    if (given === undefined)
      throw new OrlopError(
        'INVALID_ARGUMENT',
        '--password-stdin: give --username too, for stdin has the password',
      )
    return { username: given, password: await readWholePassword(stdin, stderr, { signal }) }
  }
  if (stdin.isTTY !== true)
    throw new OrlopError(
      'INVALID_ARGUMENT',
      'stdin is no terminal to ask on; give --username and --password-stdin',
    )
  const before = known && userOf(known)
  const prompt = before === undefined ? 'Username: ' : `Username (${before}): `
  const username = given ?? ((await readAnswer(prompt, stdin, stderr, { signal })) || before)
  if (username === undefined) throw new OrlopError('INVALID_ARGUMENT', 'no user was given')
  return { username, password: await readPassword('Password: ', stdin, stderr, { signal }) }
}

function report(
  { key }: LoginKey,
  user: Credential,
  place: string | undefined,
  { out, options: { json, quiet } }: Context,
): void {
  if (json) out.json({ registry: key, username: userOf(user), source: place })
  else if (!quiet) {
    out.line(`logged in to ${key} as ${userOf(user) ?? '<token>'}`)
    if (place !== undefined) out.note(`kept in ${place}`)
  }
}
