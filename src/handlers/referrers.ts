import { annotationKeys } from '../oci/annotations.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import { isIndex, isManifest } from '../oci/media-type.ts'
import type { AbortOptions } from '../options.ts'
import type { Wrap } from './types.ts'

/** Finds what refers to a manifest or index through `subject`: signatures, attestations, bills of materials. */
export type FindReferrers = (desc: Descriptor, options: AbortOptions) => Promise<readonly Descriptor[]>

/**
 * Adds the referrers of manifests and indexes to their children, and so theirs in turn.
 *
 * Each gets the annotation `io.containerd.manifest.subject`, from which `childLabels` knows it; other annotations stay.
 * Put it last in a pipe: platforms and limits are not for referrers.
 *
 * @see containerd core/images/handlers.go, SetReferrers; distribution-spec v1.1, Listing Referrers
 */
export const referrers =
  (find: FindReferrers): Wrap =>
  next =>
  async (desc, options) => {
    const nodes = await next(desc, options)
    if (!isManifest(desc) && !isIndex(desc)) return nodes
    const found = await find(desc, options)
    return found.length === 0 ? nodes : [...nodes, ...found.map(referrer => marked(referrer, desc))]
  }

/** A search for referrers that asks once for each node, and knows all that it found. */
export interface RememberedReferrers {
  readonly find: FindReferrers
  /** Everything found so far, each once. */
  all(): readonly Descriptor[]
}

/** Remembers what a search finds. */
export function rememberReferrers(find: FindReferrers): RememberedReferrers {
  const known = new Map<Digest, readonly Descriptor[]>()
  return {
    find: async (desc, options) => {
      const found = known.get(desc.digest) ?? (await find(desc, options))
      known.set(desc.digest, found)
      return found
    },
    all: () => [...new Map([...known.values()].flat().map(desc => [desc.digest, desc])).values()],
  }
}

const marked = (referrer: Descriptor, subject: Descriptor): Descriptor =>
  Object.freeze({
    ...referrer,
    annotations: Object.freeze({
      ...referrer.annotations,
      [annotationKeys.manifestSubject]: subject.digest,
    }),
  })
