import { isNotFound } from '../../errors.ts'
import { listed } from '../../metadata/listed.ts'
import type { AbortOptions } from '../../options.ts'
import type { Store } from '../../runtime/store.ts'
import type { Membership } from './membership.ts'

/** A removal; when it is asked for again, what is not there any more is removed. */
export async function gone(removal: Promise<void>, isRepeated: boolean): Promise<void> {
  try {
    await removal
  } catch (error) {
    if (!isRepeated || !isNotFound(error)) throw error
  }
}

/** What a list gives, once it is known to the end. */
export const collected = <T>(
  membership: Membership,
  list: (store: Store) => AsyncIterable<T>,
  options: AbortOptions,
): AsyncIterable<T> =>
  listed(() =>
    membership.run(async store => {
      const all: T[] = []
      for await (const item of list(store)) all.push(item)
      return all
    }, options),
  )
