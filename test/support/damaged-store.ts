import fs from 'node:fs/promises'
import path from 'node:path'
import { FsLayout } from '../../src/content/fs-layout.ts'
import type { Finding } from '../../src/fsck/types.ts'
import { openLevel } from '../../src/metadata/level-kv.ts'
import type { Digest } from '../../src/oci/digest.ts'
import { noCredentials } from '../../src/remotes/registry/credentials.ts'
import { RegistryResolver } from '../../src/remotes/registry/resolver.ts'
import { pull } from '../../src/runtime/pull.ts'
import { Runtime } from '../../src/runtime/runtime.ts'
import { startRegistry, type TestRegistry } from './registry.ts'
import { type Teardown, temporaryDirectory } from './tmp.ts'

/** A store with one pulled image, and ways to damage it as disks and people do. */
export interface DamagedStore {
  readonly root: string
  readonly registry: TestRegistry
  readonly resolver: RegistryResolver
  /** `<registry>/app:1` */
  readonly name: string
  readonly manifest: Digest
  readonly config: Digest
  readonly layers: readonly Digest[]
  open(now?: () => Date): Promise<Runtime>
  file(digest: Digest): string
  /** Replaces the bytes of a blob's file. */
  overwrite(digest: Digest, bytes: string | Buffer): Promise<void>
  /** Flips one bit of a blob's file. */
  flip(digest: Digest): Promise<void>
  /** Changes records below orlop. */
  records(ops: Parameters<Awaited<ReturnType<typeof openLevel>>['commit']>[0]): Promise<void>
}

/** Pulls an image of a config and three layers out of a registry on loopback. The store is closed. */
export async function damagedStore(t: Teardown): Promise<DamagedStore> {
  const root = path.join(await temporaryDirectory(t), 'root')
  const registry = await startRegistry(t)
  const { manifest, config, layers } = registry.image(
    'app',
    '1',
    'first layer',
    'second layer',
    'x'.repeat(100_000),
  )
  const resolver = new RegistryResolver({ credentials: noCredentials })
  t.teardown(() => resolver.close())
  const name = `${registry.host}/app:1`
  const open = (now?: () => Date) => Runtime.open({ root, now })
  {
    await using runtime = await open()
    await pull({ resolver, scope: runtime.scope() }, name)
  }
  const layout = new FsLayout(path.join(root, 'content'))
  const file = (digest: Digest): string => layout.blob(digest)
  const overwrite = async (digest: Digest, bytes: string | Buffer): Promise<void> => {
    await fs.rm(file(digest), { force: true })
    await fs.writeFile(file(digest), bytes)
  }
  return {
    ...{ root, registry, resolver, name, open, file, overwrite },
    manifest: manifest.digest,
    config: config.digest,
    layers: layers.map(({ digest }) => digest),
    flip: async digest => {
      const bytes = await fs.readFile(file(digest))
      bytes[0] = (bytes[0] ?? 0) ^ 1
      await overwrite(digest, bytes)
    },
    records: async ops => {
      await using kv = await openLevel(path.join(root, 'metadata'))
      await kv.commit(ops)
    },
  }
}

/** Findings in short: `class object`. */
export const short = (findings: readonly Finding[]): readonly string[] =>
  findings.map(({ class: kind, object }) => `${kind} ${object}`)
