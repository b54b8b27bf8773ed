import type { ContentStore } from '../content/types.ts'
import { OrlopError } from '../errors.ts'
import { type Descriptor, descriptorOf } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import type { Index } from '../oci/document.ts'
import { mediaTypes } from '../oci/media-type.ts'
import type { AbortOptions } from '../options.ts'
import { ArchiveFiles } from './archive-files.ts'
import { type BombLimits, decompressed } from './compression.ts'
import { dockerIndex } from './docker-index.ts'
import { checkLayout, layoutFiles, readLayoutIndex } from './layout-files.ts'
import { readTar } from './tar.ts'
import type { ByteSource, OnFile } from './types.ts'

/** Options of `importArchive`. */
export interface ImportArchiveOptions extends AbortOptions {
  /** Names the archive in errors; default `archive`. */
  readonly what?: string | undefined
  /** True: layers of a `docker save` that are not compressed become gzip. Default: they stay, as in containerd. */
  readonly compress?: boolean | undefined
  /** Entries of the tar; default 200 000. */
  readonly maxEntries?: number | undefined
  /** How much may come out of a compressed archive. */
  readonly limits?: BombLimits | undefined
  readonly onFile?: OnFile | undefined
}

/** What an archive had; its blobs are in the store. */
export interface ImportedArchive {
  readonly format: 'oci' | 'docker'
  /** What `index.json` is as a blob, or the index made of `manifest.json`. It is not stored. */
  readonly target: Descriptor
  readonly bytes: Uint8Array
  /** The same, parsed: an entry for each image, its name in an annotation. */
  readonly index: Index
  /** The blobs that the archive had. */
  readonly digests: ReadonlySet<Digest>
}

/** Enough for a thousand images of a hundred layers. */
const defaultMaxEntries = 200_000

/**
 * Stores what an archive of images has: an OCI layout, or what `docker save` writes (1.1, 1.2, and both in one, which is
 * taken for a layout), as it is or compressed with gzip or zstd.
 *
 * The archive is read once, front to back, and its blobs go straight into the store, with no copy beside it; one that is
 * there already is passed over. Manifests of a layout may name blobs that are not in the archive: see who calls. Nothing
 * gets a label, so give a `content` that is bound to a lease. What fails leaves no ingest; blobs that were stored before
 * go with the next collection.
 *
 * @throws INVALID_ARGUMENT  not an archive of images; an entry with a name or link that leads out, or that is a device; two
 *   entries of one name with other bytes; a manifest that names what is not there
 * @throws DATA_LOSS  an archive that is damaged or cut off, or a blob whose bytes are not what its name says
 * @throws RESOURCE_EXHAUSTED  too many entries, too large an `index.json`, a decompression bomb, or a disk that is full
 * @throws UNIMPLEMENTED  a sparse file in it
 * @see containerd core/images/archive/importer.go, ImportIndex
 */
export async function importArchive(
  source: ByteSource,
  content: ContentStore,
  {
    what = 'archive',
    compress,
    maxEntries = defaultMaxEntries,
    limits,
    onFile,
    signal,
  }: ImportArchiveOptions = {},
): Promise<ImportedArchive> {
  const files = new ArchiveFiles(content, { what, onFile, signal })
  const { bytes } = await decompressed(source, { what, limits, signal })
  try {
    for await (const entry of readTar(bytes, { what, maxEntries, drain: true, signal }))
      await files.take(entry)
  } catch (error) {
    // Nothing runs on unwatched; the first failure counts.
    await files.settle().catch(() => undefined)
    throw error
  }
  await files.settle()
  return indexOf(content, files, { what, compress, signal })
}

async function indexOf(
  content: ContentStore,
  files: ArchiveFiles,
  { what, compress, signal }: ImportArchiveOptions & { readonly what: string },
): Promise<ImportedArchive> {
  const layout = files.document(layoutFiles.layout)
  const bytes = files.document(layoutFiles.index)
  const docker = files.document(layoutFiles.dockerManifest)
  if (layout !== undefined) {
    checkLayout(layout, what)
    if (bytes === undefined) throw notAnArchive(`${what}: has oci-layout, and no index.json`)
    return imported('oci', bytes, files, what)
  }
  if (docker === undefined)
    throw notAnArchive(`${what}: has neither oci-layout nor manifest.json${hint(files)}`)
  return imported(
    'docker',
    await dockerIndex(content, files, docker, { what, compress, signal }),
    files,
    what,
  )
}

const imported = (
  format: 'oci' | 'docker',
  bytes: Uint8Array,
  files: ArchiveFiles,
  what: string,
): ImportedArchive => ({
  format,
  bytes,
  digests: files.digests(),
  target: descriptorOf(mediaTypes.ociIndex, bytes),
  index: readLayoutIndex(bytes, what),
})

const notAnArchive = (text: string): OrlopError =>
  new OrlopError('INVALID_ARGUMENT', `${text}; expected an OCI layout or what "docker save" writes`)

const hint = (files: ArchiveFiles): string =>
  files.document(layoutFiles.index) === undefined ? '' : ', only index.json'
