/** Numbers by place, in an array that grows: 0 where none was set. V8 need not look into it, however long it is. */
export class Numbers<A extends Int32Array | Float64Array | Uint8Array> {
  readonly #make: (length: number) => A
  #array: A

  /** @param make  an array of that length */
  constructor(make: (length: number) => A) {
    this.#make = make
    this.#array = make(64)
  }

  get(at: number): number {
    return this.#array[at] ?? 0
  }

  set(at: number, value: number): void {
    if (at >= this.#array.length) {
      const grown = this.#make(Math.max(at + 1, this.#array.length * 2))
      grown.set(this.#array)
      this.#array = grown
    }
    this.#array[at] = value
  }

  /** Those from one place to before another; not a copy, and right until the next `set`. */
  slice(from: number, to: number): A {
    return this.#array.subarray(from, to) as A
  }
}

/** Whole numbers from -2^31 to 2^31-1. */
export const integers = (): Numbers<Int32Array> => new Numbers(length => new Int32Array(length))

/** Any numbers. */
export const doubles = (): Numbers<Float64Array> => new Numbers(length => new Float64Array(length))

/** Small sets of flags. */
export const bytes = (): Numbers<Uint8Array> => new Numbers(length => new Uint8Array(length))
