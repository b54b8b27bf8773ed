import type { Digest, Digester } from '../../oci/digest.ts'

/** Bytes between two states of the hash that are kept; it doubles when there are too many. */
const firstStep = 4 * 1024 * 1024
const maxMarks = 64

interface Mark {
  readonly offset: number
  readonly digester: Digester
}

/** A running digest that can go back, to one of some states that it keeps. */
export class DigestMarks {
  #digester: Digester
  #offset = 0
  #step = firstStep
  #marks: readonly Mark[]

  /** @param digester  one that has taken nothing */
  constructor(digester: Digester) {
    this.#digester = digester
    this.#marks = [{ offset: 0, digester: digester.copy() }]
  }

  update(chunk: Uint8Array): void {
    this.#digester.update(chunk)
    this.#offset += chunk.byteLength
    const last = this.#marks.at(-1)?.offset ?? 0
    if (this.#offset - last < this.#step) return
    this.#marks = [...this.#marks, { offset: this.#offset, digester: this.#digester.copy() }]
    if (this.#marks.length <= maxMarks) return
    this.#marks = this.#marks.filter((_, at) => at % 2 === 0)
    this.#step *= 2
  }

  digest(): Digest {
    return this.#digester.digest()
  }

  /** Goes back to the last state that is kept of at most `offset` bytes; gives the bytes of that one. */
  goBack(offset: number): number {
    const marks = this.#marks.filter(mark => mark.offset <= offset)
    const last = marks.at(-1)
    if (last === undefined) throw new RangeError(`offset ${offset}: negative`)
    this.#marks = marks
    this.#digester = last.digester.copy()
    this.#offset = last.offset
    return last.offset
  }
}
