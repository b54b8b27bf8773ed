import type { Command } from 'commander'
import { OrlopError } from '../../errors.ts'
import type { LoginKey } from '../../remotes/registry/login-key.ts'
import type { Context } from '../context.ts'
import { credentialPlaces, keptCredentials } from '../credential-options.ts'
import { addLoginFileOptions, type LoginFileFlags } from './login-options.ts'

interface LogoutOptions extends LoginFileFlags {
  readonly all?: boolean
}

/** Makes `command` a logout: `orlop logout` and `orlop registry logout`. */
export function addLogout(command: Command, context: Context): void {
  command
    .description('forget what is kept for a registry')
    .argument('[registry]', 'as it was named at login')
    .option('-a, --all', 'forget everything that is kept in the file, and in its helpers')
  addLoginFileOptions(command).action((registry: string | undefined, options: LogoutOptions) =>
    logout(registry, options, context),
  )
}

async function logout(text: string | undefined, options: LogoutOptions, context: Context): Promise<void> {
  if ((text === undefined) !== (options.all === true))
    throw new OrlopError('INVALID_ARGUMENT', 'name a registry, or give --all')
  const { removeAllLogins, removeLogin } = await import('../../remotes/registry/login-store.ts')
  const { signal } = context
  const place = { ...(await credentialPlaces(options, { signal })), signal }
  if (text === undefined) return report(undefined, await removeAllLogins(place), context)
  const { parseLoginKey } = await import('../../remotes/registry/login-key.ts')
  const key = parseLoginKey(text)
  report(key.key, await removeLogin(key, place), context)
  await warnOfOthers(key, options, context)
}

function report(
  registry: string | undefined,
  removed: readonly string[],
  { out, options: { json, quiet } }: Context,
): void {
  if (json) out.json({ registry, removed })
  if (json || quiet) return
  if (registry !== undefined) out.line(`logged out of ${registry}`)
  for (const place of removed) out.note(`removed from ${place}`)
}

/** Says when another file or helper still has something for the registry: it would be used. */
async function warnOfOthers(
  { key, host, namespace }: LoginKey,
  options: LogoutOptions,
  { out, signal }: Context,
): Promise<void> {
  const left = await keptCredentials(options)(host, { repository: namespace, signal }).catch(() => undefined)
  if (left) out.note(`orlop: warning: ${key} is still let in by ${left.source ?? 'another login'}`)
}
