import { isOrlopError, OrlopError } from '../errors.ts'
import type { ImageRecord } from '../images/types.ts'
import { isDigest } from '../oci/digest.ts'
import { parseReference } from '../oci/reference.ts'
import { groupBy } from './group-by.ts'

/** Which images may go. At least one rule is needed; see docs/prune.md for how they combine. */
export interface PruneRules {
  /** Chooses every image that no other rule protects. */
  readonly all?: boolean | undefined
  /** Chooses images that one of these matches: containerd's filters, as `ImageStore.list` takes them. */
  readonly filters?: readonly string[] | undefined
  /** Chooses images whose record was last changed longer ago than this, in milliseconds. */
  readonly olderThan?: number | undefined
  /** Protects the newest so many versions of each repository (see `keptVersions`); the only rule, it chooses all others. */
  readonly keepLast?: number | undefined
  /** Chooses more, oldest first, until the content of the whole store takes no more than so many bytes. */
  readonly maxBytes?: number | undefined
  /** Chooses more, oldest first, until the device has so much room: bytes, or a part of its size, 0 to 1. */
  readonly minFree?: { readonly bytes: number } | { readonly part: number } | undefined
}

/** The rule that decided over an image; `none`: no rule chose it. */
export type PruneRule =
  | 'all'
  | 'filter'
  | 'older-than'
  | 'keep-last'
  | 'max-bytes'
  | 'min-free'
  | 'pin'
  | 'none'

/** Refuses rules that are none. @throws INVALID_ARGUMENT  no rule, or a number out of its range */
export function checkRules(rules: PruneRules): void {
  const { all, filters = [], olderThan, keepLast, maxBytes, minFree } = rules
  const refuse = (why: string): never => {
    throw new OrlopError('INVALID_ARGUMENT', `prune: ${why}`)
  }
  const given = [olderThan, keepLast, maxBytes, minFree].some(rule => rule !== undefined)
  if (!all && filters.length === 0 && !given) {
    refuse(
      'no rule was given, so nothing is deleted; give --all, --filter, --older-than, --keep-last, --max-bytes or --min-free',
    )
  }
  const atLeast = (name: string, value: number | undefined, least: number): void => {
    if (value !== undefined && !(Number.isFinite(value) && value >= least)) {
      refuse(`${name} must be ${least} or more, got ${value}`)
    }
  }
  atLeast('older-than', olderThan, 0)
  atLeast('keep-last', keepLast, 1)
  atLeast('max-bytes', maxBytes, 0)
  if (minFree === undefined) return
  atLeast('min-free', 'bytes' in minFree ? minFree.bytes : minFree.part, 0)
  if ('part' in minFree && minFree.part > 1)
    refuse(`min-free must be 100% or less, got ${minFree.part * 100}%`)
}

/**
 * The repository that a name belongs to: `docker.io/library/alpine`.
 *
 * A name that is no reference is a repository of its own; a bare digest, as CRI makes names of, belongs to none.
 */
export function repositoryOf(name: string): string | undefined {
  if (isDigest(name)) return undefined
  try {
    const { domain, path } = parseReference(name)
    return `${domain}/${path}`
  } catch (error) {
    if (isOrlopError(error)) return name
    throw error
  }
}

/**
 * The names that "keep the last `count` of each repository" protects, with their repositories.
 *
 * A version is a target: names of one repository that point at the same digest count once, and are kept together. It is as
 * new as its newest name. The newest by their last change are kept and the newest by their creation, which may be others: a
 * label or pin set on an old version must not push out a new one, nor may a tag that was moved back. Bare digests are kept
 * along with a version that they name.
 */
export function keptVersions(images: readonly ImageRecord[], count: number): ReadonlyMap<string, string> {
  const kept = new Map<string, string>()
  const repositoryByTarget = new Map<string, string>()
  for (const [repository, members] of groupBy(images, ({ name }) => repositoryOf(name))) {
    if (repository === undefined) continue
    const newest = new Set(
      [newestFirst, lastCreatedFirst].flatMap(order => newestTargets(members, order, count)),
    )
    for (const { name, target } of members) {
      if (!newest.has(target.digest)) continue
      kept.set(name, repository)
      repositoryByTarget.set(target.digest, repository)
    }
  }
  for (const { name, target } of images) {
    const repository = repositoryByTarget.get(target.digest)
    if (isDigest(name) && repository !== undefined) kept.set(name, repository)
  }
  return kept
}

const newestTargets = (
  images: readonly ImageRecord[],
  order: (a: ImageRecord, b: ImageRecord) => number,
  count: number,
): readonly string[] =>
  [...new Set(images.toSorted(order).map(({ target }) => target.digest))].slice(0, count)

const lastCreatedFirst = (a: ImageRecord, b: ImageRecord): number =>
  b.createdAt.getTime() - a.createdAt.getTime() || newestFirst(a, b)

/** By the time of the last change; of two of the same time the one whose name sorts last is newer. */
export const newestFirst = (a: ImageRecord, b: ImageRecord): number => oldestFirst(b, a)

/** The other way round. */
export const oldestFirst = (a: ImageRecord, b: ImageRecord): number =>
  a.updatedAt.getTime() - b.updatedAt.getTime() || (a.name < b.name ? -1 : Number(a.name > b.name))
