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
  const { order, numbers, above } = search(graph)
  const parents = immediateDominators(order, numbers, above)
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
  readonly order: readonly number[]
  /** The place of each vertex in `order`; -1 for those that nothing reaches. */
  readonly numbers: Int32Array
  /** For each vertex those that refer to it, `top` too. */
  readonly above: ReadonlyMap<number, readonly number[]>
}

/** Depth first, with its stack as data. */
function search(graph: Graph): Search {
  const above = new Map<number, number[]>()
  const seen = new Uint8Array(graph.length)
  const finished: number[] = []
  const roots = [...rootsOf(graph)]
  const path: Array<{ readonly at: number; readonly below: readonly number[]; next: number }> = [
    { at: top, below: roots, next: 0 },
  ]
  for (let visit = path.at(-1); visit !== undefined; visit = path.at(-1)) {
    const child = visit.below[visit.next++]
    if (child === undefined) {
      finished.push(visit.at)
      path.pop()
      continue
    }
    append(above, child, visit.at)
    if (seen[child] === 1) continue
    seen[child] = 1
    path.push({ at: child, below: graph[child]?.below ?? [], next: 0 })
  }
  const order = finished.reverse()
  const numbers = new Int32Array(graph.length).fill(-1)
  for (const [number, at] of order.entries()) if (at !== top) numbers[at] = number
  return { order, numbers, above }
}

/** The dominator of each vertex, both as places in `order`. */
function immediateDominators(
  order: Search['order'],
  numbers: Search['numbers'],
  above: Search['above'],
): Int32Array {
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
      for (const from of above.get(order[number] ?? top) ?? []) {
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

const append = (lists: Map<number, number[]>, key: number, value: number): void => {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [value])
  else list.push(value)
}
