import { nodeId, type Scanned } from '../metadata/collectible.ts'
import type { View } from '../metadata/kv.ts'
import type { AbortOptions } from '../options.ts'
import type { Edges } from './mark.ts'
import { Pace } from './pace.ts'

/** Records that are removed together: one, or several that refer to each other in a circle. */
export type Group = readonly Scanned[]

/** A record on its way through the search, with what it refers to. */
interface Visit {
  readonly id: string
  readonly below: readonly string[]
  next: number
  /** When it was found, and the earliest find that it leads back to. */
  readonly found: number
  low: number
}

/**
 * Garbage in the order of its removal: what refers before what is referred to, circles in one group.
 *
 * So, whenever the removal is interrupted, all that a remaining record refers to is there as well.
 *
 * @param garbage  in the order wanted where references leave a choice
 * @see Tarjan, Depth-first search and linear graph algorithms (1972); with its stack as data
 */
export async function removalOrder(
  view: View,
  garbage: readonly Scanned[],
  edges: Edges,
  options: AbortOptions = {},
): Promise<readonly Group[]> {
  const byId = new Map(garbage.map(scanned => [nodeId(scanned.node), scanned]))
  const below = new Map<string, readonly string[]>()
  const pace = new Pace(options)
  for (const [id, { node }] of byId) {
    const found = edges(view, node)
    const ids: string[] = []
    for (const { kind, namespace, key } of found instanceof Promise ? await found : found) {
      const to = nodeId({ kind, namespace, key })
      if (byId.has(to)) ids.push(to)
    }
    below.set(id, ids)
    if (pace.due) await pace.rest()
  }
  // Components come out referred-to first.
  const groups = await components([...byId.keys()].reverse(), below, pace)
  return groups.reverse().map(ids => ids.flatMap(id => byId.get(id) ?? []))
}

async function components(
  ids: readonly string[],
  below: ReadonlyMap<string, readonly string[]>,
  pace: Pace,
): Promise<string[][]> {
  const state = new Map<string, Visit>()
  const closed = new Set<string>()
  const open: string[] = []
  const found: string[][] = []
  const enter = (id: string): Visit => {
    const visit = { id, below: below.get(id) ?? [], next: 0, found: state.size, low: state.size }
    state.set(id, visit)
    open.push(id)
    return visit
  }
  for (const start of ids) {
    if (state.has(start)) continue
    const path = [enter(start)]
    for (let visit = path.at(-1); visit !== undefined; visit = path.at(-1)) {
      if (pace.due) await pace.rest()
      const child = visit.below[visit.next++]
      if (child !== undefined) {
        const known = state.get(child)
        if (known === undefined) path.push(enter(child))
        else if (!closed.has(child)) visit.low = Math.min(visit.low, known.found)
        continue
      }
      path.pop()
      const parent = path.at(-1)
      if (parent !== undefined) parent.low = Math.min(parent.low, visit.low)
      if (visit.low !== visit.found) continue
      const members = open.splice(open.lastIndexOf(visit.id))
      for (const id of members) closed.add(id)
      found.push(members)
    }
  }
  return found
}
