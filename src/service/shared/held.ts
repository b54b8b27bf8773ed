import { setTimeout as sleep } from 'node:timers/promises'
import { isUnavailable } from '../../errors.ts'
import type { AbortOptions } from '../../options.ts'
import { type Owner, ownerOf } from '../../runtime/owner-file.ts'

/** Milliseconds for which a process may hold a store that it does not share: it may have just started. */
export const patience = 10_000

/**
 * Does `attempt`, again and again while a process holds the store: for as long as `patienceWith` gives that process, in
 * milliseconds. Each one that has the store next is waited for anew.
 *
 * @param patienceWith  called once for each; `undefined`: it has not said who it is
 * @throws UNAVAILABLE  what `attempt` said of the last one
 */
export async function whileHeld<T>(
  root: string,
  attempt: () => Promise<T>,
  patienceWith: (owner: Owner | undefined) => number,
  options: AbortOptions,
): Promise<T> {
  let [known, deadline] = ['', 0]
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (!isUnavailable(error)) throw error
      const owner = await ownerOf(root)
      const name = `${owner?.pid} ${owner?.since} ${owner?.shares}`
      if (name !== known) [known, deadline] = [name, performance.now() + patienceWith(owner)]
      if (performance.now() >= deadline) throw error
    }
    await pause(options)
  }
}

/** Waits for a moment, as long as chance will have it: those who wait for the same thing come one after the other. */
export async function pause({ signal }: AbortOptions): Promise<void> {
  await sleep(10 + Math.random() * 100, undefined, { signal }).catch(error => {
    signal?.throwIfAborted()
    throw error
  })
}
