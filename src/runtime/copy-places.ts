import type { Digest } from '../oci/digest.ts'
import { parseReference } from '../oci/reference.ts'
import type { OnProgress } from '../remotes/progress.ts'
import {
  type OpenDestinationOptions,
  openDestination,
  openSource,
  type TransportParts,
} from '../transports/open.ts'
import { formatPlace, type Place } from '../transports/place.ts'
import type { Source } from '../transports/types.ts'
import { type Copied, type CopyOptions, copy } from './copy.ts'
import { mountSources } from './push-sources.ts'

/** What the transports of each side need; of its own, so that the credentials of one never go to the other. */
export interface CopyPlacesParts {
  readonly source: TransportParts
  readonly destination: TransportParts
}

/** Options of `copyPlaces`. */
export interface CopyPlacesOptions
  extends CopyOptions,
    Omit<OpenDestinationOptions, 'sources' | 'onMounted' | 'onWait'> {}

/** What `copyPlaces` did. */
export interface CopiedPlaces extends Copied {
  /** The places in full, as text. */
  readonly places: { readonly source: string; readonly destination: string }
}

/**
 * Opens two places, and copies from one to the other; see `copy`.
 *
 * Between repositories of one registry, and from a store that knows where its blobs came from, blobs are mounted and not
 * sent, where the registry can do that. Another process that writes to the same directory is waited for.
 */
export async function copyPlaces(
  from: Place,
  to: Place,
  parts: CopyPlacesParts,
  options: CopyPlacesOptions = {},
): Promise<CopiedPlaces> {
  const { nonDistributable, signal } = options
  const mounted = new Map<Digest, string>()
  const onProgress: OnProgress = event => {
    const at = 'ref' in event && event.type === 'exists' ? mounted.get(event.target.digest) : undefined
    options.onProgress?.(at !== undefined && 'ref' in event ? { ...event, from: at } : event)
  }
  await using source = await openSource(from, parts.source, { signal })
  // Before anything is made at the destination.
  const { digest } = await source.resolve({ signal })
  const onWait = (holder: string): void => {
    const reason = `${holder} writes to it; waiting`
    onProgress({ type: 'retry', what: formatPlace(to), attempt: 1, delayMs: 0, reason })
  }
  const sources = mountable(source, to, parts.source, digest)
  await using destination = await openDestination(to, parts.destination, {
    onWait,
    sources,
    onMounted: (digest, at) => void mounted.set(digest, at),
    nonDistributable,
    signal,
  })
  const copied = await copy(source, destination, { ...options, onProgress })
  return { ...copied, places: { source: source.place, destination: destination.place } }
}

/** Where the registry of `to` may have a blob already. */
function mountable(
  { origin, isStored }: Source,
  to: Place,
  { store }: TransportParts,
  root: Digest,
): OpenDestinationOptions['sources'] {
  if (to.transport !== 'docker') return undefined
  const place = parseReference(to.reference)
  if (origin?.registry === place.domain) return async () => [origin.repository]
  return isStored && store !== undefined ? mountSources(store.content, place, root) : undefined
}
