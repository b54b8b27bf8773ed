import type { Exchange } from '../metadata/exchange.ts'
import type { NamespaceManager } from '../metadata/namespaces.ts'
import type { AbortOptions } from '../options.ts'
import type { Scope, ScopeInit } from '../runtime/runtime.ts'
import type { Verbs } from '../runtime/verbs.ts'
import type { Call } from './rpc.ts'

/** The store that is served; a `Runtime` is one. */
export interface ServedStore {
  readonly root: string
  readonly namespaces: NamespaceManager
  readonly events: Exchange
  scope(namespace: string, init?: ScopeInit): Scope
}

/** What the services work on. */
export interface ServiceParts {
  readonly store: ServedStore
  /** Runs a collection; who deletes an image or a lease with `sync` waits for it. */
  readonly collect?: ((options: AbortOptions) => Promise<unknown>) | undefined
  /** The verbs on the whole store; a store that is not one of files has none. */
  readonly verbs?: Verbs | undefined
  /** Takes lines about what clients cannot be told. */
  readonly log: (line: string) => void
}

const namespaceHeader = 'containerd-namespace'
const leaseHeader = 'containerd-lease'

/** The namespace that a call names, as it stands in its header; `''` when there is none. */
export const namespaceOf = (call: Call): string => call.header(namespaceHeader)

/** The headers that name a namespace, and perhaps a lease. */
export const headersOf = (namespace: string, lease?: string): Readonly<Record<string, string>> => ({
  [namespaceHeader]: namespace,
  ...(lease !== undefined && { [leaseHeader]: lease }),
})

/**
 * The stores of the namespace that a call names, under the lease that it names.
 *
 * @throws FAILED_PRECONDITION  it names no namespace
 * @throws INVALID_ARGUMENT  the name is no identifier
 */
export function scopeOf({ store }: ServiceParts, call: Call, init: Omit<ScopeInit, 'lease'> = {}): Scope {
  const lease = call.header(leaseHeader)
  return store.scope(namespaceOf(call), { ...init, ...(lease !== '' && { lease }) })
}
