/**
 * A list that is read in one go when its first item is asked for, and given out afterwards: a slow reader holds no snapshot
 * open, and may change what it is given.
 *
 * A generator would do the same. It takes ten times as long for each item, which shows when a thousand images are listed.
 *
 * @param read  called once for each iteration; what it throws is thrown by the first step
 */
export const listed = <T>(read: () => Promise<readonly T[]>): AsyncIterable<T> => ({
  [Symbol.asyncIterator]: () => new ListIterator(read),
})

class ListIterator<T> implements AsyncIterator<T> {
  readonly #read: () => Promise<readonly T[]>
  #reading: Promise<readonly T[]> | undefined
  #items: readonly T[] | undefined
  #at = 0

  constructor(read: () => Promise<readonly T[]>) {
    this.#read = read
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    this.#reading ??= this.#read()
    this.#items ??= await this.#reading
    const at = this.#at++
    // The items may be anything, `undefined` too.
    return at < this.#items.length
      ? { done: false, value: this.#items[at] as T }
      : { done: true, value: undefined }
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.#items = []
    return { done: true, value: undefined }
  }
}
