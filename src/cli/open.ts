import { OrlopError } from '../errors.ts'
import type { AbortOptions } from '../options.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { Store } from '../runtime/store.ts'
import type { GlobalOptions } from './context.ts'

/** A store that is open. */
export interface Opened {
  readonly store: Store
  /** This process's runtime beneath it. @throws UNIMPLEMENTED  with `--address` */
  runtime(options: AbortOptions): Promise<Runtime>
  /** Collects all namespaces; gives the bytes that came free, where it is known. */
  collect(namespace: string, options: AbortOptions): Promise<number | undefined>
  /** Ends it; an owner waits for its guests until the signal fires. */
  close(options: AbortOptions): Promise<void>
}

/** The store behind `--address`, else the one under a root: opened by this process, or by another that shares it. */
export async function openStore(
  root: string,
  { address }: GlobalOptions,
  options: AbortOptions,
): Promise<Opened> {
  if (address) {
    const { remoteStore } = await import('../service/client/store.ts')
    const store = remoteStore(address)
    const collect: Opened['collect'] = async (...args) => {
      await store.collect(...args)
      return undefined
    }
    return { store, runtime: () => refuse(address), collect, close: async () => store[Symbol.asyncDispose]() }
  }
  const { openShared } = await import('../service/shared/open.ts')
  const store = await openShared({ root }, options)
  const { runtime, collect, close } = store
  return { store, runtime, collect, close }
}

/** What needs the files themselves. */
const refuse = (address: string): Promise<never> =>
  Promise.reject(
    new OrlopError(
      'UNIMPLEMENTED',
      `--address ${address}: this command works on a root only; stop the service and use --root`,
    ),
  )
