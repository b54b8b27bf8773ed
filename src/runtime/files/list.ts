import type { Provider } from '../../content/types.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { Budget } from './budget.ts'
import { layerContents } from './contents.ts'
import { FileMap, type Interned, interned } from './file-map.ts'
import { openImage } from './image-layers.ts'
import { isWithin } from './names.ts'
import { readLayer } from './read-layer.ts'
import { Shadows } from './shadows.ts'
import type { FilesOptions, ImageFile, LayerMark } from './types.ts'

/**
 * The files of an image as a container sees them: layers on top of each other, whiteouts applied. Nothing is unpacked.
 *
 * Layers are read once each, from the top down, and the files of a layer come when it was read to its end and is verified;
 * leaving the loop before leaves the layers below unread. Held in memory are paths, see `FileLimits`. A file below a symbolic
 * link of its own layer stands where the tar has it.
 *
 * @throws NOT_FOUND  no manifest for the platform, or `provider` lacks a document or layer
 * @throws DATA_LOSS  a layer is not what its digest or its diff id says, or is damaged; the text names the layer
 * @throws INVALID_ARGUMENT  a layer that is no tar, or a name in it that leads out
 * @throws RESOURCE_EXHAUSTED  more than `limits` allow, or a decompression bomb
 * @throws UNIMPLEMENTED  a layer that is encrypted, or no tar
 * @see image-spec v1.1, layer.md
 */
export const imageFiles = (
  provider: Provider,
  target: Descriptor,
  options: FilesOptions = {},
): AsyncGenerator<ImageFile, void, undefined> => showing(provider, target, options, interned())

/** Options of `sortedImageFiles`. */
export interface SortedFilesOptions extends FilesOptions {
  /** Only this path and what lies in it; default `/`. */
  readonly top?: string | undefined
}

/** As `imageFiles`, in order of path; the first comes when all layers were read. */
export async function* sortedImageFiles(
  provider: Provider,
  target: Descriptor,
  { top = '/', ...options }: SortedFilesOptions = {},
): AsyncGenerator<ImageFile, void, undefined> {
  const names = interned()
  const files = new FileMap(names)
  for await (const file of showing(provider, target, options, names))
    if (isWithin(file.path, top)) files.set(file)
  yield* files.sorted()
}

async function* showing(
  provider: Provider,
  target: Descriptor,
  options: FilesOptions,
  names: Interned,
): AsyncGenerator<ImageFile, void, undefined> {
  const { layers } = await openImage(provider, target, options)
  const budget = new Budget(options.limits)
  const shadows = new Shadows(names.paths)
  for (const layer of layers.toReversed()) {
    const contents = await layerContents(layer, { provider, budget, signal: options.signal }, names)
    const { files } = contents
    for (const path of files.numbers()) {
      const file = shadows.hide(path, files.typeAt(path)) ? undefined : files.at(path)
      if (file) yield file
    }
    shadows.add(contents)
    if (shadows.hideAll) return
  }
}

/**
 * What each layer of an image has of its own, lowest first and in the order of its tar: files, whiteouts and opaque marks.
 * Nothing is held. Throws as `imageFiles`; a layer is verified when its last entry has come.
 */
export async function* layerFiles(
  provider: Provider,
  target: Descriptor,
  options: FilesOptions = {},
): AsyncGenerator<ImageFile | LayerMark, void, undefined> {
  const { layers } = await openImage(provider, target, options)
  const budget = new Budget({ ...unbounded, ...options.limits })
  for (const layer of layers)
    for await (const entry of readLayer(layer, { provider, budget, signal: options.signal }))
      yield 'file' in entry ? entry.file : entry.mark
}

/** For what holds nothing. */
const unbounded = { maxEntries: Number.POSITIVE_INFINITY, maxNameBytes: Number.POSITIVE_INFINITY }
