import { Digester, digestOf } from '../../oci/digest.ts'
import { FileMap, flags, type Interned } from './file-map.ts'
import type { ImageLayer } from './image-layers.ts'
import { type LayerEntry, type LayerReading, readLayer, whatOf } from './read-layer.ts'
import type { ImageFile } from './types.ts'

/** The layers below have the path, and it is gone. */
const whiteout = 1
/** Nothing that the layers below have in the directory shows. */
const opaque = 2
/** A file lies in the directory, whether the layer says so of it itself or not. */
const parent = 4

/** What a layer has, by path. Of two entries with one path the last counts, as it does when the layer is unpacked. */
export class LayerContents {
  readonly #hold: () => void
  readonly interned: Interned
  readonly files: FileMap
  readonly #flags = flags()

  /** @param hold  told of each directory that is held for what lies in it; throws when they are too many */
  constructor(hold: () => void, interned: Interned) {
    this.#hold = hold
    this.interned = interned
    this.files = new FileMap(interned)
  }

  add(entry: LayerEntry): void {
    if ('mark' in entry) {
      const { path, type } = entry.mark
      this.#flag(this.interned.paths.add(path), type === 'whiteout' ? whiteout : opaque)
    } else this.addFile(entry.file)
  }

  addFile(file: ImageFile): void {
    const { paths } = this.interned
    this.files.set(file)
    for (let at = paths.parentOf(paths.find(file.path)); at >= 0; at = paths.parentOf(at)) {
      if (this.isParent(at)) return
      this.#flag(at, parent)
      if (at !== 0) this.#hold()
    }
  }

  /** True for a path that layers below have and that is gone; each by its number, as all below. */
  isWhiteout(path: number): boolean {
    return (this.#flags.get(path) & whiteout) !== 0
  }

  /** True for a directory through which nothing of the layers below shows. */
  isOpaque(path: number): boolean {
    return (this.#flags.get(path) & opaque) !== 0
  }

  /** True for a directory in which a file lies. */
  isParent(path: number): boolean {
    return (this.#flags.get(path) & parent) !== 0
  }

  #flag(path: number, flag: number): void {
    this.#flags.set(path, this.#flags.get(path) | flag)
  }
}

/** The contents of a layer, to be filled, within a budget. */
export const emptyContents = (
  layer: ImageLayer,
  { budget }: Pick<LayerReading, 'budget'>,
  interned: Interned,
): LayerContents => new LayerContents(() => budget.hold(0, whatOf(layer)), interned)

/** Reads a layer to its end, verifies it, and gives what it has. Throws as `readLayer`. */
export async function layerContents(
  layer: ImageLayer,
  { hash = false, ...reading }: LayerReading & { readonly hash?: boolean },
  interned: Interned,
): Promise<LayerContents> {
  const contents = emptyContents(layer, reading, interned)
  for await (const entry of readLayer(layer, reading)) {
    if (hash && 'file' in entry && entry.file.type === 'file') contents.addFile(await hashed(entry))
    else contents.add(entry)
  }
  return contents
}

async function hashed({ file, body }: Extract<LayerEntry, { file: ImageFile }>): Promise<ImageFile> {
  let digester: Digester | undefined
  for await (const chunk of body()) {
    // Most files come in one piece.
    if (chunk.byteLength === file.size) return { ...file, content: digestOf(chunk) }
    digester ??= new Digester()
    digester.update(chunk)
  }
  return { ...file, content: digester?.digest() ?? digestOf('') }
}
