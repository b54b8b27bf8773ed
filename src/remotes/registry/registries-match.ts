import { OrlopError } from '../../errors.ts'
import { formatReference, parseReference, type Reference } from '../../oci/reference.ts'
import type { Mirror, Registry } from './registries-conf.ts'

/**
 * The registry whose prefix a reference begins with: of several the one with the longest prefix, of equally long ones the
 * first.
 *
 * @param reference  in full, with tag or digest: `docker.io/library/busybox:latest`
 * @see containers/image sysregistriesv2, FindRegistry
 */
export function findRegistry<T extends Pick<Registry, 'prefix'>>(
  registries: readonly T[],
  reference: string,
): T | undefined {
  let best: T | undefined
  for (const registry of registries) {
    const { prefix } = registry
    if (matchedLength(prefix, reference) !== undefined && prefix.length > (best?.prefix.length ?? 0))
      best = registry
  }
  return best
}

/** How many characters of a reference a prefix stands for; `undefined`: it is not the beginning of it. */
function matchedLength(prefix: string, reference: string): number | undefined {
  if (!prefix.startsWith('*.')) {
    return reference.startsWith(prefix) && endsAt(reference, prefix.length) ? prefix.length : undefined
  }
  const suffix = prefix.slice(1)
  const slash = `${reference}/`.indexOf('/')
  for (let at = reference.indexOf(suffix); at > 0 && at < slash; at = reference.indexOf(suffix, at + 1))
    if (endsAt(reference, at + suffix.length)) return at + suffix.length
  return undefined
}

/** `example.com` is the beginning of `example.com:5000/x` too. */
const endsAt = (reference: string, at: number): boolean =>
  at === reference.length || '/:@'.includes(reference[at] ?? '')

/** Where a reference really lies. */
export interface PullSource {
  /** With another registry and repository perhaps, and the tag and digest of the one that was asked for. */
  readonly reference: Reference
  readonly insecure: boolean
  readonly isMirror: boolean
}

/**
 * Where to look for a reference, in order: mirrors, and last the registry's own location.
 *
 * Without a tag and digest, to list or to write, mirrors are not asked.
 *
 * @throws FAILED_PRECONDITION  a location that makes no reference of it
 * @see containers/image sysregistriesv2, PullSourcesFromReference
 */
export function pullSources(registry: Registry, reference: Reference): readonly PullSource[] {
  const mirrors = registry.mirrors.filter(mirror => serves(mirror, reference))
  return [
    ...mirrors.map(mirror => sourceAt(registry, mirror, reference, true)),
    sourceAt(registry, registry, reference, false),
  ]
}

function serves({ pullFrom }: Mirror, { tag, digest }: Reference): boolean {
  if (digest !== undefined) return pullFrom !== 'tag-only'
  return tag !== undefined && pullFrom !== 'digest-only'
}

function sourceAt(
  { prefix }: Registry,
  { location, insecure }: Pick<Mirror, 'location' | 'insecure'>,
  reference: Reference,
  isMirror: boolean,
): PullSource {
  return { reference: rewritten(prefix, location, reference), insecure, isMirror }
}

function rewritten(prefix: string, location: string, reference: Reference): Reference {
  const before = formatReference(reference)
  const length = matchedLength(prefix, before)
  if (location === '' || length === undefined) return reference
  const after = location + before.slice(length)
  const moved = parsed(after)
  const why = (text: string): OrlopError =>
    new OrlopError(
      'FAILED_PRECONDITION',
      `registries.conf: ${prefix} at ${location} makes ${before} ${after}, ${text}`,
    )
  if (!moved || formatReference(moved) !== after) throw why('which is no reference in full')
  if (moved.tag !== reference.tag || moved.digest !== reference.digest)
    throw why('with another tag or digest; a location can only say where')
  return moved
}

function parsed(text: string): Reference | undefined {
  try {
    return parseReference(text)
  } catch {
    return undefined
  }
}
