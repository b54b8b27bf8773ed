import { cached } from '../content/cache.ts'
import { type FileProvider, isFileProvider } from '../content/fs-share.ts'
import type { Labels, Provider } from '../content/types.ts'
import { OrlopError } from '../errors.ts'
import { children } from '../handlers/children.ts'
import { childLabels } from '../handlers/gc-labels.ts'
import { pipe } from '../handlers/pipe.ts'
import type { Handler } from '../handlers/types.ts'
import type { CompressionTarget } from '../images/compress.ts'
import type { Change } from '../images/convert/change.ts'
import type { Format } from '../images/convert/layer-type.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { AbortOptions } from '../options.ts'
import type { Policy } from '../policy/types.ts'
import { copyGraph } from '../remotes/copy.ts'
import { labelDistributionSource } from '../remotes/distribution-source.ts'
import { type OnProgress, ProgressTotals, type Totals } from '../remotes/progress.ts'
import type { Accepts, Destination, Source } from '../transports/types.ts'
import { convertGraph } from './convert-graph.ts'
import { admitSource } from './copy-policy.ts'
import { type FoundReferrers, referrersOf } from './copy-referrers.ts'
import { type CopySelection, type Selected, selectForCopy } from './copy-selection.ts'
import { carrySignatures, type FoundSignatures, signaturesOf } from './copy-signatures.ts'
import { dropLeft, type Leaves, leavesForeign } from './foreign-layers.ts'
import { isDocument, localFirst } from './local-first.ts'

/** Options of `copy`. */
export interface CopyOptions extends AbortOptions, CopySelection {
  /** Manifests and configs become of this format; default: as they are, where the destination takes that. */
  readonly format?: Format | undefined
  /** Layers with another compression get this one, with a level all; default: as they are, where the destination takes that. */
  readonly compression?: CompressionTarget | undefined
  /** True: fail instead of changing any digest. */
  readonly preserveDigests?: boolean | undefined
  /** True: leave signatures behind. */
  readonly removeSignatures?: boolean | undefined
  /** True: what refers to the image comes along, and to that in turn: signatures, bills of materials. */
  readonly referrers?: boolean | undefined
  /** What must accept the image, unless it is one of the store; absent: everything is accepted. */
  readonly policy?: Policy | undefined
  /** Blobs on their way at one time; default as in `CopyGraphOptions`, and 3 where layers are converted. */
  readonly concurrency?: number | undefined
  readonly onProgress?: OnProgress | undefined
}

/** What a copy did. */
export interface Copied {
  /** What the source's name points at. */
  readonly source: Descriptor
  /** What is there now: that, the manifest of one platform of it, or what it was changed into. */
  readonly target: Descriptor
  /** Signatures that came along. */
  readonly signatures: number
  /** What refers to it and came along. */
  readonly referrers: readonly Descriptor[]
  /** What stayed behind, and was not asked to, in words. */
  readonly left: readonly string[]
  readonly totals: Totals
}

/**
 * Copies an image from one place to another: its blobs, leaves first, and then its name.
 *
 * An image keeps its bytes, and so its digests, unless `format` or `compression` say otherwise or the destination cannot
 * take it as it is: a layout takes OCI's format, an archive of `docker save` plain layers. What changes is changed on the
 * way. An image with signatures is not changed, nor one whose referrers come along; signatures come along, or the copy is
 * refused. A copy that is broken off goes on
 * where it stopped, where the destination is a directory or a store.
 *
 * @throws NOT_FOUND  nothing at the source, nothing for a platform, or a blob that is not there; the text has the path to it
 * @throws PERMISSION_DENIED  the policy denies it
 * @throws FAILED_PRECONDITION  a digest would change that must not, or what the destination cannot hold
 * @throws DATA_LOSS  bytes that are not what their digest says
 */
export async function copy(
  source: Source,
  destination: Destination,
  options: CopyOptions = {},
): Promise<Copied> {
  const { signal } = options
  const totals = new ProgressTotals()
  const onProgress: OnProgress = event => {
    totals.add(event)
    options.onProgress?.(event)
  }
  const root = await source.resolve({ signal })
  const { store } = destination
  const read = store === undefined ? source.blobs : localFirst(store, source.blobs)
  const blobs = sharing(cached(read, { keeps: isDocument }), source.blobs)
  const selected = await selectForCopy(blobs, root, options)
  refuseIndex(selected, destination)
  await admitSource(options.policy, source, blobs, selected, { signal })
  const referring = options.referrers
    ? await referrersOf(source, destination, blobs, selected, { signal })
    : undefined
  const signatures = await signaturesOf(source, destination, blobs, selected, options)
  const left = [...selected.left]
  const leaves = leavesForeign(blobs, destination.accepts.foreign === 'urls', ({ digest }) =>
    left.push(`layer ${digest}, which stays at its URL`),
  )
  const onLost = (what: string): void => void left.push(what)
  const parts = { source, destination, blobs, selected, signatures, leaves, referring, onLost }
  const target = await transfer(parts, { ...options, onProgress })
  await destination.put(target, { referrers: referring?.all, signal })
  await carrySignatures(destination, signatures, { signal })
  return {
    source: root,
    target,
    signatures: signatures.reduce((count, found) => count + found.signatures.length, 0),
    referrers: referring?.all ?? [],
    left,
    totals: totals.totals(),
  }
}

/** What is read, with the files that it lies in, if it does. */
function sharing(blobs: Provider, files: Provider): Provider {
  if (!isFileProvider(files)) return blobs
  const provider: FileProvider = {
    read: (target, options) => blobs.read(target, options),
    file: (target, options) => files.file(target, options),
  }
  return provider
}

function refuseIndex({ root, isIndex }: Selected, { place, accepts }: Destination): void {
  if (!isIndex || accepts.indexes) return
  throw new OrlopError(
    'INVALID_ARGUMENT',
    `${place}: holds images of one platform, and ${root.digest} is an index; name one with --platform`,
  )
}

interface Transfer {
  readonly source: Source
  readonly destination: Destination
  readonly blobs: Provider
  readonly selected: Selected
  readonly signatures: readonly FoundSignatures[]
  readonly leaves: Leaves
  readonly referring?: FoundReferrers | undefined
  readonly onLost: (what: string) => void
}

async function transfer(parts: Transfer, options: CopyOptions): Promise<Descriptor> {
  const { source, destination, blobs, selected, signatures, leaves, referring, onLost } = parts
  const { root, select, keepsIndex } = selected
  const isReferred = referring !== undefined && referring.all.length > 0
  const preserve = options.preserveDigests || signatures.length > 0 || isReferred
  const isSparse = select !== undefined && keepsIndex
  if (isSparse) refuseChange(root, options)
  const change = isSparse ? {} : changeFor(source, destination, options, preserve)
  const { onProgress, signal } = options
  const concurrency = atMost(destination.concurrency, options.concurrency)
  const { moving } = destination
  const from = fromWhere(source, destination)
  if (Object.keys(change).length === 0 && (select === undefined || isSparse)) {
    const also = isReferred ? [referring.wrap] : []
    const all = pipe(children(blobs), ...also)
    const handler = pipe(
      children(blobs),
      ...(select === undefined ? [] : [select]),
      dropLeft(leaves),
      ...also,
    )
    const labels = destination.store && labelsOf(all, from)
    await copyGraph(blobs, destination.blobs, root, handler, {
      concurrency,
      labels,
      onProgress,
      moving,
      signal,
    })
    return root
  }
  const more = { concurrency, labels: destination.store && from, onProgress, moving, signal }
  return convertGraph(blobs, destination.blobs, root, { change, select, preserve, leaves, onLost, ...more })
}

const atMost = (limit: number | undefined, wanted: number | undefined): number | undefined =>
  limit === undefined ? wanted : Math.min(limit, wanted ?? limit)

/** What an index lists and is not copied has no new digest that it could list. */
function refuseChange({ digest }: Descriptor, { format, compression }: CopyOptions): void {
  if (format === undefined && compression === undefined) return
  throw new OrlopError(
    'FAILED_PRECONDITION',
    `index ${digest}: lists more than is copied, so neither its format nor the compression of layers can change`,
  )
}

/** What is asked for, and what the destination needs. */
function changeFor(
  source: Source,
  { accepts }: Destination,
  options: CopyOptions,
  preserve: boolean,
): Change {
  const [only, ...others] = accepts.formats
  const needed = others.length > 0 || (preserve && accepts.tolerant) ? undefined : only
  const format = options.format ?? needed
  const compression = options.compression ?? compressionFor(source, accepts, preserve)
  return { ...(format && { format }), ...(compression && { compression }) }
}

/** Layers are compressed only where the image has no digest yet that could stay. */
function compressionFor(
  { isMade }: Source,
  { layers }: Accepts,
  preserve: boolean,
): CompressionTarget | undefined {
  if (layers === 'plain') return { type: 'none' }
  return layers === 'gzip' && isMade && !preserve ? { type: 'gzip' } : undefined
}

type LabelsOf = (desc: Descriptor, options: AbortOptions) => Promise<Labels>

/** The repository that a blob came from, for a push that could mount it. */
function fromWhere({ origin }: Source, { store }: Destination): LabelsOf {
  if (origin === undefined || store === undefined) return async () => ({})
  return labelDistributionSource(store, origin.registry, origin.repository)
}

/** Edges to all children, those of other platforms too, as a pull writes them. */
const labelsOf =
  (all: Handler, from: LabelsOf): LabelsOf =>
  async (desc, options) => ({
    ...childLabels(await all(desc, options)),
    ...(await from(desc, options)),
  })
