import { asObject, parseJson } from '../oci/json.ts'
import { readRequirements } from './requirement.ts'
import { exactObject, invalid } from './strict.ts'
import type { Policy, Requirement } from './types.ts'

/**
 * A policy out of the bytes of a policy.json.
 *
 * @param what  names the file in errors
 * @throws INVALID_ARGUMENT  a key that is unknown, missing or there twice, a scope that its transport does not have, or a
 * requirement that is not complete; the text says where
 * @see containers-policy.json(5)
 */
export function parsePolicy(bytes: Uint8Array | string, what = 'policy'): Policy {
  const json = exactObject(parseJson(bytes, what), what, ['default'], ['transports'])
  const fallback = readRequirements(json.default, `${what}: default`)
  const transports = new Map<string, ReadonlyMap<string, readonly Requirement[]>>()
  if (Object.hasOwn(json, 'transports')) {
    const all = asObject(json.transports, `${what}: transports`)
    for (const [transport, scopes] of Object.entries(all))
      transports.set(transport, readScopes(scopes, transport, `${what}: transports.${transport}`))
  }
  return { default: fallback, transports }
}

function readScopes(
  value: unknown,
  transport: string,
  what: string,
): ReadonlyMap<string, readonly Requirement[]> {
  const scopes = new Map<string, readonly Requirement[]>()
  for (const [scope, requirements] of Object.entries(asObject(value, what))) {
    const place = `${what}[${JSON.stringify(scope)}]`
    const why = scope === '' ? undefined : problemOf(scope, transport)
    if (why !== undefined) throw invalid(place, why)
    scopes.set(scope, readRequirements(requirements, place))
  }
  return scopes
}

const withPaths: ReadonlySet<string> = new Set(['dir', 'oci', 'oci-archive'])
const withoutScopes: ReadonlySet<string> = new Set(['docker-archive', 'docker-daemon', 'tarball'])

/** Why a scope cannot be one of a transport; what is not known here may have any. */
function problemOf(scope: string, transport: string): string | undefined {
  if (withoutScopes.has(transport)) return `${transport} has no scopes but ""`
  if (!withPaths.has(transport)) return undefined
  if (!scope.startsWith('/')) return 'a scope must be an absolute path'
  if (scope === '/') return 'write the scope "" for all paths'
  const parts = scope.slice(1).split('/')
  return parts.some(part => part === '' || part === '.' || part === '..')
    ? 'a path must not have empty parts, "." or ".."'
    : undefined
}
