import path from 'node:path'
import { MemoryStore } from '../../src/content/memory-store.ts'
import { ImageRecords } from '../../src/images/store.ts'
import { Database } from '../../src/metadata/database.ts'
import { MemoryKeyValue } from '../../src/metadata/memory-kv.ts'
import { Metadata } from '../../src/metadata/scope.ts'
import type { Store } from '../../src/runtime/store.ts'
import { remoteStore } from '../../src/service/client/store.ts'
import type { ServedStore } from '../../src/service/parts.ts'
import { serve } from '../../src/service/serve.ts'
import { type Teardown, temporaryDirectory } from './tmp.ts'

/** A service in this process, and a client of it. */
export interface Remote {
  /** What is served. */
  readonly served: ServedStore
  readonly address: string
  /** The client. */
  readonly store: Store
  /** What the service had to say that clients are not told. */
  readonly log: readonly string[]
  /** How often a client waited for a collection. */
  readonly collections: () => number
}

/** Serves a store in memory on a socket, and opens a client; all is closed in teardown. */
export async function openRemote(t: Teardown): Promise<Remote> {
  const directory = await temporaryDirectory(t)
  const served = memoryStore(directory)
  const address = path.join(directory, 's.sock')
  const log: string[] = []
  let collections = 0
  const parts = {
    store: served,
    log: (line: string) => void log.push(line),
    collect: async () => void collections++,
  }
  const service = await serve(parts, { address })
  const store = remoteStore(address)
  t.teardown(async () => {
    await store[Symbol.asyncDispose]()
    await service.close(1000)
  })
  return { served, address, store, log, collections: () => collections }
}

/** A store in memory, as services want it. */
function memoryStore(root: string): ServedStore {
  const database = new Database(new MemoryKeyValue())
  const metadata = new Metadata({ database, backend: new MemoryStore() })
  const { events, namespaces } = metadata
  const scope: ServedStore['scope'] = (namespace, { lease, now } = {}) => {
    const { content, leases } = metadata.scope({ namespace, lease })
    return {
      namespace,
      content,
      leases,
      images: new ImageRecords({ database, events, namespace, lease, now }),
      disk: content,
      under: id => scope(namespace, { lease: id }),
    }
  }
  return { root, events, namespaces, scope }
}
