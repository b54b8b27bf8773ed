import path from 'node:path'
import { type FileProvider, isFileProvider } from '../../content/fs-share.ts'
import type { InfoProvider, Provider, Target } from '../../content/types.ts'
import { OrlopError } from '../../errors.ts'
import type { AbortOptions } from '../../options.ts'
import type { Scope } from '../../runtime/runtime.ts'
import type { Store } from '../../runtime/store.ts'
import type { Verbs } from '../../runtime/verbs.ts'
import { SharedContent } from './content.ts'
import { SharedEvents } from './events.ts'
import { SharedImages } from './images.ts'
import { SharedLeases } from './leases.ts'
import { Membership, type MembershipOptions } from './membership.ts'
import { SharedNamespaces } from './namespaces.ts'
import { sharedVerbs } from './verbs.ts'

/** A store that several processes have open: one of them owns it, and the others work through that one. */
export interface SharedStore extends Store {
  /** True while this process owns it. */
  readonly isOwner: boolean
  /** The verbs on the store as a whole. They run in whatever process owns it, and stop when this one does. */
  readonly verbs: Verbs
  /**
   * Lets go of the store. An owner waits for the calls of its guests, for three seconds or until the signal fires; they
   * go on with one of them as the owner.
   */
  close(options?: AbortOptions): Promise<void>
}

/**
 * Opens the store under a root, or makes one, to share it with other processes.
 *
 * The first process owns it and serves the others by a socket; when it ends, one of them takes over. Their calls wait
 * meanwhile, and what an owner's end interrupts is done again where that does no harm.
 *
 * Differs from `Runtime.open` in that a held store is no error.
 *
 * ```ts
 * await using store = await openShared({ root: '/var/lib/orlop' })
 * const { images } = store.scope('default')
 * ```
 *
 * @throws UNAVAILABLE  another process has it open, and has not answered for ten seconds, or for thirty if it shares it
 * @throws INVALID_ARGUMENT, FAILED_PRECONDITION, PERMISSION_DENIED, DATA_LOSS  as `Runtime.open`
 */
export async function openShared(options: MembershipOptions, work: AbortOptions = {}): Promise<SharedStore> {
  if (options.root === '') throw new OrlopError('INVALID_ARGUMENT', 'root: empty; name a directory')
  const root = path.resolve(options.root)
  const membership = await Membership.join({ ...options, root }, work)
  const close = (end?: AbortOptions): Promise<void> => membership.leave(end)
  return {
    root,
    namespaces: new SharedNamespaces(membership),
    events: new SharedEvents(membership),
    scope: (namespace, init) => scopeOf(membership, store => store.scope(namespace, init)),
    get isOwner() {
      return membership.current.isOwner
    },
    verbs: sharedVerbs(membership),
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** A scope whose parts find the owner anew at each call. The first look refuses a name that is none. */
function scopeOf(membership: Membership, of: (store: Store) => Scope): Scope {
  const { namespace } = of(membership.current.store)
  const content = new SharedContent(membership, store => of(store).content)
  const disk: FileProvider & InfoProvider = {
    read: (target, options) => content.read(target, options),
    info: (digest, options) => membership.run(store => of(store).disk.info(digest, options), options),
    file: (target, options) => membership.run(store => fileOf(of(store).disk, target, options), options),
  }
  return {
    namespace,
    content,
    disk,
    images: new SharedImages(membership, store => of(store).images),
    leases: new SharedLeases(membership, store => of(store).leases),
    under: lease => scopeOf(membership, store => of(store).under(lease)),
  }
}

const fileOf = async (
  disk: Provider,
  target: Target,
  options: AbortOptions | undefined,
): Promise<string | undefined> => (isFileProvider(disk) ? disk.file(target, options) : undefined)
