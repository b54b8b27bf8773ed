import type { Collectible } from '../metadata/collectible.ts'
import type { View } from '../metadata/kv.ts'
import type { AbortOptions } from '../options.ts'
import { Pace } from '../pace.ts'
import { asked, edgesOf, Marker, type VisitEdges } from './mark.ts'
import { NodeTable } from './node-table.ts'
import { Records } from './records.ts'

/** What a view holds, and what of it is reachable. */
export interface Survey {
  readonly nodes: NodeTable
  /** Every record. */
  readonly records: Records
  readonly marker: Marker
  /** For this view alone. */
  readonly edges: VisitEdges
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
  const nodes = new NodeTable()
  const records = new Records(nodes)
  const ask = edgesOf(new Map(collectibles.map(one => [one.kind, one])), node => records.keptBy(node))
  const marker = new Marker(ask, nodes)
  const pace = new Pace(options)
  for (const collectible of collectibles) {
    for await (const scanned of collectible.all(view, at, options)) {
      const number = records.add(scanned)
      if (scanned.root !== undefined) marker.pushVisit(number << 1)
      if (pace.due) await pace.rest()
    }
  }
  const further = asked(ask, nodes)
  // Most are known: to ask for each again would double the reading.
  const edges: VisitEdges = (over, visit) =>
    ((visit & 1) === 0 ? records.below(visit) : undefined) ?? further(over, visit)
  await marker.run(view, { ...options, edges })
  return { nodes, records, marker, edges }
}

/** The numbers of the records that nothing reaches, in the order of the collectibles. */
export const garbageOf = ({ marker, records }: Pick<Survey, 'marker' | 'records'>): readonly number[] => {
  const garbage: number[] = []
  for (const at of records.numbers()) if (!marker.hasNumber(at)) garbage.push(at)
  return garbage
}
