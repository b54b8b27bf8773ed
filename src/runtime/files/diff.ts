import type { Provider } from '../../content/types.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { Budget } from './budget.ts'
import { layerContents } from './contents.ts'
import { type ConfigDifference, diffConfigs } from './diff-config.ts'
import { type Compared, DiffSide } from './diff-side.ts'
import { interned } from './file-map.ts'
import { type ImageLayer, type OpenedImage, openImage } from './image-layers.ts'
import type { PathTable } from './path-table.ts'
import { Shadows } from './shadows.ts'
import type { FilesOptions, ImageFile } from './types.ts'

/** One of two images. */
export interface ImageSide {
  readonly provider: Provider
  readonly target: Descriptor
}

/** Options of `diffImages`. */
export interface DiffImagesOptions extends FilesOptions {
  /** True: files that differ in nothing but the time of their last change are told too. */
  readonly times?: boolean | undefined
}

/** What of a file can differ. `type` alone is told of two files that are not of one kind. */
export type FileAspect =
  | 'type'
  | 'content'
  | 'size'
  | 'mode'
  | 'owner'
  | 'link'
  | 'device'
  | 'xattrs'
  | 'modifiedAt'

/** A file that two images do not have alike. */
export type FileDifference =
  | { readonly path: string; readonly change: 'added'; readonly after: ImageFile }
  | { readonly path: string; readonly change: 'removed'; readonly before: ImageFile }
  | {
      readonly path: string
      readonly change: 'changed'
      readonly aspects: readonly FileAspect[]
      readonly before: ImageFile
      readonly after: ImageFile
    }

/** How two images differ. */
export interface ImageDiff {
  /** In order of path. */
  readonly files: readonly FileDifference[]
  readonly config: readonly ConfigDifference[]
  /** Lowest layers that both have. */
  readonly sharedLayers: number
}

/**
 * How two images differ for who runs them: files by their bytes, owner, mode, links and attributes, and settings of the
 * config. How files are spread over layers, how these are compressed, and when files were changed does not count.
 *
 * The layers that both have at the bottom, by diff id, are read once and not twice, and not at all when neither image has
 * another; what both show of them is not held. A hard link is taken for the file that it is another name of.
 *
 * Throws as `imageFiles`, for both, and UNIMPLEMENTED for a sparse file.
 */
export async function diffImages(
  a: ImageSide,
  b: ImageSide,
  { times = false, ...options }: DiffImagesOptions = {},
): Promise<ImageDiff> {
  const [first, second] = await Promise.all([
    openImage(a.provider, a.target, options),
    openImage(b.provider, b.target, options),
  ])
  const sharedLayers = commonLayers(first.layers, second.layers)
  return {
    files: differences(await showing(first, second, sharedLayers, options), times),
    config: diffConfigs(first.config, second.config),
    sharedLayers,
  }
}

function commonLayers(a: readonly ImageLayer[], b: readonly ImageLayer[]): number {
  const idOf = (layer: ImageLayer | undefined) => layer && (layer.diffId ?? layer.descriptor.digest)
  const differs = a.findIndex((layer, at) => idOf(layer) !== idOf(b[at]))
  return differs === -1 ? a.length : differs
}

/** What shows of each image and not in the same way of the other. */
interface Sides {
  readonly paths: PathTable
  readonly before: DiffSide
  readonly after: DiffSide
}

async function showing(
  a: OpenedImage,
  b: OpenedImage,
  shared: number,
  { limits, signal }: FilesOptions,
): Promise<Sides> {
  const names = interned()
  const { paths } = names
  const sides = [new DiffSide(names), new DiffSide(names)] as const
  const [before, after] = sides
  if (shared === a.layers.length && shared === b.layers.length) return { paths, before, after }
  const budget = new Budget(limits)
  const read = (layer: ImageLayer, { provider }: OpenedImage) =>
    layerContents(layer, { provider, budget, signal, hash: true }, names)
  for (const layer of a.layers.slice(shared).reverse()) before.add(await read(layer, a))
  for (const layer of b.layers.slice(shared).reverse()) after.add(await read(layer, b))
  const base = new Shadows(paths)
  for (const layer of a.layers.slice(0, shared).reverse()) {
    const contents = await read(layer, a)
    for (const side of sides) side.resolve(contents)
    for (const path of contents.files.numbers()) {
      const [inA, inB] = sides.map(side => side.shows(path, contents))
      if (inA === inB || base.hide(path, contents.files.typeAt(path))) continue
      sides[inA ? 0 : 1].take(path, contents)
    }
    base.add(contents)
  }
  return { paths, before, after }
}

function differences({ paths, before, after }: Sides, times: boolean): readonly FileDifference[] {
  const found: FileDifference[] = []
  for (const number of paths.sorted(at => before.has(at) || after.has(at))) {
    const difference = differenceOf(before.at(number), after.at(number), times)
    if (difference) found.push(difference)
  }
  return found
}

function differenceOf(
  a: Compared | undefined,
  b: Compared | undefined,
  times: boolean,
): FileDifference | undefined {
  if (a === undefined) return b && { path: b.file.path, change: 'added', after: b.file }
  const { path } = a.file
  if (b === undefined) return { path, change: 'removed', before: a.file }
  const aspects = aspectsOf(a, b, times)
  return aspects.length === 0
    ? undefined
    : { path, change: 'changed', aspects, before: a.file, after: b.file }
}

/** What a file is behind its name: of a hard link the file, where it is known. */
const real = ({ file, linked }: Compared): ImageFile => linked ?? file

function aspectsOf(before: Compared, after: Compared, times: boolean): readonly FileAspect[] {
  const [a, b] = [real(before), real(after)]
  if (a.type !== b.type) return ['type']
  const differing: Readonly<Record<Exclude<FileAspect, 'type'>, boolean>> = {
    content: a.content !== b.content,
    size: a.size !== b.size,
    mode: a.mode !== b.mode,
    owner: a.uid !== b.uid || a.gid !== b.gid,
    link: a.link !== b.link,
    device: String(a.device) !== String(b.device),
    xattrs: JSON.stringify(a.xattrs) !== JSON.stringify(b.xattrs),
    modifiedAt: times && a.modifiedAt !== b.modifiedAt,
  }
  return aspects.filter(aspect => differing[aspect])
}

const aspects = ['content', 'size', 'mode', 'owner', 'link', 'device', 'xattrs', 'modifiedAt'] as const
