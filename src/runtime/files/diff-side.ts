import type { LayerContents } from './contents.ts'
import { Shadows } from './shadows.ts'
import type { ImageFile } from './types.ts'

/** A file as it is compared: of a hard link with what the file is that it is another name of, where that is known. */
export interface Compared {
  readonly file: ImageFile
  readonly linked?: ImageFile
}

/** One image of two: what of it shows, layer by layer from the top down. */
export class DiffSide {
  readonly files = new Map<string, Compared>()
  readonly #shadows = new Shadows()
  /** Hard links whose files are not found yet, by the path of the file. */
  readonly #open = new Map<string, ImageFile[]>()

  /** Adds a layer that only this image has. */
  add(contents: LayerContents): void {
    this.resolve(contents)
    for (const file of contents.files.values()) if (this.shows(file)) this.take(file, contents)
    this.#shadows.add(contents)
  }

  /** True for a file of a lower layer that the layers of this image do not hide. */
  shows(file: ImageFile): boolean {
    return !this.#shadows.hide(file)
  }

  /** Takes a file that shows. */
  take(file: ImageFile, contents: LayerContents): void {
    const linked = file.type === 'hardlink' ? linkedIn(contents, file) : undefined
    this.files.set(file.path, { file, ...(linked && { linked }) })
    if (file.type !== 'hardlink' || linked || file.link === undefined) return
    this.#open.set(file.link, [...(this.#open.get(file.link) ?? []), file])
  }

  /** Hard links of upper layers find their files in a lower one, whether these show or not. */
  resolve(contents: LayerContents): void {
    for (const [path, links] of this.#open) {
      const found = contents.files.get(path)
      const linked = found?.type === 'hardlink' ? linkedIn(contents, found) : found
      if (linked === undefined) continue
      for (const file of links) this.files.set(file.path, { file, linked })
      this.#open.delete(path)
    }
  }
}

/** What a hard link is another name of, in its own layer; links to links are followed, not for ever. */
function linkedIn({ files }: LayerContents, link: ImageFile): ImageFile | undefined {
  let found = files.get(link.link ?? '')
  for (let links = 0; found?.type === 'hardlink' && links < 40; links++) found = files.get(found.link ?? '')
  return found?.type === 'hardlink' ? undefined : found
}
