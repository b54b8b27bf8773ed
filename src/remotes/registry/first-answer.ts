import { isNotFound, isOrlopError, OrlopError } from '../../errors.ts'
import type { AbortOptions } from '../../options.ts'
import { RegistryError } from './error.ts'

/**
 * What the first of `places` answers that does. Of several failures the first one that says more than "not found" is
 * thrown, and its text goes on with the others.
 */
export async function firstAnswer<P, T>(
  places: readonly P[],
  ask: (place: P) => Promise<T>,
  { signal }: AbortOptions,
): Promise<T> {
  const failures: unknown[] = []
  for (const place of places) {
    try {
      return await ask(place)
    } catch (error) {
      signal?.throwIfAborted()
      failures.push(error)
    }
  }
  throw mostTelling(failures)
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
  const failures: unknown[] = []
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
      failures.push(error)
    }
  }
  throw mostTelling(failures) ?? new OrlopError('NOT_FOUND', 'no host to ask')
}

function mostTelling(failures: readonly unknown[]): unknown {
  const telling = failures.find(error => !isNotFound(error)) ?? failures[0]
  const others = failures.filter(error => error !== telling).map(textOf)
  if (others.length === 0 || !isOrlopError(telling)) return telling
  const text = `${telling.message} (other hosts of the image failed too: ${others.join('; ')})`
  if (!(telling instanceof RegistryError)) return new OrlopError(telling.code, text, { cause: telling })
  const { code, method, status, errors, retryAfterMs } = telling
  const url = new URL(telling.url)
  return new RegistryError(code, text, { method, url, status, errors, retryAfterMs, cause: telling })
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
