import type { InfoProvider, Provider } from '../content/types.ts'
import { verified } from '../content/verify.ts'
import { OrlopError } from '../errors.ts'
import type { Located } from '../images/probe.ts'
import { annotationKeys, labelKeys } from '../oci/annotations.ts'
import { type Descriptor, descriptorToJson } from '../oci/descriptor.ts'
import { algorithmOf } from '../oci/digest.ts'
import { mediaTypes } from '../oci/media-type.ts'
import type { AbortOptions } from '../options.ts'
import { type DockerImage, formatDockerManifest, repoTag } from './docker-manifest.ts'
import { type ExportChoice, type ExportImage, type PlannedImage, planImage } from './export-plan.ts'
import { goJson, sorted } from './go-json.ts'
import { blobPath, layoutBytes, layoutFiles, partialAnnotation } from './layout-files.ts'
import { layoutName } from './ref-name.ts'
import { paddingOf } from './tar-header.ts'
import { type TarPart, tarHeader, writeTar } from './tar-writer.ts'
import type { OnFile } from './types.ts'

/** Options of `exportArchive`. */
export interface ExportArchiveOptions extends ExportChoice {
  /** True: without Docker's `manifest.json`. */
  readonly skipDockerManifest?: boolean | undefined
  /** Told of the blobs as they are written. */
  readonly onFile?: OnFile | undefined
}

/** An archive that can be written. */
export interface ArchiveExport {
  /** Bytes of the whole archive. */
  readonly size: number
  /** What goes in, in order of path. */
  readonly blobs: readonly Descriptor[]
  /** What stays out, for who gets the archive has it; then the archive says that it is partial, and Docker is not told. */
  readonly omitted: readonly Descriptor[]
  /** What is not here and so stays out. */
  readonly missing: readonly Located[]
  /** Images of which nothing is here. */
  readonly left: readonly ExportImage[]
  /**
   * The bytes, each time anew. Blobs are verified on the way.
   *
   * @throws DATA_LOSS  a blob's bytes are not what its digest says
   * @throws NOT_FOUND  a blob went meanwhile
   */
  bytes(): AsyncGenerator<Uint8Array, void, undefined>
}

/**
 * Makes an archive of images: an OCI layout with Docker's `manifest.json` beside it, so that `docker load`, `podman load`,
 * `skopeo` and `ctr` take it.
 *
 * The same images give the same bytes, always: entries are in order of name, and times, users and groups are zero. They
 * are the bytes that containerd writes, but for the order of `manifest.json`, which it leaves to chance, and names by digest,
 * which stand there only in the index. Nothing is held but one chunk.
 *
 * @throws as `planImage`
 * @throws NOT_FOUND  nothing of any image is here
 * @see containerd core/images/archive/exporter.go, Export
 */
export async function exportArchive(
  store: Provider & InfoProvider,
  images: readonly ExportImage[],
  options: ExportArchiveOptions = {},
): Promise<ArchiveExport> {
  const planned: PlannedImage[] = []
  const left: ExportImage[] = []
  for (const image of once(images)) {
    const plan = await planImage(store, image, options)
    if (plan === undefined) left.push(image)
    else planned.push(plan)
  }
  if (planned.length === 0) throw new OrlopError('NOT_FOUND', 'export: nothing of the images is here')
  const blobs = distinct(planned.flatMap(plan => plan.blobs))
  const parts = partsOf(blobs, await documentsOf(store, planned, options), store, options)
  return {
    size: parts.reduce((sum, part) => sum + sizeOf(part), 2 * 512),
    blobs,
    omitted: distinct(planned.flatMap(plan => plan.omitted)),
    missing: planned.flatMap(plan => plan.missing),
    left,
    bytes: () => writeTar(parts),
  }
}

const once = (images: readonly ExportImage[]): readonly ExportImage[] => [
  ...new Map(images.map(image => [`${image.name ?? ''} ${image.target.digest}`, image])).values(),
]

const distinct = (descs: readonly Descriptor[]): readonly Descriptor[] =>
  [...new Map(descs.map(desc => [desc.digest, desc])).values()].sort((a, b) =>
    blobPath(a.digest) < blobPath(b.digest) ? -1 : 1,
  )

/** The files that say what the archive holds, by path. */
async function documentsOf(
  store: InfoProvider,
  planned: readonly PlannedImage[],
  options: ExportArchiveOptions,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const manifests: unknown[] = []
  for (const { image } of planned) manifests.push(descriptorToJson(await entryOf(store, image, options)))
  const isPartial = planned.some(({ omitted }) => omitted.length > 0)
  const index = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests,
    ...(isPartial && { annotations: { [partialAnnotation]: options.since?.what ?? '' } }),
  }
  const docker = options.skipDockerManifest || isPartial ? [] : dockerImages(planned)
  return new Map([
    [layoutFiles.layout, layoutBytes],
    [layoutFiles.index, Buffer.from(goJson(index))],
    ...(docker.length > 0 ? [[layoutFiles.dockerManifest, formatDockerManifest(docker)] as const] : []),
  ])
}

/** The entry of an image in the index: its target as containerd's records have it, its names, and where it came from. */
async function entryOf(
  store: InfoProvider,
  { name, target }: ExportImage,
  { signal }: AbortOptions,
): Promise<Descriptor> {
  const { labels } = await store.info(target.digest, { signal })
  const from = Object.entries(labels).filter(([key]) => key.startsWith(labelKeys.distributionSource))
  const annotations = {
    ...target.annotations,
    ...Object.fromEntries(from),
    ...(name !== undefined && {
      [annotationKeys.imageName]: name,
      [annotationKeys.refName]: layoutName(name),
    }),
  }
  const { mediaType, digest, size } = target
  return {
    mediaType,
    digest,
    size,
    ...(Object.keys(annotations).length > 0 && { annotations: sorted(annotations) }),
  }
}

/** One for each manifest, with the names of all images that it is chosen for. */
function dockerImages(planned: readonly PlannedImage[]): readonly DockerImage[] {
  const found = new Map<string, DockerImage>()
  for (const { image, docker } of planned) {
    if (docker === undefined) continue
    const config = blobPath(docker.config.digest)
    const layers = docker.layers.map(({ digest }) => blobPath(digest))
    const key = [config, ...layers].join(' ')
    const tag = image.name === undefined ? undefined : repoTag(image.name)
    const tags = [...(found.get(key)?.repoTags ?? []), ...(tag === undefined ? [] : [tag])]
    found.set(key, { config, layers, repoTags: [...new Set(tags)] })
  }
  return [...found.values()]
}

/** The entries of the tar, in order of name. */
function partsOf(
  blobs: readonly Descriptor[],
  documents: ReadonlyMap<string, Uint8Array>,
  store: Provider,
  { onFile, signal }: ExportArchiveOptions,
): readonly TarPart[] {
  const algorithms = new Set(blobs.map(({ digest }) => algorithmOf(digest)))
  const directories = ['blobs/', ...[...algorithms].map(algorithm => `blobs/${algorithm}/`)]
  const parts: TarPart[] = [
    ...directories.map(name => ({ name, type: 'directory', mode: 0o755 }) as const),
    ...blobs.map(desc => ({
      name: blobPath(desc.digest),
      size: desc.size,
      mode: 0o444,
      body: bodyOf(store, desc, { onFile, signal }),
    })),
    ...[...documents].map(([name, bytes]) => ({
      name,
      size: bytes.byteLength,
      mode: name === layoutFiles.layout ? 0o444 : 0o644,
      body: [bytes],
    })),
  ]
  return parts.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

/** Read anew each time it is iterated. */
const bodyOf = (
  store: Provider,
  desc: Descriptor,
  options: Pick<ExportArchiveOptions, 'onFile' | 'signal'>,
): AsyncIterable<Uint8Array> => ({ [Symbol.asyncIterator]: () => readBody(store, desc, options) })

async function* readBody(
  store: Provider,
  desc: Descriptor,
  { onFile, signal }: Pick<ExportArchiveOptions, 'onFile' | 'signal'>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { digest, size } = desc
  const tell = (type: 'writing' | 'written', offset: number): void =>
    onFile?.({ type, path: blobPath(digest), digest, size, offset })
  let offset = 0
  tell('writing', offset)
  for await (const chunk of verified(store.read(desc, { signal }), desc)) {
    yield chunk
    offset += chunk.byteLength
    tell('writing', offset)
  }
  tell('written', offset)
}

const sizeOf = (part: TarPart): number => {
  const { size = 0 } = part
  return tarHeader(part).byteLength + size + paddingOf(size)
}
