import { OrlopError } from '../errors.ts'
import { type Node, nodeId } from '../metadata/collectible.ts'
import type { View } from '../metadata/kv.ts'
import type { AbortOptions } from '../options.ts'
import { Pace } from './pace.ts'
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
  const record = found.all.get(node)
  if (record === undefined) {
    throw new OrlopError('NOT_FOUND', `${describe(node)}: there is none in namespace ${node.namespace}`)
  }
  const since = record.createdAt
  if (!found.marker.has(node)) {
    const reasons = await reasonsFor(view, garbageOf(found), found.edges)
    return { node, paths: [], more: false, reason: reasons.get(nodeId(node)), since }
  }
  const referrers = await referrersOf(view, found, { signal })
  return { node, ...pathsTo(node, found, referrers, limit), since }
}

/** Who refers to each live node. Flat and full visits are nodes of their own, as in the marking. */
async function referrersOf(
  view: View,
  { all, edges }: Survey,
  options: AbortOptions,
): Promise<ReadonlyMap<string, readonly Node[]>> {
  const referrers = new Map<string, Node[]>()
  const seen = new Set<string>()
  const pace = new Pace(options)
  const stack = [...all.values()].filter(({ root }) => root !== undefined).map(({ node }) => node)
  for (const root of stack) seen.add(nodeId(root))
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    for (const child of await edges(view, node)) {
      const id = nodeId(child)
      const known = referrers.get(id)
      if (known === undefined) referrers.set(id, [node])
      else known.push(node)
      if (seen.has(id)) continue
      seen.add(id)
      stack.push(child)
    }
    if (pace.due) await pace.rest()
  }
  return referrers
}

/** Breadth first from the node up to the roots. */
function pathsTo(
  node: Node,
  { all }: Survey,
  referrers: ReadonlyMap<string, readonly Node[]>,
  limit: number,
): Pick<Why, 'paths' | 'more'> {
  const paths: KeptPath[] = []
  let level: ReadonlyArray<readonly Node[]> = [[node], [{ ...node, flat: true }]]
  let steps = 0
  while (level.length > 0) {
    const next: Array<readonly Node[]> = []
    for (const path of level) {
      const [top] = path
      if (top === undefined) continue
      const root = top.flat ? undefined : all.get(top)?.root
      if (root !== undefined) {
        if (paths.length === limit) return { paths, more: true }
        paths.push({ nodes: path, root })
      }
      for (const referrer of referrers.get(nodeId(top)) ?? []) {
        if (++steps > maxSteps) return { paths, more: true }
        if (!path.some(one => nodeId(one) === nodeId(referrer))) next.push([referrer, ...path])
      }
    }
    level = next
  }
  return { paths, more: false }
}
