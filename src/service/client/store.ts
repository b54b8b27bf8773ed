import type { AbortOptions } from '../../options.ts'
import type { Scope } from '../../runtime/runtime.ts'
import type { Store } from '../../runtime/store.ts'
import type { Verbs } from '../../runtime/verbs.ts'
import { Connection } from './connection.ts'
import { RemoteContent } from './content.ts'
import { RemoteEvents } from './events.ts'
import { RemoteImages } from './images.ts'
import { RemoteLeases } from './leases.ts'
import { RemoteNamespaces } from './namespaces.ts'
import { remoteVerbs } from './verbs.ts'

/** A store behind a socket. */
export interface RemoteStore extends Store {
  /** Of an orlop; of a real containerd they are UNIMPLEMENTED. */
  readonly verbs: Verbs
  /**
   * Collects what nothing keeps, of all namespaces, as containerd's API has it: `namespace` is that of a lease which asks
   * for it, and goes with it.
   */
  collect(namespace: string, options?: AbortOptions): Promise<void>
}

/**
 * The store that a service has open: orlop's, or a real containerd as far as its API goes. Connects with the first call.
 *
 * @throws INVALID_ARGUMENT  an address that is no path of a socket
 */
export function remoteStore(address: string): RemoteStore {
  const connection = new Connection(address)
  const scope: Store['scope'] = (namespace = 'default', { lease } = {}): Scope => {
    const place = { namespace, lease }
    const content = new RemoteContent(connection, place)
    return {
      namespace,
      content,
      images: new RemoteImages(connection, place),
      leases: new RemoteLeases(connection, place),
      // What lies on its disk only the service knows.
      disk: content,
      under: id => scope(namespace, { lease: id }),
    }
  }
  return {
    root: connection.address,
    namespaces: new RemoteNamespaces(connection),
    events: new RemoteEvents(connection),
    scope,
    verbs: remoteVerbs(connection),
    collect: (namespace, options) => new RemoteLeases(connection, { namespace }).collect(options),
    [Symbol.asyncDispose]: async () => connection[Symbol.dispose](),
  }
}
