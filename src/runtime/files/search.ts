import path from 'node:path'
import { emptyContents, type LayerContents } from './contents.ts'
import { interned } from './file-map.ts'
import type { ImageLayer, OpenedImage } from './image-layers.ts'
import { parentsOf } from './names.ts'
import { type LayerEntry, type LayerReading, readLayer } from './read-layer.ts'
import type { ImageFile } from './types.ts'

/** A layer that is open at an entry. */
export interface OpenEntry {
  readonly file: ImageFile
  /** Its bytes, once. */
  body(): AsyncGenerator<Uint8Array, void, undefined>
  /** What comes after it; returning it closes the layer. */
  readonly rest: AsyncGenerator<LayerEntry, void, undefined>
}

/** What stands at a path, before links are followed. */
export type Found =
  /** With `open` when the layer was being read. @param at  the layer, counted from the top */
  | { readonly kind: 'file'; readonly file: ImageFile; readonly at: number; readonly open?: OpenEntry }
  /** A symbolic link stands there or on the way: look there instead. */
  | { readonly kind: 'elsewhere'; readonly path: string; readonly link: ImageFile }
  /** A directory that is only known by what lies in it. */
  | { readonly kind: 'directory' }
  /** @param obstacle  what is no directory on the way */
  | { readonly kind: 'absent'; readonly obstacle?: ImageFile; readonly parent: string }

/**
 * Looks for paths in the layers of an image, from the top down. A layer is read when it is first needed, until the path is
 * found in it; one that was read to its end is kept as what it has, so that the way of a link does not read it again.
 */
export class LayerSearch {
  /** The top one first. */
  readonly #layers: readonly ImageLayer[]
  readonly #reading: LayerReading
  readonly #known: LayerContents[] = []
  readonly #interned = interned()

  constructor({ layers }: Pick<OpenedImage, 'layers'>, reading: LayerReading) {
    this.#layers = layers.toReversed()
    this.#reading = reading
  }

  /**
   * What stands at a path in the layers from number `top` (0 is the highest) down; a symbolic link in the last place is
   * given as a file. Throws as `readLayer`.
   */
  async find(full: string, top = 0): Promise<Found> {
    const directories = new Set<string>(['/'])
    for (const [at, layer] of this.#layers.entries()) {
      if (at < top) continue
      const contents = this.#known[at] ?? (await this.#readUntil(full, layer, at))
      if ('rest' in contents) return { kind: 'file', file: contents.file, at, open: contents }
      const found = lookIn(contents, full, directories)
      if (found?.kind === 'file') return { ...found, at }
      if (found) return found
    }
    return absent(full, directories)
  }

  /** Opens a layer at a file that it is known to have. */
  async open(file: ImageFile, at: number): Promise<OpenEntry | undefined> {
    const layer = this.#layers[at]
    return layer && (await firstOf(readLayer(layer, this.#reading), file.path))
  }

  /** Reads a layer until it has a file of that path, which is left open; else all of it. */
  async #readUntil(full: string, layer: ImageLayer, at: number): Promise<OpenEntry | LayerContents> {
    const contents = emptyContents(layer, this.#reading, this.#interned)
    const open = await firstOf(readLayer(layer, this.#reading), full, contents)
    if (open) return open
    this.#known[at] = contents
    return contents
  }
}

/** Reads until the first file of that path, which is left open; what comes before goes to `contents`. */
async function firstOf(
  rest: AsyncGenerator<LayerEntry, void, undefined>,
  full: string,
  contents?: LayerContents,
): Promise<OpenEntry | undefined> {
  for (let next = await rest.next(); !next.done; next = await rest.next()) {
    const { value } = next
    if ('file' in value && value.file.path === full && value.file.type === 'file')
      return { file: value.file, body: value.body, rest }
    contents?.add(value)
  }
  return undefined
}

type InLayer = Exclude<Found, { kind: 'file' }> | { readonly kind: 'file'; readonly file: ImageFile }

/** What a layer says of a path; `undefined` when the layers below decide. `directories` are known from above; more are added. */
function lookIn(contents: LayerContents, full: string, directories: Set<string>): InLayer | undefined {
  const { paths } = contents.interned
  const own = contents.files.get(full)
  if (own) return { kind: 'file', file: own }
  if (contents.isParent(paths.find(full))) return { kind: 'directory' }
  let isHidden = contents.isWhiteout(paths.find(full))
  for (const parent of parentsOf(full)) {
    const at = paths.find(parent)
    const file = contents.files.get(parent)
    if (file && file.type !== 'directory') return onTheWay(file, full, directories)
    if (file || contents.isParent(at)) directories.add(parent)
    isHidden ||= contents.isWhiteout(at) || contents.isOpaque(at)
  }
  return isHidden ? absent(full, directories) : undefined
}

/** A path whose parent is no directory: a link leads elsewhere, unless a directory of an upper layer took its place. */
function onTheWay(file: ImageFile, full: string, directories: ReadonlySet<string>): InLayer {
  if (directories.has(file.path)) return absent(full, directories)
  if (file.type !== 'symlink') return absent(full, directories, file)
  return { kind: 'elsewhere', path: behind(file, full.slice(file.path.length)), link: file }
}

const absent = (full: string, directories: ReadonlySet<string>, obstacle?: ImageFile): InLayer & Found => ({
  kind: 'absent',
  parent: [...parentsOf(full)].find(parent => directories.has(parent)) ?? '/',
  ...(obstacle && { obstacle }),
})

/** The path that a symbolic link stands for, in the image: `..` at the root stays there. */
export const behind = (link: ImageFile, rest = ''): string => {
  const joined = `${path.posix.resolve(path.posix.dirname(link.path), link.link ?? '')}${rest}`
  return path.posix.normalize(joined)
}
