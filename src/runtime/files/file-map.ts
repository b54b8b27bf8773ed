import { bytes, doubles, integers } from '../../numbers.ts'
import { DigestTable } from '../../oci/digest-table.ts'
import { PathTable } from './path-table.ts'
import type { ImageFile, LayerRef } from './types.ts'

/** What the maps of one look into images share. */
export interface Interned {
  readonly paths: PathTable
  readonly digests: DigestTable
}

/** Nothing yet. */
export const interned = (): Interned => ({ paths: new PathTable(), digests: new DigestTable() })

/** What many files of a layer have alike. */
type Stamp = Pick<ImageFile, 'type' | 'mode' | 'uid' | 'gid' | 'layer'>

/** What few files have. */
type Rare = Pick<ImageFile, 'device' | 'xattrs'>

/**
 * Files by their paths, as a Map of them would be, in arrays of numbers: some 40 bytes each. What is read of it is made anew
 * each time.
 */
export class FileMap {
  readonly #paths: PathTable
  readonly #digests: DigestTable
  /** Of each path its place plus 1; 0: it has no file. */
  readonly #places = integers()
  #size = 0
  readonly #path = integers()
  readonly #stamp = integers()
  readonly #fileSize = doubles()
  readonly #modifiedAt = doubles()
  /** A text's place plus 1; for a hard link a path's, below 0. */
  readonly #link = integers()
  /** A digest's place plus 1. */
  readonly #content = integers()
  readonly #stamps: Stamp[] = []
  readonly #stampPlaces = new Map<LayerRef, Map<string, number>>()
  readonly #texts: string[] = []
  readonly #rare = new Map<number, Rare>()

  constructor({ paths, digests }: Interned) {
    this.#paths = paths
    this.#digests = digests
  }

  get size(): number {
    return this.#size
  }

  /** Takes the place of the file that has its path, if there is one. */
  set(file: ImageFile): void {
    const path = this.#paths.add(file.path)
    const known = this.#places.get(path)
    const place = known === 0 ? this.#size++ : known - 1
    this.#places.set(path, place + 1)
    this.#path.set(place, path)
    this.#stamp.set(place, this.#placeOf(file))
    this.#fileSize.set(place, file.size)
    this.#modifiedAt.set(place, file.modifiedAt)
    this.#link.set(place, this.#linkOf(file))
    this.#content.set(place, file.content === undefined ? 0 : this.#digests.add(file.content) + 1)
    const { device, xattrs } = file
    if (device || xattrs) this.#rare.set(place, { ...(device && { device }), ...(xattrs && { xattrs }) })
    else this.#rare.delete(place)
  }

  /** The file at a path. */
  get(path: string): ImageFile | undefined {
    const at = this.#paths.find(path)
    return at < 0 ? undefined : this.at(at)
  }

  /** The file at the path with a number. */
  at(path: number): ImageFile | undefined {
    const place = this.#places.get(path) - 1
    const stamp = this.#stamps[this.#stamp.get(place)]
    if (place < 0 || stamp === undefined) return undefined
    const { type, mode, uid, gid, layer } = stamp
    const link = this.#link.get(place)
    const content = this.#content.get(place)
    return {
      path: this.#paths.at(path),
      type,
      mode,
      uid,
      gid,
      size: this.#fileSize.get(place),
      modifiedAt: this.#modifiedAt.get(place),
      ...(link !== 0 && { link: link < 0 ? this.#paths.at(-1 - link) : (this.#texts[link - 1] ?? '') }),
      ...this.#rare.get(place),
      ...(content !== 0 && { content: this.#digests.at(content - 1) }),
      layer,
    }
  }

  /** True when the path with a number has a file. */
  has(path: number): boolean {
    return this.#places.get(path) > 0
  }

  /** The kind of the file at the path with a number. */
  typeAt(path: number): ImageFile['type'] | undefined {
    const place = this.#places.get(path) - 1
    return place < 0 ? undefined : this.#stamps[this.#stamp.get(place)]?.type
  }

  /** The numbers of the paths, in the order in which they came. */
  *numbers(): Generator<number, void, undefined> {
    for (let place = 0; place < this.#size; place++) yield this.#path.get(place)
  }

  /** All files in order of path. */
  *sorted(): Generator<ImageFile, void, undefined> {
    for (const path of this.#paths.sorted(number => this.has(number))) {
      const file = this.at(path)
      if (file) yield file
    }
  }

  #placeOf({ type, mode, uid, gid, layer }: ImageFile): number {
    const places = this.#stampPlaces.get(layer) ?? new Map<string, number>()
    this.#stampPlaces.set(layer, places)
    const key = `${type} ${mode} ${uid} ${gid}`
    const known = places.get(key)
    if (known !== undefined) return known
    const place = this.#stamps.push({ type, mode, uid, gid, layer }) - 1
    places.set(key, place)
    return place
  }

  #linkOf({ type, link }: ImageFile): number {
    if (link === undefined) return 0
    return type === 'hardlink' ? -1 - this.#paths.add(link) : this.#texts.push(link)
  }
}

/** Flags of paths. */
export type Flags = ReturnType<typeof bytes>

/** None yet. */
export const flags: () => Flags = bytes
