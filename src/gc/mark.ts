import type { Collectible, Node } from '../metadata/collectible.ts'
import type { View } from '../metadata/kv.ts'
import type { AbortOptions } from '../options.ts'
import { NodeMap } from './node-map.ts'
import { Pace } from './pace.ts'

/**
 * Names what a node keeps: by the record's own references, and by other records' back references. At once where it is
 * known; a turn of the queue for each of a million nodes would take longer than the rest.
 */
export type Edges = (view: View, node: Node) => readonly Node[] | Promise<readonly Node[]>

/** Options of `Marker.run`. */
export interface MarkOptions extends AbortOptions {
  /** Stop at this time of `performance.now()` and keep the rest for the next call; then no turn is given to others. */
  readonly until?: number | undefined
  /** For this view, in place of the marker's own. */
  readonly edges?: Edges | undefined
}

/**
 * What is reachable; it only ever grows.
 *
 * The walk is that of `handlers/walk.ts`, cut open: it can be stopped, be given more nodes, and go on over a later view. A
 * node that is reached flat and in full is visited twice.
 */
export class Marker {
  readonly #edges: Edges
  readonly #full = new NodeMap<true>()
  readonly #flat = new NodeMap<true>()
  #pending: Node[] = []

  constructor(edges: Edges) {
    this.#edges = edges
  }

  /** True when the node was reached, flat or in full. */
  has(node: Node): boolean {
    return this.#full.has(node) || this.#flat.has(node)
  }

  /** Marks nodes; what they refer to is marked by `run`, and again when they were marked before. */
  push(nodes: Iterable<Node>): void {
    for (const node of nodes) {
      this.#reached(node).set(node, true)
      this.#pending.push(node)
    }
  }

  /** Marks what the pushed nodes refer to, and so on. @returns false when `until` came first */
  async run(view: View, { until, edges = this.#edges, signal }: MarkOptions = {}): Promise<boolean> {
    const pace = new Pace({ signal })
    for (let node = this.#pending.pop(); node !== undefined; node = this.#pending.pop()) {
      try {
        const found = edges(view, node)
        for (const child of found instanceof Promise ? await found : found) this.#reach(child)
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
    const reached = this.#reached(node)
    if (reached.has(node)) return
    reached.set(node, true)
    this.#pending.push(node)
  }

  #reached({ flat }: Node): NodeMap<true> {
    return flat ? this.#flat : this.#full
  }
}

/** Edges over a list of collectibles; `kept` has the back references: what a node keeps, by the word of the others. */
export function edgesOf(collectibles: ReadonlyMap<string, Collectible>, kept: NodeMap<Node[]>): Edges {
  return async (view, node) => {
    const own = (await collectibles.get(node.kind)?.references(view, node)) ?? []
    const others = node.flat ? undefined : kept.get(node)
    return others === undefined ? own : [...others, ...own]
  }
}
