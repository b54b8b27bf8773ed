import type { LayerContents } from './contents.ts'
import { parentsOf } from './names.ts'
import type { ImageFile } from './types.ts'

/** An upper layer has the path, or says that it is gone: nothing shows there. */
const covered = 1
/** Nothing below the path shows. */
const closed = 2
/** Something of an upper layer lies in it: what shows there can only be a directory. */
const directory = 4

/**
 * What layers hide of the layers below them.
 *
 * A file or a link hides a directory of that path and all in it, even when a directory of a layer still higher hides itself.
 * A directory hides what is none.
 *
 * @see image-spec v1.1, layer.md, Applying Changesets
 */
export class Shadows {
  readonly #marks = new Map<string, number>()
  /** Directories that were asked for since the last layer: whether what lies in them is hidden. */
  readonly #asked = new Map<string, boolean>()

  /** True for a file of a layer below all that were added: it does not show. */
  hide({ path, type }: Pick<ImageFile, 'path' | 'type'>): boolean {
    const own = this.#marks.get(path) ?? 0
    if (own & covered || (own & directory && type !== 'directory')) return true
    return this.#isInClosed(path)
  }

  /** True when nothing of the layers below can show. */
  get hideAll(): boolean {
    return ((this.#marks.get('/') ?? 0) & closed) !== 0
  }

  /** Adds the next lower layer. */
  add({ files, whiteouts, opaque, parents }: LayerContents): void {
    this.#asked.clear()
    for (const { path, type } of files.values())
      this.#mark(path, type === 'directory' ? covered : covered | closed)
    for (const path of whiteouts) this.#mark(path, covered | closed)
    for (const path of opaque) this.#mark(path, closed)
    for (const path of parents) this.#mark(path, directory)
  }

  /** Each directory is looked at once, however many files lie in it and however deep it is. */
  #isInClosed(path: string): boolean {
    const climbed: string[] = []
    let isClosed = false
    for (const parent of parentsOf(path)) {
      const known = this.#asked.get(parent)
      isClosed = known ?? ((this.#marks.get(parent) ?? 0) & closed) !== 0
      if (known !== undefined) break
      climbed.push(parent)
      if (isClosed) break
    }
    for (const parent of climbed) this.#asked.set(parent, isClosed)
    return isClosed
  }

  #mark(path: string, flags: number): void {
    this.#marks.set(path, (this.#marks.get(path) ?? 0) | flags)
  }
}
