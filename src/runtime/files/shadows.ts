import type { LayerContents } from './contents.ts'
import { flags } from './file-map.ts'
import type { PathTable } from './path-table.ts'
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
  readonly #paths: PathTable
  readonly #marks = flags()
  #isEmpty = true
  /** Directories that were asked for since the last layer: 1 when what lies in them is hidden, 2 when it is not. */
  #asked = flags()

  constructor(paths: PathTable) {
    this.#paths = paths
  }

  /** True for a file of a layer below all that were added, by the number of its path: it does not show. */
  hide(path: number, type: ImageFile['type'] | undefined): boolean {
    const own = this.#marks.get(path)
    if (own & covered || (own & directory && type !== 'directory')) return true
    return this.#isInClosed(path)
  }

  /** True before any layer hides something. */
  get isEmpty(): boolean {
    return this.#isEmpty
  }

  /** True when nothing of the layers below can show. */
  get hideAll(): boolean {
    return (this.#marks.get(0) & closed) !== 0
  }

  /** Adds the next lower layer. */
  add(contents: LayerContents): void {
    this.#asked = flags()
    for (let path = 0; path < this.#paths.size; path++) {
      const type = contents.files.typeAt(path)
      let found = 0
      if (type !== undefined) found |= type === 'directory' ? covered : covered | closed
      if (contents.isWhiteout(path)) found |= covered | closed
      if (contents.isOpaque(path)) found |= closed
      if (contents.isParent(path)) found |= directory
      if (found === 0) continue
      this.#isEmpty = false
      this.#marks.set(path, this.#marks.get(path) | found)
    }
  }

  /** Each directory is looked at once, however many files lie in it and however deep it is. */
  #isInClosed(path: number): boolean {
    const top = this.#paths.parentOf(path)
    let at = top
    let answer = 0
    for (; at >= 0 && answer === 0; at = this.#paths.parentOf(at))
      answer = (this.#marks.get(at) & closed) !== 0 ? 1 : this.#asked.get(at)
    if (answer === 0) answer = 2
    for (let climbed = top; climbed !== at; climbed = this.#paths.parentOf(climbed))
      this.#asked.set(climbed, answer)
    return answer === 1
  }
}
