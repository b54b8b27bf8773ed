import path from 'node:path'
import { OrlopError } from '../../errors.ts'
import { asArray, asObject, asString, type JsonObject, optional } from '../../oci/json.ts'
import { parseGoDuration } from './go-duration.ts'
import type { Capability } from './hosts.ts'

/** Where an endpoint listens. */
export interface Server {
  readonly scheme: 'https' | 'http'
  /** Host and port as they were written, so that a port that goes without saying is told from none. */
  readonly address: string
}

/** What a `hosts.toml` says of one endpoint. */
export interface HostSection {
  /** Absent: the registry itself, which the file does not name. */
  readonly server?: Server
  /** Put before `/<repository>/…`, without slash at its end. */
  readonly path: string
  /** Absent: all. */
  readonly capabilities?: ReadonlySet<Capability>
  /** Files of authorities. */
  readonly ca: readonly string[]
  /** Files of client certificates, each with the file of its key, or with the key inside. */
  readonly client: readonly (readonly [cert: string, key?: string])[]
  readonly skipVerify?: boolean
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>
  /** Milliseconds. */
  readonly connectMs?: number
}

/** A `hosts.toml`: mirrors in the order of the file, and last the registry itself. */
export type HostsToml = readonly [...mirrors: HostSection[], upstream: HostSection]

const known: ReadonlySet<string> = new Set<Capability>(['pull', 'resolve', 'push', 'referrers'])

/**
 * Reads a `hosts.toml` as containerd reads it. Keys that it does not know are passed over.
 *
 * @param directory  where the file lies, and paths in it begin
 * @throws INVALID_ARGUMENT  a value of the wrong kind; its place is named
 * @see containerd docs/hosts.md
 */
export function hostsToml(table: JsonObject, directory: string): HostsToml {
  const mirrors = Object.entries(optional(table.host, 'host', asObject) ?? {}).map(([server, value]) => {
    const what = `host.${shown(server)}`
    return section(asObject(value, what), server, what, directory)
  })
  const server = optional(table.server, 'server', asString)
  return [...mirrors, section(table, server || undefined, 'server', directory)]
}

function section(
  table: JsonObject,
  server: string | undefined,
  what: string,
  directory: string,
): HostSection {
  const at = (key: string): string => (what === 'server' ? key : `${what}.${key}`)
  const absolute = (file: string): string => path.resolve(directory, file)
  const url = server === undefined ? undefined : parseServer(server, what)
  const skipVerify = optional(table.skip_verify, at('skip_verify'), asBoolean)
  const override = optional(table.override_path, at('override_path'), asBoolean) ?? false
  const capabilities = optional(table.capabilities, at('capabilities'), capabilitiesOf)
  const connectMs = optional(table.dial_timeout, at('dial_timeout'), durationOf)
  return {
    ...(url && { server: { scheme: url.scheme, address: url.address } }),
    path: url ? pathOf(url.path, override) : '/v2',
    ...(capabilities && { capabilities }),
    ca: (optional(table.ca, at('ca'), oneOrMany) ?? []).map(absolute),
    client: (optional(table.client, at('client'), pairsOf) ?? []).map(([cert, key]) =>
      key === undefined ? [absolute(cert)] : [absolute(cert), absolute(key)],
    ),
    ...(skipVerify !== undefined && { skipVerify }),
    headers: optional(table.header, at('header'), headersOf) ?? {},
    ...(connectMs !== undefined && { connectMs }),
  }
}

function parseServer(text: string, what: string): Server & { readonly path: string } {
  const full = /^https?:\/\//i.test(text) ? text : `https://${text}`
  const [, address = ''] = /^https?:\/\/(?:[^/?#]*@)?([^/?#@]*)/i.exec(full) ?? []
  const url =
    URL.canParse(full) && !text.replace(/^https?:\/\//i, '').includes('://') ? new URL(full) : undefined
  if (!url || address === '')
    throw invalid(`${what}: ${shown(text)} is not the URL of a registry, as https://mirror.test:5000`)
  return { scheme: url.protocol === 'http:' ? 'http' : 'https', address, path: url.pathname }
}

/** Quoted, and without the user and password that a URL may have. */
const shown = (text: string): string => JSON.stringify(text.replace(/^([^/]*\/\/)?[^/]*@/, '$1'))

/** `/v2` goes after what the URL says, unless it is there or the URL is all that there should be. */
function pathOf(pathname: string, override: boolean): string {
  const clean = path.posix.normalize(pathname).replace(/\/+$/, '')
  return override || clean.endsWith('/v2') ? clean : `${clean}/v2`
}

function asBoolean(value: unknown, what: string): boolean {
  if (typeof value !== 'boolean') throw invalid(`${what}: expected true or false`)
  return value
}

function capabilitiesOf(value: unknown, what: string): ReadonlySet<Capability> | undefined {
  const names = asArray(value, what, asString).map(name => name.toLowerCase())
  const wrong = names.find(name => !known.has(name))
  if (wrong !== undefined) {
    throw invalid(`${what}: unknown capability ${JSON.stringify(wrong)}; there are ${[...known].join(', ')}`)
  }
  return names.length > 0 ? new Set(names.filter(isCapability)) : undefined
}

const isCapability = (name: string): name is Capability => known.has(name)

const oneOrMany = (value: unknown, what: string): readonly string[] =>
  typeof value === 'string' ? [value] : asArray(value, what, asString)

/** A file; files; or pairs of files. */
const pairsOf = (value: unknown, what: string): readonly (readonly [cert: string, key?: string])[] =>
  typeof value === 'string' ? [[value]] : asArray(value, what, pairOf)

function pairOf(value: unknown, what: string): readonly [cert: string, key?: string] {
  if (typeof value === 'string') return [value]
  const [cert, key, ...more] = asArray(value, what, asString)
  if (cert === undefined || key === undefined || more.length > 0)
    throw invalid(`${what}: expected a certificate and its key`)
  return [cert, key]
}

function durationOf(value: unknown, what: string): number | undefined {
  const text = asString(value, what)
  if (text === '') return undefined
  const ms = parseGoDuration(text)
  if (ms === undefined) throw invalid(`${what}: ${JSON.stringify(text)} is not a duration like 10s or 1m30s`)
  return ms
}

function headersOf(value: unknown, what: string): Readonly<Record<string, string>> {
  const headers = new Map<string, string>()
  for (const [name, text] of Object.entries(asObject(value, what))) {
    const where = `${what}.${JSON.stringify(name)}`
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) throw invalid(`${where}: not the name of a header`)
    const joined = headerTexts(text, where).join(', ')
    // The value may be a secret, and is not told.
    if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(joined)) throw invalid(`${where}: not the value of a header`)
    headers.set(name.toLowerCase(), joined)
  }
  return Object.fromEntries(headers)
}

function headerTexts(value: unknown, where: string): readonly string[] {
  const texts: readonly unknown[] = Array.isArray(value) ? value : [value]
  return texts.map(text => {
    if (typeof text !== 'string') throw invalid(`${where}: expected a string or a list of them`)
    return text
  })
}

const invalid = (message: string): OrlopError => new OrlopError('INVALID_ARGUMENT', message)
