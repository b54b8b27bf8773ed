import { OrlopError } from '../errors.ts'
import { filterPlatforms } from '../handlers/platforms.ts'
import { type Change, checkChange } from '../images/convert/change.ts'
import { putImage } from '../images/put.ts'
import { storedSignatures } from '../images/stored-signatures.ts'
import type { ImageRecord } from '../images/types.ts'
import { withLease } from '../metadata/with-lease.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Matcher } from '../oci/matcher.ts'
import { isDockerType } from '../oci/media-type.ts'
import type { AbortOptions } from '../options.ts'
import type { OnProgress } from '../remotes/progress.ts'
import { convertGraph } from './convert-graph.ts'
import type { Scope } from './runtime.ts'

/** Options of `convert`. */
export interface ConvertOptions extends AbortOptions {
  readonly change: Change
  /** Entries of indexes for other platforms are left out; default: none is. */
  readonly platform?: Matcher | undefined
  /** Layers on their way at one time; default 3. */
  readonly concurrency?: number | undefined
  readonly onProgress?: OnProgress | undefined
}

/** What a conversion made. */
export interface Converted {
  readonly image: ImageRecord
  /** What could not come along, in words: annotations, attestations, signatures. */
  readonly lost: readonly string[]
}

/**
 * Converts an image of the store under a new name, or its own; the old content stays as long as something names it.
 *
 * Labels of the image are copied. Configs keep their bytes, for no change here touches what a layer holds: each layer that
 * is rewritten is checked against its diff id. Layers that are compressed anew get the label `containerd.io/uncompressed`.
 *
 * Unlike containerd, attestations go on to name their image when its digest changes, Docker's zstd layers can be turned into
 * OCI's, and the name is replaced at once.
 *
 * @throws NOT_FOUND  a blob that is not in the store, or nothing for the platform
 * @throws FAILED_PRECONDITION  what cannot be said in the format that is asked for
 * @throws DATA_LOSS  a layer that is not what the config says
 * @throws UNIMPLEMENTED  zstd on a Node without it
 * @see containerd core/images/converter/converter.go
 */
export async function convert(
  scope: Scope,
  source: ImageRecord,
  name: string,
  { change, platform, concurrency, onProgress, signal }: ConvertOptions,
): Promise<Converted> {
  checkChange(change)
  if (name === '') throw new OrlopError('INVALID_ARGUMENT', 'convert: the new name is empty')
  return withLease(scope.leases, { signal }, async ({ id }) => {
    const { content, images } = scope.under(id)
    const lost: string[] = []
    const rewritten: Descriptor[] = []
    const converted = await convertGraph(content, content, source.target, {
      change,
      select: platform && filterPlatforms(platform),
      concurrency,
      onVerified: async (layers, asked) => {
        for (const layer of layers) await scope.diffIds?.remember(layer, asked)
      },
      onLost: what => lost.push(what),
      onRewritten: desc => rewritten.push(desc),
      onProgress,
      signal,
    })
    for (const { digest } of rewritten) {
      const signatures = await storedSignatures(content, digest, { signal })
      if (signatures.length > 0)
        lost.push(`${signatures.length} signatures of ${digest}, which are of the old digest`)
    }
    const { labels } = source
    const target = describedAs(converted, source.target)
    const { image } = await putImage(images, { name, target, labels }, { replaceLabels: true, signal })
    return { image, lost }
  })
}

/** With the annotations and the platform that the old target had; Docker's types have no annotations. */
function describedAs(
  { mediaType, digest, size }: Descriptor,
  { annotations, platform }: Descriptor,
): Descriptor {
  return Object.freeze({
    mediaType,
    digest,
    size,
    ...(annotations && !isDockerType({ mediaType }) && { annotations }),
    ...(platform && { platform }),
  })
}
