import { type Collectible, type Node, nodeId, type Scanned } from '../metadata/collectible.ts'
import type { View } from '../metadata/kv.ts'
import type { AbortOptions } from '../options.ts'
import { type Edges, edgesOf, Marker } from './mark.ts'
import { Pace } from './pace.ts'

/** What a view holds, and what of it is reachable. */
export interface Survey {
  readonly marker: Marker
  readonly edges: Edges
  /** Every record, by the id of its node. */
  readonly all: ReadonlyMap<string, Scanned>
}

/**
 * Reads every record once and marks from the roots. Nothing is held meanwhile; the view shows one moment.
 *
 * @throws DATA_LOSS  a record that cannot be read
 */
export async function survey(
  view: View,
  collectibles: readonly Collectible[],
  at: Date,
  options: AbortOptions = {},
): Promise<Survey> {
  const all = new Map<string, Scanned>()
  const kept = new Map<string, Node[]>()
  const roots: Node[] = []
  const pace = new Pace(options)
  for (const collectible of collectibles) {
    for await (const scanned of collectible.all(view, at, options)) {
      const { node, root, parents } = scanned
      all.set(nodeId(node), scanned)
      if (root !== undefined) roots.push(node)
      for (const parent of parents) append(kept, nodeId(parent), node)
      if (pace.due) await pace.rest()
    }
  }
  const edges = edgesOf(new Map(collectibles.map(one => [one.kind, one])), kept)
  const marker = new Marker(edges)
  marker.push(roots)
  await marker.run(view, options)
  return { marker, edges, all }
}

/** The records that nothing reaches, in the order of the collectibles. */
export const garbageOf = ({ marker, all }: Survey): readonly Scanned[] =>
  [...all.values()].filter(({ node }) => !marker.has(node))

const append = (lists: Map<string, Node[]>, key: string, node: Node): void => {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [node])
  else list.push(node)
}
