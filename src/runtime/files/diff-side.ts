import type { LayerContents } from './contents.ts'
import { FileMap, type Interned } from './file-map.ts'
import { Shadows } from './shadows.ts'
import type { ImageFile } from './types.ts'

/** A file as it is compared: of a hard link with what the file is that it is another name of, where that is known. */
export interface Compared {
  readonly file: ImageFile
  readonly linked?: ImageFile
}

/** One image of two: what of it shows, layer by layer from the top down. */
export class DiffSide {
  #files: FileMap
  /** Of hard links, by their own paths, the files that they are other names of. */
  readonly #linked: FileMap
  readonly #shadows: Shadows
  /** Hard links whose files are not found yet, by the path of the file. */
  readonly #open = new Map<string, string[]>()

  constructor(interned: Interned) {
    this.#files = new FileMap(interned)
    this.#linked = new FileMap(interned)
    this.#shadows = new Shadows(interned.paths)
  }

  /** True when there is a file at the path with a number. */
  has(path: number): boolean {
    return this.#files.has(path)
  }

  /** What is at the path with a number. */
  at(path: number): Compared | undefined {
    const file = this.#files.at(path)
    const linked = this.#linked.at(path)
    return file && { file, ...(linked && { linked }) }
  }

  /** Adds a layer that only this image has. */
  add(contents: LayerContents): void {
    this.resolve(contents)
    // Of the top layer all shows: it is taken as it is, and not copied.
    if (this.#files.size === 0 && this.#shadows.isEmpty) {
      this.#files = contents.files
      for (const path of this.#files.numbers()) this.#resolveIn(path, contents)
    } else {
      for (const path of contents.files.numbers()) if (this.shows(path, contents)) this.take(path, contents)
    }
    this.#shadows.add(contents)
  }

  /** True for a file of a lower layer, by the number of its path, that the layers of this image do not hide. */
  shows(path: number, { files }: LayerContents): boolean {
    return !this.#shadows.hide(path, files.typeAt(path))
  }

  /** Takes a file that shows. */
  take(path: number, contents: LayerContents): void {
    const file = contents.files.at(path)
    if (file === undefined) return
    this.#files.set(file)
    this.#resolveIn(path, contents)
  }

  /** A hard link finds its file in its own layer, or waits for a lower one. */
  #resolveIn(path: number, { files }: LayerContents): void {
    const file = files.typeAt(path) === 'hardlink' ? files.at(path) : undefined
    if (file?.link === undefined) return
    const linked = linkedIn(files, file)
    if (linked) this.#link(file.path, linked)
    else this.#open.set(file.link, [...(this.#open.get(file.link) ?? []), file.path])
  }

  /** Hard links of upper layers find their files in a lower one, whether these show or not. */
  resolve({ files }: LayerContents): void {
    for (const [path, links] of this.#open) {
      const found = files.get(path)
      const linked = found?.type === 'hardlink' ? linkedIn(files, found) : found
      if (linked === undefined) continue
      for (const link of links) this.#link(link, linked)
      this.#open.delete(path)
    }
  }

  #link(path: string, linked: ImageFile): void {
    this.#linked.set({ ...linked, path })
  }
}

/** What a hard link is another name of, in its own layer; links to links are followed, not for ever. */
function linkedIn(files: FileMap, link: ImageFile): ImageFile | undefined {
  let found = files.get(link.link ?? '')
  for (let links = 0; found?.type === 'hardlink' && links < 40; links++) found = files.get(found.link ?? '')
  return found?.type === 'hardlink' ? undefined : found
}
