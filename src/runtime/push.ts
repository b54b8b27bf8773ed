import { cached } from '../content/cache.ts'
import { firstOf } from '../content/first-of.ts'
import type { Provider } from '../content/types.ts'
import { OrlopError } from '../errors.ts'
import type { EntryReport } from '../images/completeness.ts'
import type { SignatureSink } from '../images/signature.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { formatReference, parseReference, withDefaultTag } from '../oci/reference.ts'
import type { AbortOptions } from '../options.ts'
import type { OnProgress, Totals } from '../remotes/progress.ts'
import type { WritingResolver } from '../remotes/types.ts'
import { carry, checkPlace, type Signed, signaturesBelow } from './carried-signatures.ts'
import type { LocalContent } from './documents.ts'
import { isDocument } from './local-first.ts'
import { lookup } from './lookup.ts'
import { forPlatforms, type PushPlan, withoutMissing } from './push-plan.ts'
import { type PushWork, pusherOf, sendGraph } from './push-send.ts'
import { originsOf } from './push-sources.ts'
import type { Scope } from './runtime.ts'
import type { Wanted } from './select.ts'

/** What a push works with: out of which namespace, and where to. */
export interface PushParts {
  readonly resolver: WritingResolver
  readonly scope: Scope
  /** Takes the signatures that the store has of the image; absent: they stay behind. */
  readonly signatures?: SignatureSink | undefined
}

/** Options of `push`. */
export interface PushOptions extends AbortOptions {
  /** The name of an image, or what to push itself; default: the image that is called as the reference. */
  readonly image?: string | Descriptor | undefined
  /** For each of them the best manifest: one goes by itself, as in ctr, several in an index of theirs. Absent: all. */
  readonly platforms?: readonly Wanted[] | undefined
  /**
   * What to do about blobs that are neither here nor at the registry. `error` (the default) pushes nothing. `skip` leaves
   * the platforms out that need them, so that another index is pushed. `fetch` reads them from where the image came from.
   */
  readonly onMissing?: 'error' | 'skip' | 'fetch' | undefined
  /** True: layers are pushed too that a licence keeps from being distributed, where they are here. */
  readonly nonDistributable?: boolean | undefined
  /** True: what refers to it and is here goes along: signatures, bills of materials; see `storedReferrers`. */
  readonly referrers?: boolean | undefined
  /** True: signatures stay behind. */
  readonly removeSignatures?: boolean | undefined
  /** Blobs on their way at one time; default as in `CopyGraphOptions`. */
  readonly concurrency?: number | undefined
  readonly onProgress?: OnProgress | undefined
}

/** What a push did. */
export interface Pushed {
  /** The full reference. */
  readonly reference: string
  /** What the reference points at now. */
  readonly target: Descriptor
  /** Entries of the image that were left out. */
  readonly skipped: readonly EntryReport[]
  /** Signatures that went along, those that were there among them. */
  readonly signatures: number
  /** `fetched` are the bytes that were sent, `reused` those that the registry had. */
  readonly totals: Totals
}

/**
 * Sends an image to a registry, leaves first, so that its tag appears when all that it leads to is there.
 *
 * What the registry has is not sent again, and what another of its repositories has is taken over from there, as far as
 * labels tell; those of all that was pushed tell it from then on.
 *
 * @param reference  where to: a full one, `ghcr.io/owner/name:tag`; with a digest it must be that of what is pushed
 * @throws NOT_FOUND  no such image, no manifest for a platform, or blobs that are not here (see `onMissing`)
 * @throws UNAUTHENTICATED, PERMISSION_DENIED, RESOURCE_EXHAUSTED, UNAVAILABLE  as the registry says
 * @throws FAILED_PRECONDITION  the tag may not be changed, there is no host to push to, or no place for its signatures
 * @throws DATA_LOSS  bytes here are not what their digest says
 * @throws INVALID_ARGUMENT  not a reference, or the registry does not like the image
 */
export async function push(parts: PushParts, reference: string, options: PushOptions = {}): Promise<Pushed> {
  const { signal, onMissing } = options
  const { resolver, scope } = parts
  const place = withDefaultTag(parseReference(reference))
  const { name, target: root } = await subjectOf(scope, options.image ?? formatReference(place), { signal })
  const work: PushWork = { resolver, scope, place, root, mounted: new Map() }
  const origins =
    onMissing === 'fetch' ? await originsOf(scope.content, { name, root: root.digest }, { signal }) : []
  const fetchers = await Promise.all(
    [formatReference(place), ...origins].map(from => resolver.fetcher(from, { signal })),
  )
  const plan = await planOf(work, name, firstOf(scope.content, ...fetchers.slice(1)), options)
  const { target } = plan
  const to = formatReference({ ...place, digest: target.digest })
  if (place.digest !== undefined && place.digest !== target.digest)
    throw new OrlopError('INVALID_ARGUMENT', `reference ${reference}: what is pushed is ${target.digest}`)
  const source = cached(firstOf(plan.content, ...fetchers), { keeps: isDocument })
  const signed = await signaturesOf(parts, source, target, options)
  const at = parts.signatures && { sink: parts.signatures, reference: formatReference(place) }
  if (at) await checkPlace(at, signed)
  const totals = await sendGraph(work, { source, target, to }, options)
  const signatures = at ? await carry(at, signed, { signal }) : 0
  return { reference: formatReference(place), target, skipped: plan.skipped, signatures, totals }
}

const signaturesOf = async (
  { scope, signatures }: PushParts,
  source: Provider,
  target: Descriptor,
  { removeSignatures, signal }: PushOptions,
): Promise<readonly Signed[]> =>
  removeSignatures || !signatures ? [] : signaturesBelow(scope.content, source, target, { signal })

async function subjectOf(
  { images }: Scope,
  image: string | Descriptor,
  options: AbortOptions,
): Promise<{ readonly name: string; readonly target: Descriptor }> {
  return typeof image === 'string' ? lookup(images, image, options) : { name: image.digest, target: image }
}

/** What remains of the image to push once its platforms are chosen, and what is missing is dealt with. */
async function planOf(
  work: PushWork,
  name: string,
  documents: Provider,
  options: PushOptions,
): Promise<PushPlan> {
  const { scope, place, root } = work
  const { platforms, onMissing = 'error', nonDistributable = false, signal } = options
  const { content } = scope
  const read: LocalContent = {
    read: (...args) => documents.read(...args),
    info: (...args) => content.info(...args),
  }
  const chosen = platforms
    ? await forPlatforms({ content: read, target: root, name }, platforms, { signal })
    : { target: root, content: read }
  if (onMissing === 'fetch') return { ...chosen, skipped: [] }
  const to = await pusherOf(work, formatReference(place), { signal })
  const skip = onMissing === 'skip'
  return withoutMissing({ ...chosen, name, to, skip, nonDistributable }, { signal })
}
