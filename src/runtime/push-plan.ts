import { refKey } from '../content/ref-key.ts'
import type { Ingester } from '../content/types.ts'
import { isAlreadyExists, isNotFound, OrlopError } from '../errors.ts'
import { formatPath } from '../handlers/path.ts'
import { completeness, type EntryReport } from '../images/completeness.ts'
import type { Located } from '../images/probe.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import { isNonDistributable } from '../oci/media-type.ts'
import type { AbortOptions } from '../options.ts'
import type { LocalContent } from './documents.ts'
import { selectPaths, type Wanted } from './select.ts'
import { subIndex } from './sub-index.ts'

/** What is to be pushed, and where to read it. */
export interface PushPlan {
  readonly target: Descriptor
  readonly content: LocalContent
  /** Entries of the image that are left out, as not all of their blobs are here. */
  readonly skipped: readonly EntryReport[]
}

/**
 * The part of an image that is for some platforms: for one its manifest, as in ctr; for several an index of theirs.
 *
 * @throws NOT_FOUND  nothing matches one of them
 */
export async function forPlatforms(
  { content, target, name }: Pick<MissingInit, 'content' | 'target' | 'name'>,
  platforms: readonly Wanted[],
  options: AbortOptions,
): Promise<Pick<PushPlan, 'target' | 'content'>> {
  const paths = await selectPaths(content, target, platforms, options).catch(async (error: unknown) => {
    const lost = isNotFound(error) ? await missingOf(content, target, platforms, options) : []
    throw lost.length > 0 ? incomplete(name, lost, false) : error
  })
  const ends = paths.map(path => path.at(-1) ?? target)
  const [first = target] = ends
  if (ends.every(({ digest }) => digest === first.digest)) return { target: first, content }
  const kept = new Set<Digest>(ends.map(({ digest }) => digest))
  return subIndex(content, target, ({ digest }) => kept.has(digest), options)
}

/** What is missing here of the entries for some platforms. */
async function missingOf(
  content: LocalContent,
  target: Descriptor,
  platforms: readonly Wanted[],
  options: AbortOptions,
): Promise<readonly Located[]> {
  const lost: Located[] = []
  for (const { matcher: platform } of platforms) {
    const { entries } = await completeness(content, target, { ...options, platform })
    for (const { missing } of entries) lost.push(...missing)
  }
  return lost
}

/** What `withoutMissing` works with. */
export interface MissingInit {
  readonly content: LocalContent
  readonly target: Descriptor
  /** The image, for errors. */
  readonly name: string
  /** Where it is to go: what is there already need not be here. */
  readonly to: Ingester
  /** True: the image is pushed without what is missing. */
  readonly skip: boolean
  /** True: layers that a licence keeps from being pushed are needed too. */
  readonly nonDistributable: boolean
}

/**
 * Makes sure that all of an image can be pushed: each blob is here, or is there.
 *
 * @throws NOT_FOUND  some are neither; the text names them, with the way to each, and says what can be done
 */
export async function withoutMissing(
  { content, target, name, to, skip, nonDistributable }: MissingInit,
  options: AbortOptions,
): Promise<PushPlan> {
  const { entries } = await completeness(content, target, options)
  const needed = ({ descriptor }: Located): boolean => nonDistributable || !isNonDistributable(descriptor)
  const absent = new Map<Digest, boolean>()
  const broken: EntryReport[] = []
  const lost: Located[] = []
  for (const entry of entries) {
    const here: Located[] = []
    for (const located of entry.missing.filter(needed)) {
      const { descriptor } = located
      const isAbsent = absent.get(descriptor.digest) ?? !(await isThere(to, descriptor, options))
      absent.set(descriptor.digest, isAbsent)
      if (isAbsent) here.push(located)
    }
    if (here.length > 0) broken.push(entry)
    lost.push(...here)
  }
  if (lost.length === 0) return { target, content, skipped: [] }
  const whole = entries.filter(entry => !broken.includes(entry) && entry.kind !== 'attestation')
  if (!skip || whole.length === 0) throw incomplete(name, lost, whole.length > 0)
  const left = new Set(broken.map(({ manifest }) => manifest.digest))
  const made = await subIndex(content, target, ({ digest }) => !left.has(digest), options)
  return { ...made, skipped: broken }
}

/** Whether the registry has a blob, or takes it over from another of its repositories. */
async function isThere(to: Ingester, desc: Descriptor, options: AbortOptions): Promise<boolean> {
  const { digest, size, mediaType } = desc
  try {
    await using _ = await to.writer({ ref: refKey(desc), expected: { digest, size, mediaType } }, options)
    return false
  } catch (error) {
    if (isAlreadyExists(error)) return true
    throw error
  }
}

/** Blobs that an error names one by one. */
const maxNamed = 5

function incomplete(name: string, lost: readonly Located[], canSkip: boolean): OrlopError {
  const named = [...new Set(lost.map(({ path }) => formatPath(path)))]
  const more = named.length > maxNamed ? [`and ${named.length - maxNamed} more`] : []
  const ways = [
    `pull all of it first ("orlop images pull --all-platforms ${name}")`,
    'fetch it on the way (--missing fetch)',
    ...(canSkip ? ['push one platform (--platform)', 'push an index of what is here (--missing skip)'] : []),
  ]
  return new OrlopError(
    'NOT_FOUND',
    `image ${name}: not all of it is here, nor at the registry: ${[...named.slice(0, maxNamed), ...more].join('; ')}; ${ways.join(', or ')}`,
  )
}
