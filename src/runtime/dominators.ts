import type { FileBytes } from '../content/fs-usage.ts'
import { type Graph, noBytes, plus, rootsOf } from './reach-graph.ts'

/**
 * For each vertex the bytes that would come free if it alone were removed: those of the files that cannot be reached
 * without it. Vertices that nothing reaches free nothing, for what they keep goes anyway.
 *
 * Nearly linear: one pass over the graph as images make it, some more over circles.
 *
 * @see Cooper, Harvey, Kennedy, A Simple, Fast Dominance Algorithm (2001)
 */
export function freedAlone(graph: Graph): readonly FileBytes[] {
  const found = search(graph)
  const { order, numbers } = found
  const parents = immediateDominators(found)
  const freed: FileBytes[] = graph.map(({ file }) => file ?? noBytes)
  // From the leaves up: what a vertex frees, whoever it hangs on frees too.
  for (let number = order.length - 1; number > 0; number--) {
    const at = order[number] ?? 0
    const parent = order[parents[number] ?? 0] ?? top
    if (parent !== top) freed[parent] = plus(freed[parent] ?? noBytes, freed[at] ?? noBytes)
  }
  return freed.map((bytes, at) => ((numbers[at] ?? -1) < 0 ? noBytes : bytes))
}

/** Stands above all roots. */
const top = -1

interface Search {
  /** Vertices in reverse postorder; first `top`. */
  readonly order: Int32Array
  /** The place of each vertex in `order`; -1 for those that nothing reaches. */
  readonly numbers: Int32Array
  /** For each vertex those that refer to it, `top` too: one list after the other, and where each ends; the first begins at 0. */
  readonly above: Int32Array
  readonly ends: Int32Array
}

/** Depth first, with its stack as data; in arrays of numbers, for a store has a hundred thousand vertices. */
function search(graph: Graph): Search {
  const roots = [...rootsOf(graph)]
  const belowOf = (at: number): readonly number[] => (at === top ? roots : (graph[at]?.below ?? []))
  const seen = new Uint8Array(graph.length)
  const next = new Int32Array(graph.length + 1)
  const finished: number[] = []
  const path = [top]
  for (let at = path.at(-1); at !== undefined; at = path.at(-1)) {
    const index = next[at + 1] ?? 0
    const child = belowOf(at)[index]
    if (child === undefined) {
      finished.push(at)
      path.pop()
      continue
    }
    next[at + 1] = index + 1
    if (seen[child] === 1) continue
    seen[child] = 1
    path.push(child)
  }
  const order = Int32Array.from(finished.reverse())
  const numbers = new Int32Array(graph.length).fill(-1)
  for (const [number, at] of order.entries()) if (at !== top) numbers[at] = number
  return { order, numbers, ...referrers(graph.length, order, belowOf) }
}

/** Who refers to whom, of those that were reached. */
function referrers(
  size: number,
  order: Int32Array,
  belowOf: (at: number) => readonly number[],
): Pick<Search, 'above' | 'ends'> {
  const ends = new Int32Array(size)
  for (const at of order) for (const child of belowOf(at)) ends[child] = (ends[child] ?? 0) + 1
  let count = 0
  // From here to its own end each list is filled, and `ends` becomes what it says.
  for (let at = 0; at < size; at++) {
    const own = ends[at] ?? 0
    ends[at] = count
    count += own
  }
  const above = new Int32Array(count)
  for (const at of order) {
    for (const child of belowOf(at)) {
      const place = ends[child] ?? 0
      above[place] = at
      ends[child] = place + 1
    }
  }
  return { above, ends }
}

/** The dominator of each vertex, both as places in `order`. */
function immediateDominators({ order, numbers, above, ends }: Search): Int32Array {
  const parents = new Int32Array(order.length).fill(-1)
  parents[0] = 0
  const meet = (one: number, other: number): number => {
    let [a, b] = [one, other]
    while (a !== b) {
      while (a > b) a = parents[a] ?? 0
      while (b > a) b = parents[b] ?? 0
    }
    return a
  }
  for (let changed = true; changed; ) {
    changed = false
    for (let number = 1; number < order.length; number++) {
      let parent = -1
      const at = order[number] ?? top
      for (let place = ends[at - 1] ?? 0; place < (ends[at] ?? 0); place++) {
        const from = above[place] ?? top
        const known = from === top ? 0 : (numbers[from] ?? -1)
        if ((parents[known] ?? -1) < 0) continue
        parent = parent < 0 ? known : meet(known, parent)
      }
      if (parents[number] === parent) continue
      parents[number] = parent
      changed = true
    }
  }
  return parents
}
