import { OrlopError } from '../../errors.ts'
import { asArray, asObject, asString, type JsonObject, optional } from '../../oci/json.ts'
import { checkAlias } from './short-name.ts'

/** For which references a mirror is asked. */
export type PullFromMirror = 'all' | 'digest-only' | 'tag-only'

/** Another place of what a prefix names. */
export interface Mirror {
  /** Host, perhaps with a port, and perhaps the beginning of a path. */
  readonly location: string
  /** True: its certificate is not checked, and plain HTTP will do. */
  readonly insecure: boolean
  readonly pullFrom: PullFromMirror
}

/** What a `[[registry]]` says of all references that begin with its prefix. */
export interface Registry {
  /** Host, namespace, repository or image; or `*.` and a domain. */
  readonly prefix: string
  /** What stands in place of the prefix; `''`, for wildcards alone: the prefix stays. */
  readonly location: string
  readonly insecure: boolean
  /** True: nothing may be pulled from there, or pushed to there. */
  readonly blocked: boolean
  readonly mirrors: readonly Mirror[]
}

/** What to do with a short name that several registries may have. */
export type ShortNameMode = 'enforcing' | 'permissive' | 'disabled'

/** One `registries.conf`; what it does not speak of is absent. */
export interface RegistriesConf {
  readonly registries: readonly Registry[]
  /** The hosts where short names are looked for. */
  readonly search?: readonly string[]
  readonly credentialHelpers?: readonly string[]
  readonly shortNameMode?: ShortNameMode
  /** Repository by short name; `''` takes an alias away that an earlier file has. */
  readonly aliases: ReadonlyMap<string, string>
}

/**
 * Reads a `registries.conf` of version 2, or of version 1, which is made one of version 2.
 *
 * @throws INVALID_ARGUMENT  a value that is not valid, or the two versions mixed; its place is named
 * @see containers-registries.conf(5)
 */
export function registriesConf(table: JsonObject): RegistriesConf {
  const isFirst = Object.hasOwn(table, 'registries')
  const second = Object.keys(table).find(key => secondKeys.has(key))
  if (isFirst && second !== undefined)
    throw invalid(`"registries" is of version 1 and "${second}" of version 2; use version 2 alone`)
  return isFirst ? firstVersion(asObject(table.registries, 'registries')) : secondVersion(table)
}

/** True for a document of version 1, which a drop-in must not be. */
export const isFirstVersion = (table: JsonObject): boolean => Object.hasOwn(table, 'registries')

const secondKeys: ReadonlySet<string> = new Set([
  'registry',
  'unqualified-search-registries',
  'credential-helpers',
  'short-name-mode',
  'aliases',
  'additional-layer-store-auth-helper',
])

function firstVersion(table: JsonObject): RegistriesConf {
  const listOf = (key: string): readonly string[] => {
    const part = optional(table[key], `registries.${key}`, asObject)
    return optional(part?.registries, `registries.${key}.registries`, asStrings) ?? []
  }
  const [insecure, blocked] = [listOf('insecure'), listOf('block')].map(list => list.map(trimmed))
  const names = [...new Set([...(insecure ?? []), ...(blocked ?? [])])]
  const registries = names.map(name => ({
    prefix: checkPlace(name, 'registries'),
    location: name,
    insecure: insecure?.includes(name) ?? false,
    blocked: blocked?.includes(name) ?? false,
    mirrors: [],
  }))
  const search = listOf('search').map(trimmed)
  return { registries: sorted(registries), search: search.map(checkSearch), aliases: new Map() }
}

function secondVersion(table: JsonObject): RegistriesConf {
  const registries =
    optional(table.registry, 'registry', (value, what) => asArray(value, what, registryOf)) ?? []
  refuseContradictions(registries)
  const search = optional(table['unqualified-search-registries'], 'unqualified-search-registries', asStrings)
  const helpers = optional(table['credential-helpers'], 'credential-helpers', asStrings)
  const mode = optional(table['short-name-mode'], 'short-name-mode', modeOf)
  const aliases = Object.entries(optional(table.aliases, 'aliases', asObject) ?? {})
  return {
    registries: sorted(registries),
    ...(search && { search: search.map(trimmed).map(checkSearch) }),
    ...(helpers && { credentialHelpers: helpers }),
    ...(mode !== undefined && { shortNameMode: mode }),
    aliases: new Map(aliases.map(([name, value]) => checkAlias(name, value))),
  }
}

/** By prefix; of several with the same prefix the first. */
function sorted(registries: readonly Registry[]): readonly Registry[] {
  const byPrefix = new Map(registries.toReversed().map(registry => [registry.prefix, registry]))
  return [...byPrefix.values()].sort((a, b) => (a.prefix < b.prefix ? -1 : 1))
}

function registryOf(value: unknown, what: string): Registry {
  const table = asObject(value, what)
  const { insecure, blocked } = table
  const location = placeOf(table.location, `${what}.location`)
  const prefix = placeOf(table.prefix, `${what}.prefix`) || location
  const isWildcard = prefix.startsWith('*.')
  if (prefix === '') throw invalid(`${what}: neither "prefix" nor "location"`)
  if (location === '' && !isWildcard)
    throw invalid(`${what}: "location" is missing; only "*." prefixes need none`)
  if (isWildcard && /[/@:]/.test(prefix))
    throw invalid(
      `${what}.prefix: ${JSON.stringify(prefix)}: a wildcard is "*." and a domain, and nothing more`,
    )
  if (table['pull-from-mirror'] !== undefined)
    throw invalid(`${what}: "pull-from-mirror" is for mirrors, not for the registry itself`)
  const byDigest =
    optional(table['mirror-by-digest-only'], `${what}.mirror-by-digest-only`, asBoolean) ?? false
  const mirrors = optional(table.mirror, `${what}.mirror`, (list, at) =>
    asArray(list, at, (mirror, place) => mirrorOf(mirror, place, byDigest)),
  )
  return {
    prefix,
    location,
    insecure: optional(insecure, `${what}.insecure`, asBoolean) ?? false,
    blocked: optional(blocked, `${what}.blocked`, asBoolean) ?? false,
    mirrors: mirrors ?? [],
  }
}

const kinds: readonly string[] = ['all', 'digest-only', 'tag-only'] satisfies readonly PullFromMirror[]

function mirrorOf(value: unknown, what: string, byDigest: boolean): Mirror {
  const table = asObject(value, what)
  const location = placeOf(table.location, `${what}.location`)
  if (location === '') throw invalid(`${what}: "location" is missing`)
  const kind = optional(table['pull-from-mirror'], `${what}.pull-from-mirror`, asString) || undefined
  if (kind !== undefined && byDigest)
    throw invalid(`${what}: "pull-from-mirror" together with "mirror-by-digest-only" of its registry`)
  if (kind !== undefined && !isKind(kind))
    throw invalid(`${what}.pull-from-mirror: ${JSON.stringify(kind)} is none of ${kinds.join(', ')}`)
  return {
    location,
    insecure: optional(table.insecure, `${what}.insecure`, asBoolean) ?? false,
    pullFrom: kind ?? (byDigest ? 'digest-only' : 'all'),
  }
}

const isKind = (text: string): text is PullFromMirror => kinds.includes(text)

/** Two entries for one location must not disagree. */
function refuseContradictions(registries: readonly Registry[]): void {
  const seen = new Map<string, Registry>()
  for (const registry of registries) {
    const { location, insecure, blocked } = registry
    const other = location === '' ? undefined : seen.get(location)
    seen.set(location, other ?? registry)
    if (other && (other.insecure !== insecure || other.blocked !== blocked))
      throw invalid(
        `registry ${JSON.stringify(location)}: defined more than once, with other "insecure" or "blocked"`,
      )
  }
}

const placeOf = (value: unknown, what: string): string =>
  checkPlace(trimmed(optional(value, what, asString) ?? ''), what)

const trimmed = (text: string): string => text.replace(/\/$/, '')

function checkPlace(place: string, what: string): string {
  if (!/^https?:\/\//i.test(place)) return place
  throw invalid(
    `${what}: ${JSON.stringify(place)}: leave out the scheme; "insecure = true" allows plain HTTP`,
  )
}

const hostShape =
  /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*|\[[0-9a-f:]+\])(?::\d+)?$/i

function checkSearch(host: string): string {
  if (hostShape.test(host)) return host
  throw invalid(`unqualified-search-registries: ${JSON.stringify(host)} is not a host, perhaps with a port`)
}

const modes: readonly string[] = ['enforcing', 'permissive', 'disabled'] satisfies readonly ShortNameMode[]

const isMode = (text: string): text is ShortNameMode => modes.includes(text)

function modeOf(value: unknown, what: string): ShortNameMode | undefined {
  const text = asString(value, what)
  if (text === '') return undefined
  if (isMode(text)) return text
  throw invalid(`${what}: ${JSON.stringify(text)} is none of ${modes.join(', ')}`)
}

const asStrings = (value: unknown, what: string): readonly string[] => asArray(value, what, asString)

function asBoolean(value: unknown, what: string): boolean {
  if (typeof value === 'boolean') return value
  throw invalid(`${what}: expected true or false`)
}

const invalid = (message: string): OrlopError => new OrlopError('INVALID_ARGUMENT', message)
