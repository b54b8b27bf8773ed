import { type Collectible, type Node, nodeId } from '../metadata/collectible.ts'
import type { View } from '../metadata/kv.ts'
import type { AbortOptions } from '../options.ts'
import { Pace } from './pace.ts'

/** Names what a node keeps: by the record's own references, and by other records' back references. */
export type Edges = (view: View, node: Node) => Promise<readonly Node[]>

/** Options of `Marker.run`. */
export interface MarkOptions extends AbortOptions {
  /** Stop at this time of `performance.now()` and keep the rest for the next call; then no turn is given to others. */
  readonly until?: number | undefined
}

/**
 * What is reachable; it only ever grows.
 *
 * The walk is that of `handlers/walk.ts`, cut open: it can be stopped, be given more nodes, and go on over a later view. A
 * node that is reached flat and in full is visited twice.
 */
export class Marker {
  readonly #edges: Edges
  readonly #live = new Set<string>()
  #pending: Node[] = []

  constructor(edges: Edges) {
    this.#edges = edges
  }

  /** True when the node was reached, flat or in full. */
  has({ kind, namespace, key }: Node): boolean {
    const node = { kind, namespace, key }
    return this.#live.has(nodeId(node)) || this.#live.has(nodeId({ ...node, flat: true }))
  }

  /** Marks nodes; what they refer to is marked by `run`, and again when they were marked before. */
  push(nodes: Iterable<Node>): void {
    for (const node of nodes) {
      this.#live.add(nodeId(node))
      this.#pending.push(node)
    }
  }

  /** Marks what the pushed nodes refer to, and so on. @returns false when `until` came first */
  async run(view: View, { until, signal }: MarkOptions = {}): Promise<boolean> {
    const pace = new Pace({ signal })
    for (let node = this.#pending.pop(); node !== undefined; node = this.#pending.pop()) {
      try {
        for (const child of await this.#edges(view, node)) this.#reach(child)
      } catch (error) {
        this.#pending.push(node)
        throw error
      }
      if (until !== undefined) {
        if (performance.now() > until) return this.#pending.length === 0
      } else if (pace.due) await pace.rest()
    }
    return true
  }

  #reach(node: Node): void {
    const id = nodeId(node)
    if (this.#live.has(id)) return
    this.#live.add(id)
    this.#pending.push(node)
  }
}

/** Edges over a list of collectibles; `kept` has the back references: what a node keeps, by the word of the others. */
export function edgesOf(
  collectibles: ReadonlyMap<string, Collectible>,
  kept: ReadonlyMap<string, readonly Node[]>,
): Edges {
  return async (view, node) => {
    const own = (await collectibles.get(node.kind)?.references(view, node)) ?? []
    const others = kept.get(nodeId(node))
    return others === undefined ? own : [...others, ...own]
  }
}
