import { OrlopError } from '../../errors.ts'
import { isObject, type JsonObject } from '../../oci/json.ts'
import type { AbortOptions } from '../../options.ts'
import { canonicalHost, parseSecretJson } from './credential.ts'
import type { CredentialFile } from './credential-files.ts'
import { readText } from './text-file.ts'

/** What a file of credentials holds. */
export interface CredentialDocument {
  readonly auths: JsonObject
  /** Program by host. */
  readonly credHelpers: JsonObject
  readonly credsStore: string | undefined
  /** Whether keys may name a part of a registry: `quay.io/team`. */
  readonly namespaces: boolean
}

/**
 * Reads one file; `undefined` when there is none.
 *
 * @throws FAILED_PRECONDITION  it is not what Docker or containers/image write; nothing of it is quoted
 */
export async function readCredentialFile(
  file: CredentialFile,
  options: AbortOptions = {},
): Promise<CredentialDocument | undefined> {
  const text = file.text ?? (await readText(file.name, options))
  if (text === undefined) return undefined
  const json = parseDocument(text, file.name)
  if (file.format === 'dockercfg')
    return { auths: json, credHelpers: {}, credsStore: undefined, namespaces: false }
  const { credsStore } = json
  return {
    auths: part(json, 'auths', file.name),
    credHelpers: part(json, 'credHelpers', file.name),
    credsStore: typeof credsStore === 'string' && credsStore !== '' ? credsStore : undefined,
    namespaces: true,
  }
}

/** The JSON object of such a file; an empty text is an empty object. */
export function parseDocument(text: string, name: string): JsonObject {
  const json = text.trim() === '' ? {} : parseSecretJson(text)
  if (isObject(json)) return json
  throw new OrlopError(
    'FAILED_PRECONDITION',
    `${name}: not the JSON object that a login writes; correct or remove it`,
  )
}

/** The object under a key; none counts as empty. */
export function part(json: JsonObject, key: string, name: string): JsonObject {
  const value = Object.hasOwn(json, key) ? json[key] : undefined
  if (value === undefined || value === null) return {}
  if (isObject(value)) return value
  throw new OrlopError('FAILED_PRECONDITION', `${name}: "${key}" is not an object; correct or remove it`)
}

/** A value of such a file, and under which key it stood. */
export interface Found {
  readonly key: string
  readonly value: unknown
}

/**
 * The entry for a repository: its own, else of what it lies below, down to the host; else another name of the host.
 *
 * @see containers-auth.json(5)
 */
export function entryFor(
  { auths, namespaces }: Pick<CredentialDocument, 'auths' | 'namespaces'>,
  host: string,
  repository?: string,
): Found | undefined {
  const keys = namespaces && repository !== undefined ? namespaceKeys(host, repository) : []
  const key = keys.find(name => Object.hasOwn(auths, name)) ?? hostKey(auths, host)
  return key === undefined ? undefined : { key, value: auths[key] }
}

/** `quay.io/a/b`, `quay.io/a`: the keys that say more than the host, the longest first. */
function namespaceKeys(host: string, repository: string): readonly string[] {
  const parts = repository.split('/')
  const hosts = [...new Set([host, canonicalHost(host)])]
  return parts.flatMap((_, at) => hosts.map(name => [name, ...parts.slice(0, parts.length - at)].join('/')))
}

/** The key for a host: an exact one first, else the first that names the same host another way. */
export function hostKey(map: JsonObject, host: string): string | undefined {
  if (Object.hasOwn(map, host)) return host
  const wanted = canonicalHost(host)
  return Object.keys(map).find(name => isWholeHost(name) && canonicalHost(name) === wanted)
}

/** False for keys of a part of a registry (`quay.io/team`), which say nothing of the host; Docker's `/v1/` and `/v2/` do. */
export const isWholeHost = (key: string): boolean => /^(https?:\/\/.*|[^/]+\/?(v[12]\/?)?)$/i.test(key)
