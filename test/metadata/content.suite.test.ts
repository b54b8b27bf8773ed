import test, { type ExecutionContext } from 'ava'
import { FsStore } from '../../src/content/fs-store.ts'
import { MemoryStore } from '../../src/content/memory-store.ts'
import type { ContentStore } from '../../src/content/types.ts'
import type { SharingPolicy } from '../../src/metadata/content-parts.ts'
import { Database } from '../../src/metadata/database.ts'
import { MemoryKeyValue } from '../../src/metadata/memory-kv.ts'
import { Metadata } from '../../src/metadata/scope.ts'
import { contentSuite } from '../suites/content.ts'
import { sharingSuite } from '../suites/sharing.ts'
import { temporaryDirectory } from '../support/tmp.ts'

type Backend = (t: ExecutionContext) => Promise<ContentStore>

const backends: Readonly<Record<string, Backend>> = {
  fs: async t => new FsStore(await temporaryDirectory(t)),
  memory: async () => new MemoryStore(),
}

for (const [kind, backend] of Object.entries(backends)) {
  for (const policy of ['shared', 'isolated'] satisfies SharingPolicy[]) {
    const open = async (t: ExecutionContext) => {
      const database = new Database(new MemoryKeyValue())
      t.teardown(() => database.close())
      return new Metadata({ database, backend: await backend(t), policy })
    }
    const name = `${policy} over ${kind}`
    contentSuite(test, name, async t => (await open(t)).scope({ namespace: 'test' }).content, {
      labels: true,
    })
    sharingSuite(test, name, policy, async t => {
      const metadata = await open(t)
      return {
        content: namespace => metadata.scope({ namespace }).content,
        share: async namespace => {
          await metadata.namespaces.update(namespace, {
            labels: { 'containerd.io/namespace.shareable': 'true' },
          })
        },
      }
    })
  }
}
