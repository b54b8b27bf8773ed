import type { Collectible, Node, Scanned } from '../metadata/collectible.ts'
import type { View } from '../metadata/kv.ts'
import type { AbortOptions } from '../options.ts'
import { type Edges, edgesOf, Marker } from './mark.ts'
import { NodeMap } from './node-map.ts'
import { Pace } from './pace.ts'

/** What a view holds, and what of it is reachable. */
export interface Survey {
  readonly marker: Marker
  /** For this view alone. */
  readonly edges: Edges
  /** Every record. */
  readonly all: NodeMap<Scanned>
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
  const all = new NodeMap<Scanned>()
  const kept = new NodeMap<Node[]>()
  const roots: Node[] = []
  const pace = new Pace(options)
  for (const collectible of collectibles) {
    for await (const scanned of collectible.all(view, at, options)) {
      const { node, root, parents } = scanned
      all.set(node, scanned)
      if (root !== undefined) roots.push(node)
      for (const parent of parents) append(kept, parent, node)
      if (pace.due) await pace.rest()
    }
  }
  const asked = edgesOf(new Map(collectibles.map(one => [one.kind, one])), kept)
  const edges = edgesSeen(all, kept, asked)
  const marker = new Marker(asked)
  marker.push(roots)
  await marker.run(view, { ...options, edges })
  return { marker, edges, all }
}

/** Edges of the view that was just read, of which most are known: to ask for each again would double the reading. */
const edgesSeen =
  (all: NodeMap<Scanned>, kept: NodeMap<Node[]>, asked: Edges): Edges =>
  (view, node) => {
    if (node.flat) return asked(view, node)
    const known = all.get(node)?.references
    if (known === undefined) return asked(view, node)
    const others = kept.get(node)
    return others === undefined ? known : [...others, ...known]
  }

/** The records that nothing reaches, in the order of the collectibles. */
export const garbageOf = ({ marker, all }: Survey): readonly Scanned[] => {
  const garbage: Scanned[] = []
  for (const scanned of all.values()) if (!marker.has(scanned.node)) garbage.push(scanned)
  return garbage
}

const append = (lists: NodeMap<Node[]>, key: Node, node: Node): void => {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [node])
  else list.push(node)
}
