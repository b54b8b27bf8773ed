import { readdir } from 'node:fs/promises'
import { homedir } from 'node:os'
import path from 'node:path'
import { fromErrno, hasCode, isNotFound, OrlopError } from '../../errors.ts'
import type { AbortOptions } from '../../options.ts'
import {
  isFirstVersion,
  type RegistriesConf,
  type Registry,
  registriesConf,
  type ShortNameMode,
} from './registries-conf.ts'
import { readText } from './text-file.ts'
import { readToml } from './toml.ts'

/** Where `readRegistries` looks. */
export interface RegistriesOptions {
  /**
   * The main file, which must exist; default `$CONTAINERS_REGISTRIES_CONF`, else the user's in
   * `~/.config/containers`, else the one in `systemDirectory`.
   */
  readonly file?: string | undefined
  /** The one directory of drop-ins; default `registries.conf.d` beside the main files. */
  readonly dropIns?: string | undefined
  /** Default `/etc/containers`. */
  readonly systemDirectory?: string | undefined
  /** Default: this process's. `HOME`, `XDG_CONFIG_HOME` and the variables above are looked at. */
  readonly env?: NodeJS.ProcessEnv | undefined
}

/** A registry, and which file speaks of it. */
export interface ConfiguredRegistry extends Registry {
  readonly file: string
}

/** All files of registries.conf as one. */
export interface Registries {
  /** By prefix. */
  readonly registries: readonly ConfiguredRegistry[]
  /** The hosts where short names are looked for. */
  readonly search: readonly string[]
  readonly shortNameMode: ShortNameMode
  readonly credentialHelpers: readonly string[]
  readonly aliases: ReadonlyMap<string, string>
  /** What was read, in order; nothing: there is no registries.conf. */
  readonly files: readonly string[]
}

/**
 * Reads `registries.conf` and its drop-ins as containers/image does, anew at each call.
 *
 * A later file replaces what it speaks of: a registry by its prefix, an alias by its name, the rest as a whole.
 *
 * @throws NOT_FOUND  the main file that was asked for is not there
 * @throws FAILED_PRECONDITION  a file that is not valid; it is named
 * @see containers-registries.conf(5), containers-registries.conf.d(5)
 */
export async function readRegistries(
  options: RegistriesOptions = {},
  abort: AbortOptions = {},
): Promise<Registries> {
  const { main, explicit, dropIns } = await places(options, abort)
  const parts: Part[] = []
  const text = await readText(main, abort)
  if (text === undefined && explicit)
    throw new OrlopError('NOT_FOUND', `registries.conf ${main}: no such file`)
  if (text !== undefined) parts.push({ file: main, conf: await readToml(text, main, registriesConf) })
  for (const directory of dropIns) {
    for (const file of await confFiles(directory)) {
      const more = await readText(file, abort)
      if (more !== undefined) parts.push({ file, conf: await readToml(more, file, dropIn) })
    }
  }
  return merged(parts)
}

interface Part {
  readonly file: string
  readonly conf: RegistriesConf
}

interface Places {
  readonly main: string
  readonly explicit: boolean
  readonly dropIns: readonly string[]
}

async function places(options: RegistriesOptions, abort: AbortOptions): Promise<Places> {
  const { env = process.env, systemDirectory = '/etc/containers' } = options
  const asked = options.file ?? (env.CONTAINERS_REGISTRIES_CONF || env.REGISTRIES_CONFIG_PATH || undefined)
  const user = await userFile(env, abort)
  const system = path.join(systemDirectory, 'registries.conf')
  const main = asked ?? user ?? system
  const ofUser = userDirectories(env).map(directory => path.join(directory, 'registries.conf.d'))
  // A user with a main file of their own is left alone by the system's drop-ins.
  const all = asked === undefined && user !== undefined ? ofUser : [`${system}.d`, ...ofUser]
  return { main, explicit: asked !== undefined, dropIns: options.dropIns ? [options.dropIns] : all }
}

async function userFile(env: NodeJS.ProcessEnv, abort: AbortOptions): Promise<string | undefined> {
  for (const directory of userDirectories(env)) {
    const file = path.join(directory, 'registries.conf')
    if ((await readText(file, abort)) !== undefined) return file
  }
  return undefined
}

/** `$XDG_CONFIG_HOME/containers`, where that is set, and `~/.config/containers`. */
function userDirectories({ HOME, XDG_CONFIG_HOME }: NodeJS.ProcessEnv): readonly string[] {
  const usual = path.join(HOME || homedir(), '.config')
  const bases = XDG_CONFIG_HOME && path.isAbsolute(XDG_CONFIG_HOME) ? [XDG_CONFIG_HOME, usual] : [usual]
  return [...new Set(bases)].map(base => path.join(base, 'containers'))
}

/** The `*.conf` files of a directory by name, or none when it is not there. */
async function confFiles(directory: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true })
    const names = entries.flatMap(entry => (entry.isDirectory() ? [] : [entry.name]))
    return names
      .filter(name => name.endsWith('.conf'))
      .sort()
      .map(name => path.join(directory, name))
  } catch (error) {
    const ours = fromErrno(error, directory)
    if (isNotFound(ours) || hasCode(ours, 'FAILED_PRECONDITION')) return []
    throw ours
  }
}

function dropIn(table: Parameters<typeof registriesConf>[0]): RegistriesConf {
  if (!isFirstVersion(table)) return registriesConf(table)
  throw new OrlopError('INVALID_ARGUMENT', '"registries" is of version 1, which a drop-in must not be')
}

function merged(parts: readonly Part[]): Registries {
  const registries = new Map<string, ConfiguredRegistry>()
  const aliases = new Map<string, string>()
  for (const { file, conf } of parts) {
    for (const registry of conf.registries) registries.set(registry.prefix, { ...registry, file })
    for (const [name, repository] of conf.aliases) {
      if (repository === '') aliases.delete(name)
      else aliases.set(name, repository)
    }
  }
  const last = <K extends keyof RegistriesConf>(key: K): RegistriesConf[K] | undefined =>
    parts.findLast(({ conf }) => conf[key] !== undefined)?.conf[key]
  return {
    registries: [...registries.values()].sort((a, b) => (a.prefix < b.prefix ? -1 : 1)),
    search: last('search') ?? [],
    shortNameMode: last('shortNameMode') ?? 'permissive',
    credentialHelpers: last('credentialHelpers') ?? ['containers-auth.json'],
    aliases,
    files: parts.map(({ file }) => file),
  }
}
