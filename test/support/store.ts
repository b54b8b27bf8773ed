import path from 'node:path'
import type { Digest } from '../../src/oci/digest.ts'
import { Runtime, type RuntimeOptions } from '../../src/runtime/runtime.ts'
import { type Teardown, temporaryDirectory } from './tmp.ts'

/** A store under a fresh root, closed and removed when the test ends. */
export async function openRuntime(t: Teardown, options: Omit<RuntimeOptions, 'root'> = {}): Promise<Runtime> {
  const runtime = await Runtime.open({ ...options, root: path.join(await temporaryDirectory(t), 'root') })
  t.teardown(() => runtime.close())
  return runtime
}

/** The file of a blob below a root. */
export const blobFile = (root: string, digest: Digest): string =>
  path.join(root, 'content/blobs', ...digest.split(':'))
