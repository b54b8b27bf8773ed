import { Digester } from '../../oci/digest.ts'
import type { ImageLayer } from './image-layers.ts'
import { parentsOf } from './names.ts'
import { type LayerEntry, type LayerReading, readLayer, whatOf } from './read-layer.ts'
import type { ImageFile } from './types.ts'

/** What a layer has, by path. Of two entries with one path the last counts, as it does when the layer is unpacked. */
export class LayerContents {
  readonly #hold: () => void
  readonly files = new Map<string, ImageFile>()
  /** Paths that layers below have and that are gone. */
  readonly whiteouts = new Set<string>()
  /** Directories through which nothing of the layers below shows. */
  readonly opaque = new Set<string>()
  /** Directories in which a file lies, whether the layer says so of themselves or not. */
  readonly parents = new Set<string>()

  /** @param hold  told of each directory that is held for what lies in it; throws when they are too many */
  constructor(hold: () => void) {
    this.#hold = hold
  }

  add(entry: LayerEntry): void {
    if ('mark' in entry) {
      const { path, type } = entry.mark
      const paths = type === 'whiteout' ? this.whiteouts : this.opaque
      paths.add(path)
    } else this.addFile(entry.file)
  }

  addFile(file: ImageFile): void {
    this.files.set(file.path, file)
    for (const parent of parentsOf(file.path)) {
      if (this.parents.has(parent)) return
      this.parents.add(parent)
      if (parent !== '/') this.#hold()
    }
  }
}

/** The contents of a layer, to be filled, within a budget. */
export const emptyContents = (layer: ImageLayer, { budget }: Pick<LayerReading, 'budget'>): LayerContents =>
  new LayerContents(() => budget.hold(0, whatOf(layer)))

/** Reads a layer to its end, verifies it, and gives what it has. Throws as `readLayer`. */
export async function layerContents(
  layer: ImageLayer,
  { hash = false, ...reading }: LayerReading & { readonly hash?: boolean },
): Promise<LayerContents> {
  const contents = emptyContents(layer, reading)
  for await (const entry of readLayer(layer, reading)) {
    if (hash && 'file' in entry && entry.file.type === 'file') contents.addFile(await hashed(entry))
    else contents.add(entry)
  }
  return contents
}

async function hashed({ file, body }: Extract<LayerEntry, { file: ImageFile }>): Promise<ImageFile> {
  const digester = new Digester()
  for await (const chunk of body()) digester.update(chunk)
  return { ...file, content: digester.digest() }
}
