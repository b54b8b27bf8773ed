import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { namesIn } from '../../content/fs-durable.ts'
import { fromErrno, OrlopError } from '../../errors.ts'
import { asObject, asString, isObject } from '../../oci/json.ts'
import type { Reference } from '../../oci/reference.ts'
import { dockerScopes } from '../../oci/scopes.ts'
import type { AbortOptions } from '../../options.ts'
import { parseYaml } from './yaml.ts'

/** Where the signatures of an image are, as registries.d says it. */
export interface SignaturePlaces {
  /** Base of the lookaside that is read; one is always there: by default a directory of this machine. */
  readonly lookaside: URL
  /** Base of the lookaside that is written. */
  readonly staging: URL
  /** Whether signatures are attached to images in their repository, as sigstore's tools do. */
  readonly attachments: boolean
}

/** What one scope says; what it leaves out, a wider scope may say. */
interface Entry {
  readonly lookaside?: string
  readonly staging?: string
  readonly attachments?: boolean
}

/** The configuration of a directory registries.d, all its files together. */
export interface RegistriesD {
  /** By scope, see `dockerScopes`; `undefined` is the default. */
  readonly entries: ReadonlyMap<string | undefined, Entry>
}

/** Where the configuration is looked for. */
export interface RegistriesDPlaces {
  /** This directory and no other. */
  readonly directory?: string | undefined
  /** Default: the user's home directory. */
  readonly home?: string | undefined
  /** Default: `/etc/containers/registries.d`. */
  readonly system?: string | undefined
}

/**
 * Reads all `*.yaml` of the directory given, else of `~/.config/containers/registries.d` if there is one, else of
 * `/etc/containers/registries.d`; a directory that is absent says nothing.
 *
 * @throws INVALID_ARGUMENT  a file that is not valid, or two that speak of the same scope; the text names them
 * @see containers-registries.d(5)
 */
export async function loadRegistriesD(
  places: RegistriesDPlaces = {},
  options: AbortOptions = {},
): Promise<RegistriesD> {
  const directory = await directoryOf(places)
  const entries = new Map<string | undefined, Entry>()
  const from = new Map<string | undefined, string>()
  for (const name of (await namesIn(directory)).filter(one => one.endsWith('.yaml'))) {
    const file = path.join(directory, name)
    for (const [scope, entry] of await readFile(file, options)) {
      const other = from.get(scope)
      if (other !== undefined)
        throw new OrlopError(
          'INVALID_ARGUMENT',
          `${scope === undefined ? 'default-docker' : `docker scope ${JSON.stringify(scope)}`} is defined both in ${other} and in ${file}`,
        )
      from.set(scope, file)
      entries.set(scope, entry)
    }
  }
  return { entries }
}

async function directoryOf({
  directory,
  home = os.homedir(),
  system = '/etc/containers/registries.d',
}: RegistriesDPlaces): Promise<string> {
  if (directory !== undefined) return directory
  const own = path.join(home, '.config/containers/registries.d')
  const there = await fs.stat(own).then(
    () => true,
    () => false,
  )
  return there ? own : system
}

const maxFileSize = 1024 * 1024

async function readFile(
  file: string,
  { signal }: AbortOptions,
): Promise<ReadonlyMap<string | undefined, Entry>> {
  let text: string
  try {
    if ((await fs.stat(file)).size > maxFileSize)
      throw new OrlopError('RESOURCE_EXHAUSTED', `${file}: larger than the ${maxFileSize} bytes allowed`)
    text = await fs.readFile(file, { encoding: 'utf8', ...(signal && { signal }) })
  } catch (error) {
    throw fromErrno(error, file)
  }
  return readEntries(await parseYaml(text, file), file)
}

function readEntries(value: unknown, file: string): ReadonlyMap<string | undefined, Entry> {
  const entries = new Map<string | undefined, Entry>()
  // A file of comments only.
  if (value === null) return entries
  const { 'default-docker': fallback, docker } = asObject(value, file)
  if (isThere(fallback)) entries.set(undefined, readEntry(fallback, `${file}: default-docker`))
  if (!isThere(docker)) return entries
  for (const [scope, entry] of Object.entries(asObject(docker, `${file}: docker`)))
    entries.set(scope, readEntry(entry, `${file}: docker.${scope}`))
  return entries
}

const isThere = (value: unknown): boolean => value !== undefined && value !== null

/** The older keys `sigstore…` count where the newer are empty. */
function readEntry(value: unknown, what: string): Entry {
  const json = isObject(value) || isThere(value) ? asObject(value, what) : {}
  const first = (...keys: readonly string[]): string | undefined =>
    keys
      .map(key => (isThere(json[key]) ? asString(json[key], `${what}.${key}`) : ''))
      .find(text => text !== '')
  const lookaside = first('lookaside', 'sigstore')
  const staging = first('lookaside-staging', 'sigstore-staging') ?? lookaside
  const attachments = json['use-sigstore-attachments']
  if (isThere(attachments) && typeof attachments !== 'boolean')
    throw new OrlopError('INVALID_ARGUMENT', `${what}.use-sigstore-attachments: neither true nor false`)
  return {
    ...(lookaside !== undefined && { lookaside }),
    ...(staging !== undefined && { staging }),
    ...(typeof attachments === 'boolean' && { attachments }),
  }
}

/**
 * Where the signatures of an image are: for each of the three things the most specific scope that says it counts, then the
 * default, then what is built in (`file:///var/lib/containers/sigstore` for root, a directory of the user's else).
 *
 * @throws INVALID_ARGUMENT  a lookaside that is no URL of file, http or https
 */
export function signaturePlaces(
  { entries }: RegistriesD,
  reference: Reference,
  builtIn: string = builtInLookaside(),
): SignaturePlaces {
  const found = [...dockerScopes(reference), undefined].flatMap(scope => entries.get(scope) ?? [])
  const say = <K extends keyof Entry>(key: K): Entry[K] | undefined =>
    found.find(entry => entry[key] !== undefined)?.[key]
  const lookaside = baseOf(say('lookaside') ?? builtIn)
  return {
    lookaside,
    staging: baseOf(say('staging') ?? builtIn),
    attachments: say('attachments') ?? false,
  }
}

function baseOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url && ['file:', 'http:', 'https:'].includes(url.protocol)) return url
  throw new OrlopError(
    'INVALID_ARGUMENT',
    `lookaside ${JSON.stringify(text.slice(0, 300))}: not a URL of file, http or https`,
  )
}

const builtInLookaside = (): string =>
  process.geteuid?.() === 0
    ? 'file:///var/lib/containers/sigstore'
    : pathToFileURL(path.join(os.homedir(), '.local/share/containers/sigstore')).href
