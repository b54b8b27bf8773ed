import { isNotFound, OrlopError } from '../../errors.ts'
import type { AbortOptions } from '../../options.ts'

/** What the first of `places` answers that does; of several failures the first one that says more than "not found". */
export async function firstAnswer<P, T>(
  places: readonly P[],
  ask: (place: P) => Promise<T>,
  { signal }: AbortOptions,
): Promise<T> {
  let failure: unknown
  for (const place of places) {
    try {
      return await ask(place)
    } catch (error) {
      signal?.throwIfAborted()
      failure = moreTelling(failure, error)
    }
  }
  throw failure
}

/** Options of `firstList`. */
export interface FirstListOptions extends AbortOptions {
  /** Which failures lead to the next list; default: all. */
  readonly passOver?: ((error: unknown) => boolean) | undefined
}

/**
 * The first of `lists` that gives an item, or ends without error. Once it has given one, its failure is final: where
 * another would have to go on cannot be told.
 */
export async function* firstList<T>(
  lists: ReadonlyArray<AsyncIterable<T>>,
  { passOver = () => true, signal }: FirstListOptions,
): AsyncGenerator<T> {
  let failure: unknown
  for (const list of lists) {
    let given = false
    try {
      for await (const item of list) {
        given = true
        yield item
      }
      return
    } catch (error) {
      signal?.throwIfAborted()
      if (given || !passOver(error)) throw error
      failure = moreTelling(failure, error)
    }
  }
  throw failure ?? new OrlopError('NOT_FOUND', 'no host to ask')
}

const moreTelling = (failure: unknown, error: unknown): unknown =>
  failure === undefined || (isNotFound(failure) && !isNotFound(error)) ? error : failure
