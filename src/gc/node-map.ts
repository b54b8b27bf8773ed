import type { Node } from '../metadata/collectible.ts'

/**
 * Values by node, whether it is reached flat or in full.
 *
 * Nested maps and no joined keys: to join the parts of a node, and to hash what comes out, took half of the time of a mark.
 */
export class NodeMap<T> {
  readonly #kinds = new Map<string, Map<string, Map<string, T>>>()
  #size = 0

  /** How many nodes there are. */
  get size(): number {
    return this.#size
  }

  get(node: Node): T | undefined {
    return this.#kinds.get(node.kind)?.get(node.namespace)?.get(node.key)
  }

  has(node: Node): boolean {
    return this.#kinds.get(node.kind)?.get(node.namespace)?.has(node.key) ?? false
  }

  set({ kind, namespace, key }: Node, value: T): void {
    const namespaces = this.#kinds.get(kind) ?? new Map<string, Map<string, T>>()
    if (namespaces.size === 0) this.#kinds.set(kind, namespaces)
    const keys = namespaces.get(namespace) ?? new Map<string, T>()
    if (keys.size === 0) namespaces.set(namespace, keys)
    const before = keys.size
    keys.set(key, value)
    this.#size += keys.size - before
  }

  /** By kind and namespace in the order of their first, then in the order they came. */
  *values(): Generator<T, void, undefined> {
    for (const namespaces of this.#kinds.values())
      for (const keys of namespaces.values()) yield* keys.values()
  }
}
