import { cached } from '../content/cache.ts'
import type { ContentStore, Labels } from '../content/types.ts'
import { children } from '../handlers/children.ts'
import { childLabels } from '../handlers/gc-labels.ts'
import { pipe } from '../handlers/pipe.ts'
import { type FindReferrers, referrers, rememberReferrers } from '../handlers/referrers.ts'
import { dropWhen } from '../handlers/skip.ts'
import type { Handler, Wrap } from '../handlers/types.ts'
import { type PutImage, putImage } from '../images/put.ts'
import type { SignatureSource } from '../images/signature.ts'
import { withLease } from '../metadata/with-lease.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { isLayer } from '../oci/media-type.ts'
import { parseReference } from '../oci/reference.ts'
import type { AbortOptions } from '../options.ts'
import { dockerIdentity } from '../policy/docker-image.ts'
import type { Policy } from '../policy/types.ts'
import { copyGraph } from '../remotes/copy.ts'
import { labelDistributionSource } from '../remotes/distribution-source.ts'
import { type OnProgress, ProgressTotals, type Totals } from '../remotes/progress.ts'
import type { Resolver } from '../remotes/types.ts'
import { Admission } from './admission.ts'
import { isDocument, localFirst } from './local-first.ts'
import type { Scope } from './runtime.ts'
import { selectManifests, type Wanted } from './select.ts'

/** What a pull works with: where from, into which namespace, and who decides whether it may. */
export interface PullParts {
  readonly resolver: Resolver
  readonly scope: Scope
  /** Decides on what is pulled; absent: everything is accepted. */
  readonly policy?: Policy | undefined
  /** Knows the signatures of what is pulled; absent: nothing is signed. */
  readonly signatures?: SignatureSource | undefined
}

/** Options of `fetchImage`. */
export interface FetchOptions extends AbortOptions {
  /** For each of them the best manifest; absent: all there are. */
  readonly platforms?: readonly Wanted[] | undefined
  /** True: indexes, manifests and configs, and no layers. */
  readonly metadataOnly?: boolean | undefined
  /** Finds what refers to the image where it comes from, to come along: signatures, bills of materials. Default: nothing. */
  readonly referrers?: FindReferrers | undefined
  /** True: signatures are judged and not copied. */
  readonly removeSignatures?: boolean | undefined
  /** Blobs on their way at one time; default as in `CopyGraphOptions`. */
  readonly concurrency?: number | undefined
  readonly onProgress?: OnProgress | undefined
}

/** Options of `pull`. */
export interface PullOptions extends FetchOptions {
  /** What the image is called here; default: the reference. */
  readonly name?: string | undefined
  /** Labels of the image; merged into those it has. */
  readonly labels?: Labels | undefined
}

/** What a pull did. */
export interface Pulled extends PutImage {
  readonly totals: Totals
}

/**
 * Copies an image here, then names it.
 *
 * A lease keeps what has come until the name is written, and for a day should the process die; the next pull goes on from
 * there, in the middle of a blob too. Blobs that are here are not fetched again. Labels that the image had are kept.
 *
 * With a policy, every manifest wanted is judged by its bytes and its signatures before a config or layer is fetched; all of
 * them must be accepted. Signatures are stored with the image (see `storedSignatures`).
 *
 * @param reference  a full one: `docker.io/library/busybox:latest`
 * @throws NOT_FOUND  no such repository or tag, or no manifest for a platform
 * @throws UNAUTHENTICATED, PERMISSION_DENIED, UNAVAILABLE  as the registry says
 * @throws PERMISSION_DENIED  the policy denies it; the text says by which requirement, and why of each signature
 * @throws DATA_LOSS  bytes that are not what their digest says
 * @throws INVALID_ARGUMENT  a reference, index or manifest that is not valid
 * @throws RESOURCE_EXHAUSTED  the disk is full
 */
export async function pull(parts: PullParts, reference: string, options: PullOptions = {}): Promise<Pulled> {
  const { leases } = parts.scope
  const { name = reference, labels = {}, signal } = options
  return withLease(leases, { signal }, async ({ id }) => {
    const leased = { ...parts, scope: parts.scope.under(id) }
    const totals = new ProgressTotals()
    const onProgress: OnProgress = event => {
      totals.add(event)
      options.onProgress?.(event)
    }
    const target = await fetchImage(leased, reference, { ...options, onProgress })
    const named = await putImage(leased.scope.images, { name, target, labels }, { signal })
    return { ...named, totals: totals.totals() }
  })
}

/**
 * Copies an image here without naming it; the caller holds the lease that keeps it. Throws as `pull`.
 *
 * @returns what the reference points at
 */
export async function fetchImage(
  parts: PullParts,
  reference: string,
  options: FetchOptions = {},
): Promise<Descriptor> {
  const { resolver, scope } = parts
  const { platforms, metadataOnly = false, concurrency, onProgress, signal } = options
  const target = await resolver.resolve(reference, { signal })
  const { content } = scope
  const fetcher = await resolver.fetcher(reference, { signal })
  const source = cached(localFirst(content, fetcher), { keeps: isDocument })
  const all = children(source)
  const wraps = [
    ...(platforms ? [await selectManifests(source, target, platforms, { signal })] : []),
    ...(metadataOnly ? [dropWhen(isLayer)] : []),
  ]
  const wanted = pipe(all, ...wraps)
  const admission = admissionOf(parts, reference)
  await admission.admit(source, target, wanted, { signal })
  const along = options.referrers ? referrers(rememberReferrers(options.referrers).find) : asIs
  const labels = labelsOf(content, along(all), reference)
  const signed = async (desc: Descriptor, asked: AbortOptions): Promise<Labels> => ({
    ...(await labels(desc, asked)),
    ...(options.removeSignatures ? {} : await admission.store(content, desc, asked)),
  })
  await copyGraph(source, content, target, along(wanted), { concurrency, labels: signed, onProgress, signal })
  return target
}

const asIs: Wrap = next => next

const admissionOf = ({ policy, signatures }: PullParts, reference: string): Admission =>
  new Admission({
    policy,
    identity: dockerIdentity(reference),
    signatures: signatures && ((digest, options) => signatures.signatures(reference, digest, options)),
  })

/** Edges to all children, those of other platforms too, as containerd writes them; and where the blob came from. */
function labelsOf(content: ContentStore, all: Handler, reference: string) {
  const { domain, path } = parseReference(reference)
  const from = labelDistributionSource(content, domain, path)
  return async (desc: Descriptor, options: AbortOptions): Promise<Labels> => ({
    ...childLabels(await all(desc, options)),
    ...(await from(desc, options)),
  })
}
