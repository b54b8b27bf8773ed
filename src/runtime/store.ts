import type { Subscriber } from '../metadata/exchange.ts'
import type { NamespaceManager } from '../metadata/namespaces.ts'
import type { Scope, ScopeInit } from './runtime.ts'

/** A store as the verbs use it, of this process or behind a socket; a `Runtime` is one. */
export interface Store extends AsyncDisposable {
  /** Where it is: a directory, or a socket. */
  readonly root: string
  readonly namespaces: NamespaceManager
  readonly events: Subscriber
  scope(namespace?: string, init?: Pick<ScopeInit, 'lease'>): Scope
}
