import { randomBytes } from 'node:crypto'

/**
 * Paths and numbers for them, from 0 in the order in which they were added; 0 is the root, which is always there. The
 * directories that a path lies in are added before it.
 *
 * An image has hundreds of thousands of files, and as strings in Maps each takes some 200 bytes, several times over. Here a
 * path is its directory's number and its name, in arrays that V8 does not look into: some 40 bytes for one of usual length.
 */
export class PathTable {
  #size = 1
  #parents = new Int32Array(64)
  /** Where each name begins among the characters; it ends where the next begins. */
  #starts = new Int32Array(65)
  #chars = Buffer.alloc(1024)
  /** 1: the name has two bytes a character; else all are below U+0100, and have one. */
  #wide = new Uint8Array(64)
  /** Open addressing: numbers; 0 is free, for the root is not looked for. At most half full. */
  #slots = new Int32Array(128)
  /** Directories in which something lies, and their paths. */
  readonly #directories = new Map<string, number>([['/', 0]])
  readonly #texts = new Map<number, string>([[0, '/']])
  /** Nobody who makes an image can choose where its names fall in this table. */
  readonly #seed = randomBytes(4).readInt32LE()

  /** How many there are; their numbers are below it. */
  get size(): number {
    return this.#size
  }

  /** The number of a path from the root, `/a/b`; -1 when it was not added. */
  find(path: string): number {
    if (path === '/') return 0
    const { directory, name } = split(path)
    const parent = this.#directories.get(directory)
    return parent === undefined ? -1 : this.#slots[this.#slotOf(parent, name)] || -1
  }

  /** The number of a path, which is added if it was not. */
  add(path: string): number {
    if (path === '/') return 0
    const { directory, name } = split(path)
    const parent = this.#directories.get(directory) ?? this.#addDirectory(directory)
    const slot = this.#slotOf(parent, name)
    const known = this.#slots[slot] ?? 0
    if (known > 0) return known
    const number = this.#append(parent, name)
    this.#slots[slot] = number
    if (this.#size * 2 > this.#slots.length) this.#rehash()
    return number
  }

  /** The path with a number that there is. */
  at(number: number): string {
    if (number === 0) return '/'
    const parent = this.parentOf(number)
    return `${parent === 0 ? '' : this.#texts.get(parent)}/${this.#nameOf(number)}`
  }

  /** The directory that a path lies in; -1 for the root. */
  parentOf(number: number): number {
    return number === 0 ? -1 : (this.#parents[number] ?? -1)
  }

  /** The numbers that are wanted, in order of their paths as strings. Only the names of one directory at a time are held. */
  *sorted(isWanted: (number: number) => boolean): Generator<number, void, undefined> {
    const { from, children } = this.#children()
    if (isWanted(0)) yield 0
    const open = [this.#contentsOf(children.subarray(from[0], from[1]), isWanted)]
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      const next = top.next()
      if (next.done) open.pop()
      else if (next.value >= 0) yield next.value
      else {
        const directory = -next.value
        open.push(this.#contentsOf(children.subarray(from[directory], from[directory + 1]), isWanted))
      }
    }
  }

  /**
   * What lies in a directory in order: a number where a path is wanted, and a number below 0 where what lies in that path
   * comes. The two are apart, for `/a.b` is after `/a` and before `/a/b`.
   */
  *#contentsOf(children: Int32Array, isWanted: (number: number) => boolean): Generator<number> {
    const items: { readonly key: string; readonly value: number }[] = []
    for (const number of children) {
      const key = this.#nameOf(number)
      if (isWanted(number)) items.push({ key, value: number })
      if (this.#texts.has(number)) items.push({ key: `${key}/`, value: -number })
    }
    items.sort((a, b) => (a.key < b.key ? -1 : 1))
    for (const { value } of items) yield value
  }

  /** Of each directory what lies in it, one list after the other. */
  #children(): { readonly from: Int32Array; readonly children: Int32Array } {
    const from = new Int32Array(this.#size + 1)
    for (let at = 1; at < this.#size; at++) {
      const parent = this.#parents[at] ?? 0
      from[parent + 1] = (from[parent + 1] ?? 0) + 1
    }
    for (let at = 0; at < this.#size; at++) from[at + 1] = (from[at + 1] ?? 0) + (from[at] ?? 0)
    const next = from.slice()
    const children = new Int32Array(this.#size)
    for (let at = 1; at < this.#size; at++) {
      const parent = this.#parents[at] ?? 0
      const place = next[parent] ?? 0
      children[place] = at
      next[parent] = place + 1
    }
    return { from, children }
  }

  #addDirectory(path: string): number {
    const missing: string[] = []
    for (let at = path; !this.#directories.has(at); at = split(at).directory) missing.push(at)
    let number = 0
    for (const directory of missing.reverse()) {
      number = this.add(directory)
      // Made anew: a part of a string keeps all of it in memory.
      const text = this.at(number)
      this.#directories.set(text, number)
      this.#texts.set(number, text)
    }
    return number
  }

  #append(parent: number, name: string): number {
    const number = this.#size++
    if (number === this.#parents.length) {
      this.#parents = grown(this.#parents, new Int32Array(number * 2))
      this.#starts = grown(this.#starts, new Int32Array(number * 2 + 1))
      this.#wide = grown(this.#wide, new Uint8Array(number * 2))
    }
    const start = this.#starts[number] ?? 0
    const isWide = hasWide(name)
    const length = isWide ? name.length * 2 : name.length
    if (start + length > this.#chars.length)
      this.#chars = grown(this.#chars, Buffer.alloc((start + length) * 2))
    this.#chars.write(name, start, isWide ? 'utf16le' : 'latin1')
    this.#parents[number] = parent
    this.#wide[number] = isWide ? 1 : 0
    this.#starts[number + 1] = start + length
    return number
  }

  #nameOf(number: number): string {
    const encoding = this.#wide[number] === 1 ? 'utf16le' : 'latin1'
    return this.#chars.toString(encoding, this.#starts[number], this.#starts[number + 1])
  }

  /** Where a name in a directory is, or would be. */
  #slotOf(parent: number, name: string): number {
    const mask = this.#slots.length - 1
    let slot = this.#hash(parent, name) & mask
    for (let found = this.#slots[slot] ?? 0; found > 0; found = this.#slots[slot] ?? 0) {
      if (this.#parents[found] === parent && this.#isNamed(found, name)) return slot
      slot = (slot + 1) & mask
    }
    return slot
  }

  #isNamed(number: number, name: string): boolean {
    const start = this.#starts[number] ?? 0
    const length = (this.#starts[number + 1] ?? 0) - start
    if (this.#wide[number] === 1) return length === name.length * 2 && this.#nameOf(number) === name
    if (length !== name.length) return false
    for (let at = 0; at < length; at++) if (this.#chars[start + at] !== name.charCodeAt(at)) return false
    return true
  }

  #hash(parent: number, name: string): number {
    let hash = mixed(this.#seed, parent)
    for (let at = 0; at < name.length; at++) hash = mixed(hash, name.charCodeAt(at))
    return hash >>> 0
  }

  #rehash(): void {
    this.#slots = new Int32Array(this.#slots.length * 2)
    for (let at = 1; at < this.#size; at++)
      this.#slots[this.#slotOf(this.#parents[at] ?? 0, this.#nameOf(at))] = at
  }
}

const mixed = (hash: number, value: number): number => {
  const next = Math.imul(hash ^ value, 0x9e3779b1)
  return next ^ (next >>> 15)
}

const split = (path: string): { readonly directory: string; readonly name: string } => {
  const at = path.lastIndexOf('/')
  return { directory: at === 0 ? '/' : path.slice(0, at), name: path.slice(at + 1) }
}

const hasWide = (name: string): boolean => {
  for (let at = 0; at < name.length; at++) if (name.charCodeAt(at) > 0xff) return true
  return false
}

const grown = <A extends Int32Array | Uint8Array>(before: A, after: A): A => {
  after.set(before)
  return after
}
