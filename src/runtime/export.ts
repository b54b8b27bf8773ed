import { type ArchiveExport, type ExportArchiveOptions, exportArchive } from '../archive/export.ts'
import { selectParts } from '../archive/select-parts.ts'
import type { ImageRecord } from '../images/types.ts'
import { withLease } from '../metadata/with-lease.ts'
import { formatReference, parseReference, withDigest } from '../oci/reference.ts'
import type { OnProgress } from '../remotes/progress.ts'
import type { Resolver } from '../remotes/types.ts'
import { fetchImage } from './pull.ts'
import type { Scope } from './runtime.ts'
import type { Wanted } from './select.ts'

/** Where what is missing comes from. */
export interface MissingSource {
  /** For the registry of an image. */
  resolver(reference: string): Resolver | Promise<Resolver>
  readonly onProgress?: OnProgress | undefined
}

/** Options of `save`. */
export interface SaveOptions extends Omit<ExportArchiveOptions, 'platforms'> {
  /** For each of them the best manifest of each image; absent: all there are. */
  readonly platforms?: readonly Wanted[] | undefined
  /** Given: what is not here is fetched before, from the repository that an image is named for. */
  readonly fetchMissing?: MissingSource | undefined
}

/**
 * Makes an archive of images of the store, as `ctr images export` and `docker save` do; `bytes()` of what comes is the tar.
 *
 * @throws as `exportArchive`; with `fetchMissing` as `pull`
 */
export async function save(
  scope: Scope,
  images: readonly ImageRecord[],
  options: SaveOptions = {},
): Promise<ArchiveExport> {
  const { fetchMissing, platforms, signal } = options
  for (const { name, target } of fetchMissing ? images : []) {
    const parts = await selectParts(scope.content, target, platforms, { signal })
    if (parts === undefined || parts.missing.length > 0) await fetchRest(scope, { name, target }, options)
  }
  return exportArchive(scope.content, images, options)
}

/** By its digest: the name may mean another image by now. */
async function fetchRest(
  scope: Scope,
  { name, target }: Pick<ImageRecord, 'name' | 'target'>,
  { fetchMissing, platforms, signal }: SaveOptions,
): Promise<void> {
  if (fetchMissing === undefined) return
  const reference = formatReference(withDigest(parseReference(name), target.digest))
  const resolver = await fetchMissing.resolver(reference)
  const { onProgress } = fetchMissing
  await withLease(scope.leases, { signal }, ({ id }) =>
    fetchImage({ resolver, scope: scope.under(id) }, reference, { platforms, onProgress, signal }),
  )
}
