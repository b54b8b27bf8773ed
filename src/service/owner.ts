import type { AbortOptions } from '../options.ts'
import { localVerbs } from '../runtime/local-verbs.ts'
import { tellSharing } from '../runtime/owner-file.ts'
import { Runtime, type RuntimeOptions } from '../runtime/runtime.ts'
import type { Verbs } from '../runtime/verbs.ts'
import type { Member } from './member.ts'
import { type Served, serve } from './serve.ts'
import { defaultAddress } from './socket.ts'

/** Settings of `ownStore`. */
export interface OwnOptions extends AbortOptions {
  /** Takes lines about what clients cannot be told. */
  readonly log?: ((line: string) => void) | undefined
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
  { log = () => undefined, signal }: OwnOptions = {},
): Promise<Member> {
  const runtime = await Runtime.open(options, { signal })
  const verbs = localVerbs(runtime)
  const served = await share(runtime, verbs, log)
  const leave = async (work: AbortOptions = {}): Promise<void> => {
    try {
      await served?.close(graceMs, work)
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
    const served = await serve(parts, { address: defaultAddress(runtime.root), keepsProcess: false })
    await tellSharing(runtime.root, 'until-done')
    return served
  } catch (error) {
    log(`${runtime.root} is not shared: ${error instanceof Error ? error.message : String(error)}`)
    return undefined
  }
}
