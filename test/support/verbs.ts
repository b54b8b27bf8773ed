import path from 'node:path'
import { localVerbs } from '../../src/runtime/local-verbs.ts'
import { Runtime } from '../../src/runtime/runtime.ts'
import type { Verbs } from '../../src/runtime/verbs.ts'
import { type RemoteStore, remoteStore } from '../../src/service/client/store.ts'
import { serve } from '../../src/service/serve.ts'
import { type Teardown, temporaryDirectory } from './tmp.ts'

/** A store with files, served in this process. */
export interface ServedVerbs {
  readonly runtime: Runtime
  readonly address: string
  readonly store: RemoteStore
  /** Those of the runtime, as the service has them. */
  readonly local: Verbs
}

/** Opens a root, serves it with its verbs, and opens a client; all is closed in teardown. */
export async function serveVerbs(
  t: Teardown,
  root: string,
  wrap: (verbs: Verbs) => Verbs = verbs => verbs,
): Promise<ServedVerbs> {
  const runtime = await Runtime.open({ root })
  const address = path.join(await temporaryDirectory(t), 's.sock')
  const local = wrap(localVerbs(runtime))
  const served = await serve({ store: runtime, verbs: local, log: () => undefined }, { address })
  const store = remoteStore(address)
  t.teardown(async () => {
    await store[Symbol.asyncDispose]()
    await served.close(1000)
    await runtime.close()
  })
  return { runtime, address, store, local }
}
