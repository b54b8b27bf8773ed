import { annotationKeys } from '../oci/annotations.ts'
import type { Descriptor } from '../oci/descriptor.ts'
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

const marked = (referrer: Descriptor, subject: Descriptor): Descriptor =>
  Object.freeze({
    ...referrer,
    annotations: Object.freeze({
      ...referrer.annotations,
      [annotationKeys.manifestSubject]: subject.digest,
    }),
  })
