import process from 'node:process'
import { hasCode, isOrlopError, OrlopError } from '../errors.ts'
import { fullReference } from '../oci/reference.ts'
import type { AbortOptions } from '../options.ts'
import { shortNameOf } from '../remotes/registry/short-name.ts'
import type { ResolvedName } from '../remotes/registry/short-names.ts'
import { chooseOn } from './choose.ts'
import type { Context } from './context.ts'
import type { RegistryOptions } from './registry-options.ts'
import { stderr } from './stderr.ts'

/**
 * What a name may stand for in registries: itself when it says its registry; else what registries.conf makes of it; else,
 * where that speaks of neither the name nor registries to search, what Docker makes of it.
 *
 * With `--hosts-dir`, which is containerd's way, registries.conf is not read.
 */
export async function remoteNames(
  text: string,
  { hostsDir, registriesConf, user }: Pick<RegistryOptions, 'hostsDir' | 'registriesConf' | 'user'>,
  { signal }: AbortOptions,
): Promise<ResolvedName> {
  if (hostsDir !== undefined || !shortNameOf(text)) return { candidates: [fullReference(text)] }
  const [{ registries, chosen }, { resolveShortName }] = await Promise.all([
    configuration(registriesConf, { signal }),
    import('../remotes/registry/short-names.ts'),
  ])
  const choose = process.stdin.isTTY && process.stdout.isTTY ? chooseOn(process.stdin, stderr()) : undefined
  const resolved = await resolveShortName(text, { registries, chosen, choose, fallback: 'docker.io', signal })
  const { candidates } = resolved
  if (user === undefined || candidates.length === 1) return resolved
  const all = candidates.join(' or ')
  throw new OrlopError(
    'INVALID_ARGUMENT',
    `--user: ${text} may be ${all}; name the registry that the user is for`,
  )
}

/**
 * What an image may be called here, in the order to look: as registries.conf makes of its name, and as Docker does.
 *
 * A registries.conf that is not valid is passed over: nothing is fetched by it.
 */
export async function namesHere(text: string, { signal }: AbortOptions = {}): Promise<readonly string[]> {
  if (!shortNameOf(text)) return [fullReference(text)]
  const { localNames } = await import('../remotes/registry/short-names.ts')
  try {
    return localNames(text, await configuration(undefined, { signal }))
  } catch (error) {
    if (!isOrlopError(error)) throw error
    return [fullReference(text)]
  }
}

async function configuration(file: string | undefined, options: AbortOptions) {
  const [{ readRegistries }, { aliasesFile, readAliases }] = await Promise.all([
    import('../remotes/registry/registries-files.ts'),
    import('../remotes/registry/short-name-aliases.ts'),
  ])
  return {
    registries: await readRegistries({ file }, options),
    chosen: await readAliases(aliasesFile(), options),
  }
}

/**
 * What `work` makes of the first name for which it succeeds.
 *
 * @throws the error of the only name; of several one that names each with what was wrong
 */
export async function withFirst<T>(
  text: string,
  { candidates, origin }: ResolvedName,
  work: (reference: string) => Promise<T>,
  { signal }: AbortOptions,
): Promise<T> {
  const failures: { readonly reference: string; readonly error: unknown }[] = []
  for (const reference of candidates) {
    try {
      return await work(reference)
    } catch (error) {
      signal?.throwIfAborted()
      if (candidates.length === 1 || !elsewhere.some(code => hasCode(error, code))) throw error
      failures.push({ reference, error })
    }
  }
  throw noneOf(text, origin, failures)
}

/** Failures of one registry, which say nothing of the next. */
const elsewhere = [
  'NOT_FOUND',
  'UNAUTHENTICATED',
  'PERMISSION_DENIED',
  'UNAVAILABLE',
  'RESOURCE_EXHAUSTED',
] as const

/** Records what was chosen just now, so that nobody is asked again; to be called when it has been pulled. */
export async function recordChoice(
  { choice }: ResolvedName,
  { out, signal }: Pick<Context, 'out' | 'signal'>,
): Promise<void> {
  if (!choice) return
  const { aliasesFile, recordAlias } = await import('../remotes/registry/short-name-aliases.ts')
  try {
    await recordAlias(aliasesFile(), choice, { signal })
  } catch (error) {
    // The image is here; next time the question comes again.
    out.note(`orlop: warning: the choice was not recorded: ${error instanceof Error ? error.message : error}`)
  }
}

function noneOf(
  text: string,
  origin: string | undefined,
  failures: readonly { readonly reference: string; readonly error: unknown }[],
): OrlopError {
  const lines = failures.map(({ reference, error }) => {
    const message = error instanceof Error ? error.message : String(error)
    return message.includes(reference) ? message : `${reference}: ${message}`
  })
  // What failed otherwise than by not being there may be mended.
  const telling = failures.find(({ error }) => !hasCode(error, 'NOT_FOUND')) ?? failures[0]
  const code = isOrlopError(telling?.error) ? telling.error.code : 'NOT_FOUND'
  const why = origin === undefined ? '' : ` (${origin})`
  return new OrlopError(
    code,
    `${text}: none of ${failures.length} names could be used${why}: ${lines.join('; ')}`,
    {
      cause: telling?.error,
    },
  )
}
