import type { AbortOptions } from '../options.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { Store } from '../runtime/store.ts'
import type { GlobalOptions } from './context.ts'

/** A store that is open, and this process's runtime beneath it unless it is behind a socket. */
export interface Opened {
  readonly store: Store
  readonly runtime: Runtime | undefined
}

/** The store behind `--address`, else the one under a root, opened by this process. */
export async function openStore(
  root: string,
  { address }: GlobalOptions,
  options: AbortOptions,
): Promise<Opened> {
  if (address) {
    const { remoteStore } = await import('../service/client/store.ts')
    return { store: remoteStore(address), runtime: undefined }
  }
  const { Runtime } = await import('../runtime/runtime.ts')
  const runtime = await Runtime.open({ root }, options)
  return { store: runtime, runtime }
}
