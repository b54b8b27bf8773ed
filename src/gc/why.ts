import { OrlopError } from '../errors.ts'
import type { Node } from '../metadata/collectible.ts'
import type { View } from '../metadata/kv.ts'
import type { AbortOptions } from '../options.ts'
import { Pace } from '../pace.ts'
import type { Visit } from './mark.ts'
import { describe, reasonsFor } from './reason.ts'
import { garbageOf, type Survey } from './survey.ts'

/** A way from a root to a node. */
export interface KeptPath {
  /** The root first, the node last. */
  readonly nodes: readonly Node[]
  /** Why its first node is a root: `image`, `lease until …`, `label …`. */
  readonly root: string
}

/** Why a node stays, or that it does not. */
export interface Why {
  readonly node: Node
  /** Paths that keep it, shortest first; no path goes through a node twice. Empty: the next collection removes it. */
  readonly paths: readonly KeptPath[]
  /** True: there are more paths than are told. */
  readonly more: boolean
  /** Without paths: why nothing keeps it. */
  readonly reason?: string | undefined
  /** When its record was made; without paths, nothing can be said of a time before. */
  readonly since: Date
}

/** Options of `whyOf`. */
export interface WhyOptions extends AbortOptions {
  /** At most so many paths; default 20. */
  readonly limit?: number | undefined
}

/** Steps of the search before it is given up: in a dense graph the paths are without number. */
const maxSteps = 100_000

/** @throws NOT_FOUND  there is no such record */
export async function whyOf(
  view: View,
  found: Survey,
  node: Node,
  { limit = 20, signal }: WhyOptions = {},
): Promise<Why> {
  const { nodes, records, marker } = found
  const at = nodes.find(node)
  if (at < 0 || !records.has(at)) {
    throw new OrlopError('NOT_FOUND', `${describe(node)}: there is none in namespace ${node.namespace}`)
  }
  const since = records.createdAt(at)
  if (!marker.hasNumber(at)) {
    const reasons = await reasonsFor(view, garbageOf(found), found)
    return { node, paths: [], more: false, reason: reasons.get(at), since }
  }
  const referrers = await referrersOf(view, found, { signal })
  return { node, ...pathsTo(at, found, referrers, limit), since }
}

type Referrers = ReadonlyMap<Visit, readonly Visit[]>

/** Who refers to each live node. Flat and full visits are apart, as in the marking. */
async function referrersOf(
  view: View,
  { records, edges }: Survey,
  options: AbortOptions,
): Promise<Referrers> {
  const referrers = new Map<Visit, Visit[]>()
  const pace = new Pace(options)
  const stack: Visit[] = []
  for (const at of records.numbers()) if (records.rootOf(at) !== undefined) stack.push(at << 1)
  const seen = new Set(stack)
  for (let visit = stack.pop(); visit !== undefined; visit = stack.pop()) {
    for (const below of await edges(view, visit)) {
      const known = referrers.get(below)
      if (known === undefined) referrers.set(below, [visit])
      else known.push(visit)
      if (seen.has(below)) continue
      seen.add(below)
      stack.push(below)
    }
    if (pace.due) await pace.rest()
  }
  return referrers
}

/** Breadth first from the node up to the roots. */
function pathsTo(
  end: number,
  { nodes, records }: Survey,
  referrers: Referrers,
  limit: number,
): Pick<Why, 'paths' | 'more'> {
  const nodeOf = (visit: Visit): Node => {
    const node = nodes.node(visit >> 1)
    return (visit & 1) === 0 ? node : { ...node, flat: true }
  }
  const paths: KeptPath[] = []
  let level: ReadonlyArray<readonly Visit[]> = [[end << 1], [(end << 1) | 1]]
  let steps = 0
  while (level.length > 0) {
    const next: Array<readonly Visit[]> = []
    for (const path of level) {
      const [top] = path
      if (top === undefined) continue
      const root = (top & 1) === 0 ? records.rootOf(top >> 1) : undefined
      if (root !== undefined) {
        if (paths.length === limit) return { paths, more: true }
        paths.push({ nodes: path.map(nodeOf), root })
      }
      for (const referrer of referrers.get(top) ?? []) {
        if (++steps > maxSteps) return { paths, more: true }
        if (!path.includes(referrer)) next.push([referrer, ...path])
      }
    }
    level = next
  }
  return { paths, more: false }
}
