import type { AbortOptions } from '../options.ts'
import { localVerbs } from '../runtime/local-verbs.ts'
import { tellSharing } from '../runtime/owner-file.ts'
import { Runtime, type RuntimeOptions } from '../runtime/runtime.ts'
import type { Verbs } from '../runtime/verbs.ts'
import type { Member } from './member.ts'
import type { Served } from './serve.ts'
import { defaultAddress } from './socket.ts'

/** Settings of `ownStore`. */
export interface OwnOptions extends AbortOptions {
  /** Takes lines about what clients cannot be told. */
  readonly log?: ((line: string) => void) | undefined
  /**
   * Milliseconds after which others are let in; default: at once, before the store is given. What is done sooner saves the
   * making of a socket, and those who come meanwhile wait, as for a process that does not share.
   */
  readonly shareAfter?: number | undefined
}

/** Milliseconds that calls of guests may take after their owner has finished; what is cut then can be resumed. */
const graceMs = 3000

/**
 * Opens a root as its owner, and lets other processes use it by its socket.
 *
 * Where no socket can be made, as on file systems without them, it is not shared. Throws as `Runtime.open`.
 */
export async function ownStore(
  options: RuntimeOptions,
  { log = () => undefined, shareAfter = 0, signal }: OwnOptions = {},
): Promise<Member> {
  const runtime = await Runtime.open(options, { signal })
  const verbs = localVerbs(runtime)
  let served: Promise<Served | undefined> | undefined
  const begin = (): Promise<Served | undefined> => {
    served = share(runtime, verbs, log)
    return served
  }
  const timer = shareAfter > 0 ? setTimeout(begin, shareAfter).unref() : undefined
  if (timer === undefined) await begin()
  const leave = async (work: AbortOptions = {}): Promise<void> => {
    clearTimeout(timer)
    try {
      await (await served)?.close(graceMs, work)
    } finally {
      await runtime.close()
    }
  }
  return { isOwner: true, store: runtime, verbs, leave }
}

async function share(
  runtime: Runtime,
  verbs: Verbs,
  log: (line: string) => void,
): Promise<Served | undefined> {
  const parts = { store: runtime, verbs, collect: (work: AbortOptions) => verbs.collect(work), log }
  try {
    const { serve } = await import('./serve.ts')
    const served = await serve(parts, { address: defaultAddress(runtime.root), keepsProcess: false })
    await tellSharing(runtime.root, 'until-done')
    return served
  } catch (error) {
    log(`${runtime.root} is not shared: ${error instanceof Error ? error.message : String(error)}`)
    return undefined
  }
}
