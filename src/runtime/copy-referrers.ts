import type { Provider } from '../content/types.ts'
import { OrlopError } from '../errors.ts'
import { children } from '../handlers/children.ts'
import { pipe } from '../handlers/pipe.ts'
import { referrers, rememberReferrers } from '../handlers/referrers.ts'
import { leafWhen } from '../handlers/skip.ts'
import type { Wrap } from '../handlers/types.ts'
import { walk } from '../handlers/walk.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { isManifest } from '../oci/media-type.ts'
import type { AbortOptions } from '../options.ts'
import type { Destination, Source } from '../transports/types.ts'
import type { Selected } from './copy-selection.ts'

/** What refers to the manifests and indexes that are copied. */
export interface FoundReferrers {
  /** Each once. */
  readonly all: readonly Descriptor[]
  /** Makes them children of what they refer to. */
  readonly wrap: Wrap
}

/**
 * Finds what refers to what is copied, and to that in turn, before anything is copied.
 *
 * @throws UNIMPLEMENTED  the source cannot tell
 * @throws FAILED_PRECONDITION  there are some, and at the destination none could be found
 */
export async function referrersOf(
  source: Source,
  destination: Destination,
  blobs: Provider,
  { root, select = next => next }: Selected,
  { signal }: AbortOptions,
): Promise<FoundReferrers> {
  const { referrers: find } = source
  if (find === undefined)
    throw new OrlopError('UNIMPLEMENTED', `${source.place}: cannot tell what refers to an image there`)
  const remembered = rememberReferrers(find)
  const wrap = referrers(remembered.find)
  const documents = pipe(children(blobs), select, leafWhen(isManifest), wrap)
  for await (const _ of walk(documents, [root], { seen: new Set(), signal }));
  const all = remembered.all()
  if (all.length > 0 && !destination.accepts.referrers)
    throw new OrlopError(
      'FAILED_PRECONDITION',
      `${destination.place}: has no place for the ${all.length} that refer to ${root.digest}; leave out --referrers`,
    )
  return { all, wrap }
}
