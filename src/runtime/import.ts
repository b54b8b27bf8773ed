import { holdBlob } from '../archive/hold.ts'
import { imageNames, type Naming } from '../archive/image-names.ts'
import { type ImportArchiveOptions, type ImportedArchive, importArchive } from '../archive/import.ts'
import { partialAnnotation } from '../archive/layout-files.ts'
import { putDocument } from '../archive/put-document.ts'
import { type SelectedParts, selectParts } from '../archive/select-parts.ts'
import type { ByteSource } from '../archive/types.ts'
import type { ContentStore, Labels } from '../content/types.ts'
import { isNotFound, OrlopError } from '../errors.ts'
import { children } from '../handlers/children.ts'
import { childLabels, childLabelsWithoutLayers } from '../handlers/gc-labels.ts'
import { formatPath } from '../handlers/path.ts'
import { platforms } from '../images/platforms.ts'
import type { Located } from '../images/probe.ts'
import { type PutImage, putImage } from '../images/put.ts'
import { withLease } from '../metadata/with-lease.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import { isNonDistributable, mediaTypes } from '../oci/media-type.ts'
import { formatPlatformAll } from '../oci/platform.ts'
import { parseReference } from '../oci/reference.ts'
import type { Scope } from './runtime.ts'
import type { Wanted } from './select.ts'

/** Options of `load`. */
export interface LoadOptions extends ImportArchiveOptions, Pick<Naming, 'digests' | 'skipDigestForNamed'> {
  /** For each of them the best manifest of each image; absent: all there are. */
  readonly platforms?: readonly Wanted[] | undefined
  /**
   * What goes before a name that is only a tag, and of longer names only those that begin with it are taken. Default:
   * `import-` and the date, and all are taken.
   */
  readonly base?: string | undefined
  /** Gives the names of an entry of the archive's index, in place of those that `base`, `digests` and so on make. */
  readonly names?: ((entry: Descriptor) => readonly string[]) | undefined
  /** What the whole index is called; default: it gets no name. */
  readonly indexName?: string | undefined
  /** `error` (default): an image that is not all here fails the import. `skip`: it is taken as it is. */
  readonly onMissing?: 'error' | 'skip' | undefined
  /** True: manifests do not keep their layers, which the next collection then takes. */
  readonly discardLayers?: boolean | undefined
  /** Labels of the images; merged into those they have. */
  readonly labels?: Labels | undefined
  /** True: those that they have go. */
  readonly replaceLabels?: boolean | undefined
  readonly now?: (() => Date) | undefined
}

/** Where a load stores: the stores of a namespace, and the same under a lease. */
export interface LoadScope extends Pick<Scope, 'content' | 'images' | 'leases'> {
  under(lease: string): LoadScope
}

/** What a load did. */
export interface Loaded {
  readonly format: ImportedArchive['format']
  /** In the order of the archive's index. */
  readonly images: readonly PutImage[]
  /** Names in the archive whose images are not for any of the platforms. */
  readonly skipped: readonly string[]
}

/**
 * Takes the images of an archive into the store, and names them: the way back of `save`, and of `docker save`.
 *
 * A lease keeps what has come until the names are written, all of them last: an import that fails leaves no image.
 * Each image must be whole: what is not in the archive must be in the store. containerd asks for the manifests alone.
 *
 * @throws as `importArchive`
 * @throws NOT_FOUND  no image of the archive is for one of the platforms
 * @throws FAILED_PRECONDITION  an image is not whole; the text names what is missing
 * @throws INVALID_ARGUMENT  a name that is no reference, or nothing in the archive that could be named
 */
export async function load(scope: LoadScope, source: ByteSource, options: LoadOptions = {}): Promise<Loaded> {
  const { signal, what = 'archive', base, indexName, labels, replaceLabels } = options
  if (base !== undefined) parseReference(base)
  if (indexName !== undefined) parseReference(indexName)
  return withLease(scope.leases, { signal }, async ({ id }) => {
    const leased = scope.under(id)
    const archive = await importArchive(source, leased.content, { ...options, what })
    const work = { leased, archive, what, options }
    const { named, skipped } = await choose(work)
    const images: PutImage[] = []
    for (const { name, target } of await withIndex(work, named)) {
      images.push(await putImage(leased.images, { name, target, labels }, { replaceLabels, signal }))
    }
    return { format: archive.format, images, skipped }
  })
}

interface Work {
  readonly leased: LoadScope
  readonly archive: ImportedArchive
  readonly what: string
  readonly options: LoadOptions
}

interface Named {
  readonly name: string
  readonly target: Descriptor
}

/** The images that are wanted, whole and labelled, by name. */
async function choose({ leased, archive, what, options }: Work): Promise<{
  readonly named: readonly Named[]
  readonly skipped: readonly string[]
}> {
  const { platforms: wanted, onMissing = 'error', signal } = options
  const namesOf = options.names ?? ((entry: Descriptor) => imageNames(entry, namingOf(options), what))
  const named: Named[] = []
  const skipped: string[] = []
  const missing = new Map<Digest, Located>()
  const offered = new Set<Wanted>()
  for (const entry of archive.index.manifests) {
    const names = namesOf(entry)
    // An entry that names its platform is chosen by it, as in containerd, be it an index or not.
    const { platform } = entry
    const fitting = platform ? wanted?.filter(({ matcher }) => matcher.match(platform)) : wanted
    const selection = await selectParts(leased.content, entry, fitting, { signal })
    if (selection === undefined) skipped.push(...(names.length > 0 ? names : [entry.digest]))
    else {
      for (const platform of selection.platforms) offered.add(platform)
      for (const located of await lacking({ leased, archive, what, options }, selection))
        missing.set(located.descriptor.digest, located)
      if (onMissing === 'skip' || missing.size === 0)
        await label(leased.content, selection.documents, options)
      named.push(...names.map(name => ({ name, target: recorded(entry) })))
    }
  }
  if (missing.size > 0 && onMissing === 'error') throw incomplete(archive, what, [...missing.values()])
  const absent = wanted?.filter(platform => !offered.has(platform)) ?? []
  if (absent.length > 0) throw await noPlatform({ leased, archive, what, options }, absent)
  return { named, skipped }
}

/** The part of an entry that containerd's records have, so that it is the same through the service. */
const recorded = ({ mediaType, digest, size, annotations }: Descriptor): Descriptor => ({
  mediaType,
  digest,
  size,
  ...(annotations && { annotations }),
})

/**
 * What of an image is not here, but layers that need not travel. What was here before the archive came is put under the
 * lease, so that no collection takes it before the image holds it.
 */
async function lacking(
  { leased, archive, options: { signal } }: Work,
  { blobs, missing }: SelectedParts,
): Promise<readonly Located[]> {
  const known = new Set(missing.map(({ descriptor }) => descriptor.digest))
  const gone: Located[] = []
  for (const descriptor of blobs) {
    if (known.has(descriptor.digest) || archive.digests.has(descriptor.digest)) continue
    if (!(await holdBlob(leased.content, descriptor, { signal })))
      gone.push({ descriptor, path: [descriptor] })
  }
  return [...missing, ...gone].filter(({ descriptor }) => !isNonDistributable(descriptor))
}

function namingOf({ base, now = () => new Date(), digests, skipDigestForNamed }: LoadOptions): Naming {
  return {
    base: base ?? `import-${localDate(now())}`,
    only: base !== undefined,
    digests,
    skipDigestForNamed,
  }
}

/** `2026-01-02` where this machine is, as in ctr. */
const localDate = (date: Date): string =>
  new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 10)

/** Ties children to their parents; a document that is not here has none. */
async function label(
  content: ContentStore,
  documents: readonly Descriptor[],
  { discardLayers = false, signal }: LoadOptions,
): Promise<void> {
  const labelsOf = discardLayers ? childLabelsWithoutLayers : childLabels
  for (const desc of documents) {
    try {
      const labels = labelsOf(await children(content)(desc, { signal }))
      if (Object.keys(labels).length > 0) await content.update(desc.digest, { labels }, { signal })
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }
}

/** With the name of the whole index, which is stored for it. */
async function withIndex({ leased, archive, what, options }: Work, named: readonly Named[]) {
  const { indexName: name, signal } = options
  if (name === undefined) {
    if (named.length > 0) return named
    throw new OrlopError(
      'INVALID_ARGUMENT',
      `${what}: names no image; give --digests to name images by their digest, or --index-name for all of them`,
    )
  }
  const labels = childLabels(archive.index.manifests)
  const target = await putDocument(leased.content, mediaTypes.ociIndex, archive.bytes, { labels, signal })
  return [...named, { name, target }]
}

/** As many of what is missing as a message can hold. */
const mostShown = 5

function incomplete(
  { index: { annotations = {} } }: ImportedArchive,
  what: string,
  missing: readonly Located[],
): OrlopError {
  const since = Object.hasOwn(annotations, partialAnnotation) ? annotations[partialAnnotation] : undefined
  const why = since === undefined ? 'not whole' : `made since ${JSON.stringify(since)}, which is not all here`
  const shown = missing.slice(0, mostShown).map(({ path }) => formatPath(path))
  const more = missing.length - shown.length
  const list = [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join('; ')
  return new OrlopError(
    'FAILED_PRECONDITION',
    `${what}: ${why}: ${missing.length} blobs are neither in it nor in the store: ${list}`,
  )
}

async function noPlatform(
  { leased, archive, what, options: { signal } }: Work,
  absent: readonly Wanted[],
): Promise<OrlopError> {
  const offered = new Set<string>()
  for (const entry of archive.index.manifests) {
    const found = platforms(leased.content, entry, { onMissing: 'skip', signal })
    for await (const platform of found) offered.add(formatPlatformAll(platform))
  }
  const texts = absent.map(({ text }) => text).join(', ')
  const has =
    offered.size > 0 ? `; it has ${[...offered].join(', ')}: give --platform or --all-platforms` : ''
  return new OrlopError('NOT_FOUND', `${what}: no image for ${texts}${has}`)
}
