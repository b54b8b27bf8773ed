import { hasCode } from '../errors.ts'
import type { AbortOptions } from '../options.ts'
import type { Store } from '../runtime/store.ts'
import type { Verbs } from '../runtime/verbs.ts'
import type { GlobalOptions } from './context.ts'

/** A store that is open. */
export interface Opened {
  readonly store: Store
  /** @throws UNIMPLEMENTED  with `--address`, where the service is not orlop's */
  readonly verbs: Verbs
  /** Collects all namespaces; gives the bytes that came free, where it is known. */
  collect(namespace: string, options: AbortOptions): Promise<number | undefined>
  /** Ends it; an owner waits for its guests until the signal fires. */
  close(options: AbortOptions): Promise<void>
}

/** Milliseconds that a command has the store for itself: most are done by then, and need no socket. */
const shareAfter = 100

/** The store behind `--address`, else the one under a root: opened by this process, or by another that shares it. */
export async function openStore(
  root: string,
  { address }: GlobalOptions,
  options: AbortOptions,
): Promise<Opened> {
  if (address) return openAddress(address)
  const { openShared } = await import('../service/shared/open.ts')
  const store = await openShared({ root, shareAfter }, options)
  const { verbs, close } = store
  return { store, verbs, collect: async (_, work) => (await verbs.collect(work)).bytes, close }
}

async function openAddress(address: string): Promise<Opened> {
  const { remoteStore } = await import('../service/client/store.ts')
  const store = remoteStore(address)
  const { verbs } = store
  const collect: Opened['collect'] = async (namespace, work) => {
    try {
      return (await verbs.collect(work)).bytes
    } catch (error) {
      if (!hasCode(error, 'UNIMPLEMENTED')) throw error
      await store.collect(namespace, work)
      return undefined
    }
  }
  return { store, verbs, collect, close: async () => store[Symbol.asyncDispose]() }
}
