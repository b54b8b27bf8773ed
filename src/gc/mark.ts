import type { Collectible, Node } from '../metadata/collectible.ts'
import type { View } from '../metadata/kv.ts'
import { bytes } from '../numbers.ts'
import type { AbortOptions } from '../options.ts'
import { Pace } from '../pace.ts'
import { NodeTable } from './node-table.ts'

/** Names what a node keeps: by the record's own references, and by other records' back references. */
export type Edges = (view: View, node: Node) => readonly Node[] | Promise<readonly Node[]>

/** A node that is reached: its number twice, and 1 more when it is reached flat. */
export type Visit = number

/** `Edges` by numbers. At once where it is known: a turn of the queue for each of a million nodes would take longer. */
export type VisitEdges = (view: View, visit: Visit) => Iterable<Visit> | Promise<Iterable<Visit>>

/** Options of `Marker.run`. */
export interface MarkOptions extends AbortOptions {
  /** Stop at this time of `performance.now()` and keep the rest for the next call; then no turn is given to others. */
  readonly until?: number | undefined
  /** For this view, in place of the marker's own. */
  readonly edges?: VisitEdges | undefined
}

/**
 * What is reachable; it only ever grows.
 *
 * The walk is that of `handlers/walk.ts`, cut open: it can be stopped, be given more nodes, and go on over a later view. A
 * node that is reached flat and in full is visited twice.
 */
export class Marker {
  readonly #edges: VisitEdges
  readonly #nodes: NodeTable
  /** 1 for each visit. */
  readonly #reached = bytes()
  readonly #pending: Visit[] = []

  /** @param nodes  gives nodes their numbers */
  constructor(edges: Edges, nodes = new NodeTable()) {
    this.#edges = asked(edges, nodes)
    this.#nodes = nodes
  }

  /** True when the node was reached, flat or in full. */
  has(node: Node): boolean {
    const at = this.#nodes.find(node)
    return at >= 0 && this.hasNumber(at)
  }

  /** True when the node with that number was reached, flat or in full. */
  hasNumber(at: number): boolean {
    return this.#reached.get(at << 1) === 1 || this.#reached.get((at << 1) | 1) === 1
  }

  /** Marks nodes; what they refer to is marked by `run`, and again when they were marked before. */
  push(nodes: Iterable<Node>): void {
    for (const node of nodes) this.pushVisit(visitOf(this.#nodes, node))
  }

  /** Marks one node, as `push`. */
  pushVisit(visit: Visit): void {
    this.#reached.set(visit, 1)
    this.#pending.push(visit)
  }

  /** Marks what the pushed nodes refer to, and so on. @returns false when `until` came first */
  async run(view: View, { until, edges = this.#edges, signal }: MarkOptions = {}): Promise<boolean> {
    const pace = new Pace({ signal })
    for (let visit = this.#pending.pop(); visit !== undefined; visit = this.#pending.pop()) {
      try {
        const found = edges(view, visit)
        for (const below of found instanceof Promise ? await found : found)
          if (this.#reached.get(below) === 0) this.pushVisit(below)
      } catch (error) {
        this.#pending.push(visit)
        throw error
      }
      if (until !== undefined) {
        if (performance.now() > until) return this.#pending.length === 0
      } else if (pace.due) await pace.rest()
    }
    return true
  }
}

/** A node as a visit; one that has no number is given one. */
const visitOf = (nodes: NodeTable, node: Node): Visit => (nodes.add(node) << 1) | (node.flat ? 1 : 0)

/** Edges by numbers. */
export const asked =
  (edges: Edges, nodes: NodeTable): VisitEdges =>
  async (view, visit) => {
    const node = nodes.node(visit >> 1)
    const found = await edges(view, (visit & 1) === 0 ? node : { ...node, flat: true })
    return found.map(below => visitOf(nodes, below))
  }

/** Edges over a list of collectibles; `keptBy` has the back references: what a node keeps, by the word of the others. */
export function edgesOf(
  collectibles: ReadonlyMap<string, Collectible>,
  keptBy: (node: Node) => readonly Node[],
): Edges {
  return async (view, node) => {
    const own = (await collectibles.get(node.kind)?.references(view, node)) ?? []
    return node.flat ? own : [...keptBy(node), ...own]
  }
}
