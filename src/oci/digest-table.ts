import { randomBytes } from 'node:crypto'
import type { Digest } from './digest.ts'

/** `sha256:` and 64 characters of hex. */
const prefix = 'sha256:'
const shortLength = prefix.length + 64
/** 32-bit words of a sha256. */
const width = 8

/**
 * Digests and numbers for them, from 0 in the order in which they were added.
 *
 * A collection holds every digest of a store: as strings in a Map they take some 200 bytes each and keep V8 busy copying
 * them; here a sha256 takes about 40, in memory that V8 does not look into. Digests of other algorithms are rare and stay
 * strings.
 */
export class DigestTable {
  #words = new Uint32Array(64 * width)
  /** Open addressing: numbers plus 1; 0 is free. At most half full. */
  #slots = new Int32Array(128)
  readonly #others = new Map<string, number>()
  readonly #otherAt = new Map<number, Digest>()
  #size = 0
  /** Somebody can choose what labels name, but not where it falls in this table. */
  readonly #seed = randomBytes(4).readUInt32LE()
  readonly #wanted = new Uint32Array(width)
  readonly #bytes = Buffer.alloc(width * 4)

  /** How many there are; their numbers are below it. */
  get size(): number {
    return this.#size
  }

  /** The number of a digest; -1 when it was not added. */
  find(digest: Digest): number {
    if (!isShort(digest)) return this.#others.get(digest) ?? -1
    return (this.#slots[this.#slotOf(digest)] ?? 0) - 1
  }

  /** True for one that was added. */
  has(digest: Digest): boolean {
    return this.find(digest) >= 0
  }

  /** The number of a digest, which is added if it was not. */
  add(digest: Digest): number {
    if (!isShort(digest)) return this.#addOther(digest)
    const slot = this.#slotOf(digest)
    const known = this.#slots[slot] ?? 0
    if (known > 0) return known - 1
    const number = this.#next()
    this.#words.set(this.#wanted, number * width)
    this.#slots[slot] = number + 1
    if (this.#size * 2 > this.#slots.length) this.#rehash()
    return number
  }

  /** The digest with a number that there is. */
  at(number: number): Digest {
    const other = this.#otherAt.get(number)
    if (other !== undefined) return other
    for (let word = 0; word < width; word++)
      this.#bytes.writeUInt32BE(this.#words[number * width + word] ?? 0, word * 4)
    return `${prefix}${this.#bytes.toString('hex')}` as Digest
  }

  #addOther(digest: Digest): number {
    const known = this.#others.get(digest)
    if (known !== undefined) return known
    const number = this.#next()
    this.#others.set(digest, number)
    this.#otherAt.set(number, digest)
    return number
  }

  #next(): number {
    if ((this.#size + 1) * width > this.#words.length) {
      const words = new Uint32Array(this.#words.length * 2)
      words.set(this.#words)
      this.#words = words
    }
    return this.#size++
  }

  /** Where a sha256 is, or would be; leaves its words in `#wanted`. */
  #slotOf(digest: Digest): number {
    const wanted = this.#wanted
    for (let word = 0, at = prefix.length; word < width; word++) {
      let value = 0
      for (const end = at + 8; at < end; at++) {
        const code = digest.charCodeAt(at)
        // Lowercase hex, as every digest is.
        value = (value << 4) | (code < 0x3a ? code - 0x30 : code - 0x57)
      }
      wanted[word] = value
    }
    return this.#probe(wanted, 0)
  }

  #probe(words: Uint32Array, from: number): number {
    const mask = this.#slots.length - 1
    let slot = this.#hash(words, from) & mask
    for (let found = this.#slots[slot] ?? 0; found > 0; found = this.#slots[slot] ?? 0) {
      if (this.#equal((found - 1) * width, words, from)) return slot
      slot = (slot + 1) & mask
    }
    return slot
  }

  #hash(words: Uint32Array, from: number): number {
    let hash = this.#seed
    for (let at = from; at < from + width; at++) {
      hash = Math.imul(hash ^ (words[at] ?? 0), 0x9e3779b1)
      hash ^= hash >>> 15
    }
    return hash >>> 0
  }

  #equal(at: number, words: Uint32Array, from: number): boolean {
    for (let word = 0; word < width; word++) if (this.#words[at + word] !== words[from + word]) return false
    return true
  }

  #rehash(): void {
    this.#slots = new Int32Array(this.#slots.length * 2)
    for (let number = 0; number < this.#size; number++) {
      if (this.#otherAt.size > 0 && this.#otherAt.has(number)) continue
      this.#slots[this.#probe(this.#words, number * width)] = number + 1
    }
  }
}

const isShort = (digest: Digest): boolean => digest.length === shortLength && digest.startsWith(prefix)
