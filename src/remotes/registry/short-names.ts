import { OrlopError } from '../../errors.ts'
import { formatReference, fullReference, parseReference, type Reference } from '../../oci/reference.ts'
import type { AbortOptions } from '../../options.ts'
import type { ShortNameMode } from './registries-conf.ts'
import type { Registries } from './registries-files.ts'
import { type ShortName, shortNameOf } from './short-name.ts'

/** Asks a person which of several full references is meant; gives one of them. */
export type Choose = (name: string, candidates: readonly string[], options: AbortOptions) => Promise<string>

/** What short names are resolved by. */
export interface ShortNameOptions extends AbortOptions {
  readonly registries: Pick<Registries, 'search' | 'aliases' | 'files' | 'shortNameMode'>
  /** Default: what registries.conf says. */
  readonly mode?: ShortNameMode | undefined
  /** Repository by short name, as people chose them before; they come before the aliases of registries.conf. */
  readonly chosen?: ReadonlyMap<string, string> | undefined
  /** Absent: there is nobody to ask. */
  readonly choose?: Choose | undefined
  /** A registry for names that no file speaks of, in place of an error: `docker.io`, as Docker has it. */
  readonly fallback?: string | undefined
}

/** What a name may stand for. */
export interface ResolvedName {
  /** Full references in the order to try them; the tag is `latest` where there was neither tag nor digest. */
  readonly candidates: readonly string[]
  /** Why these, for people; absent: the name says its registry. */
  readonly origin?: string
  /** What a person chose just now; to be recorded as alias once it has been pulled. */
  readonly choice?: { readonly name: string; readonly repository: string }
}

/**
 * What a name stands for: itself when it says its registry, else what an alias or the unqualified-search registries make
 * of it.
 *
 * Of several registries, `permissive` has the person choose or, where there is none, all tried in order; `enforcing` the
 * person choose or nothing; `disabled` all tried. An alias decides in each mode.
 *
 * @throws INVALID_ARGUMENT  not a reference
 * @throws FAILED_PRECONDITION  neither alias nor registry, or nobody to choose
 * @see containers/image pkg/shortnames, Resolve
 */
export async function resolveShortName(text: string, options: ShortNameOptions): Promise<ResolvedName> {
  const { registries, chosen, choose, fallback, signal } = options
  const name = shortNameOf(text)
  if (!name) return { candidates: [fullReference(text)] }
  const alias = chosen?.get(name.repository) || registries.aliases.get(name.repository)
  if (alias !== undefined) {
    return { candidates: [under(alias, name)], origin: `alias of ${JSON.stringify(name.repository)}` }
  }
  const { search } = registries
  if (search.length === 0) {
    if (fallback === undefined) throw unresolved(text, registries.files)
    return { candidates: [under(`${fallback}/${name.repository}`, name)] }
  }
  const candidates = search.map(host => under(`${host}/${name.repository}`, name))
  const origin = `unqualified-search registries of ${registries.files.join(', ')}`
  const mode = options.mode ?? registries.shortNameMode
  if (mode === 'disabled' || candidates.length === 1) return { candidates, origin }
  if (!choose) {
    if (mode === 'permissive') return { candidates, origin }
    throw new OrlopError(
      'FAILED_PRECONDITION',
      `${text}: short-name resolution enforced but cannot prompt without a TTY; name the registry, one of ${search.join(', ')}`,
    )
  }
  const choice = await choose(text, candidates, { signal })
  const { domain, path } = parseReference(choice)
  return { candidates: [choice], origin, choice: { name: name.repository, repository: `${domain}/${path}` } }
}

/**
 * What a name may be called here, in the order to look: by its alias, as an image of this machine (`localhost/…`), by the
 * unqualified-search registries, and as Docker would call it.
 *
 * @throws INVALID_ARGUMENT  not a reference
 * @see containers/image pkg/shortnames, ResolveLocally
 */
export function localNames(
  text: string,
  { registries, chosen }: Pick<ShortNameOptions, 'registries' | 'chosen'>,
): readonly string[] {
  const name = shortNameOf(text)
  if (!name) return [fullReference(text)]
  const alias = chosen?.get(name.repository) || registries.aliases.get(name.repository)
  const hosts = ['localhost', ...registries.search]
  const places = hosts.map(host => `${host}/${name.repository}`)
  const all = [...(alias === undefined ? [] : [alias]), ...places].map(place => under(place, name))
  return [...new Set([...all, fullReference(text)])]
}

/** A repository with the tag or digest that was behind the short name; a digest alone says which bytes. */
function under(repository: string, { tag, digest }: ShortName): string {
  const { domain, path }: Reference = parseReference(repository)
  if (digest !== undefined) return formatReference({ domain, path, digest })
  return formatReference({ domain, path, tag: tag ?? 'latest' })
}

function unresolved(text: string, files: readonly string[]): OrlopError {
  const why =
    files.length > 0
      ? `no unqualified-search registries are defined in ${files.map(file => JSON.stringify(file)).join(', ')}`
      : 'no containers-registries.conf(5) was found'
  return new OrlopError(
    'FAILED_PRECONDITION',
    `short-name ${JSON.stringify(text)} did not resolve to an alias and ${why}`,
  )
}
