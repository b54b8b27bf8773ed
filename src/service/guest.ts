import { FsStore } from '../content/fs-store.ts'
import { onDisk } from '../runtime/on-disk.ts'
import { layoutOf } from '../runtime/root.ts'
import type { Scope } from '../runtime/runtime.ts'
import type { Store } from '../runtime/store.ts'
import type { Member } from './member.ts'
import { defaultAddress, isListening } from './socket.ts'

/** Takes part in a store through the process that owns it; `undefined` when none answers. */
export async function visitStore(root: string): Promise<Member | undefined> {
  const address = defaultAddress(root)
  if (!(await isListening(address))) return undefined
  const { remoteStore } = await import('./client/store.ts')
  const remote = remoteStore(address)
  const backend = new FsStore(layoutOf(root).content)
  const store: Store = { ...remote, root, scope: (...args) => withDisk(remote.scope(...args), backend) }
  return { isOwner: false, store, verbs: remote.verbs, leave: async () => remote[Symbol.asyncDispose]() }
}

/** A guest is on its owner's machine and sees the files too. */
const withDisk = (scope: Scope, backend: FsStore): Scope => ({
  ...scope,
  disk: onDisk(scope.content, backend),
  under: lease => withDisk(scope.under(lease), backend),
})
