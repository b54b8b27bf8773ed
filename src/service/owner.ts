import type { AbortOptions } from '../options.ts'
import { Runtime, type RuntimeOptions } from '../runtime/runtime.ts'
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
  const served = await share(runtime, log)
  const leave = async (work: AbortOptions = {}): Promise<void> => {
    try {
      await served?.close(graceMs, work)
    } finally {
      await runtime.close()
    }
  }
  const collect: Member['collect'] = async (_, work) => (await runtime.gc.collect(work)).bytes
  return { store: runtime, runtime, collect, leave }
}

async function share(runtime: Runtime, log: (line: string) => void): Promise<Served | undefined> {
  const parts = { store: runtime, collect: (work: AbortOptions) => runtime.gc.collect(work), log }
  try {
    return await serve(parts, { address: defaultAddress(runtime.root), keepsProcess: false })
  } catch (error) {
    log(`${runtime.root} is not shared: ${error instanceof Error ? error.message : String(error)}`)
    return undefined
  }
}
