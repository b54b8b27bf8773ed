import type { FileBytes } from '../content/fs-usage.ts'

/** A point of a graph: a record, or a file that records keep. */
export interface Vertex {
  /** True: it is kept by itself. */
  readonly root: boolean
  /** What it keeps, by their places in the list of vertices. */
  readonly below: readonly number[]
  /** What the file takes; absent for records. */
  readonly file?: FileBytes
}

/** Vertices by their place. Edges may go in circles. */
export type Graph = readonly Vertex[]

/** Nothing. */
export const noBytes: FileBytes = Object.freeze({ bytes: 0, allocated: 0 })

/** The sum of two. */
export const plus = (a: FileBytes, b: FileBytes): FileBytes => ({
  bytes: a.bytes + b.bytes,
  allocated: a.allocated + b.allocated,
})

/** What is left of `a` without `b`. */
export const minus = (a: FileBytes, b: FileBytes): FileBytes => ({
  bytes: a.bytes - b.bytes,
  allocated: a.allocated - b.allocated,
})

/**
 * Marks vertices in steps: each step adds what is reachable from more starts. What was reached once costs nothing again.
 *
 * Vertices that are `removed` are not reached, nor what only they keep, until they are put back; then they count at once if
 * they are roots or were met meanwhile. So the bytes kept for every prefix of a list of removals come from one pass over
 * the graph, from its end to its start.
 */
export class Reach {
  readonly #graph: Graph
  readonly #removed: Set<number>
  readonly #reached: Uint8Array
  readonly #met = new Set<number>()
  #kept: FileBytes = noBytes

  constructor(graph: Graph, removed: Iterable<number> = []) {
    this.#graph = graph
    this.#removed = new Set(removed)
    this.#reached = new Uint8Array(graph.length)
  }

  /** What the files that were reached take, each counted once. */
  get kept(): FileBytes {
    return this.#kept
  }

  has(at: number): boolean {
    return this.#reached[at] === 1
  }

  /** Adds what is reachable from vertices, whether they are roots or not. */
  from(starts: Iterable<number>): this {
    const stack = [...starts]
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      const vertex = this.#graph[at]
      if (vertex === undefined || this.#reached[at] === 1) continue
      if (this.#removed.has(at)) {
        this.#met.add(at)
        continue
      }
      this.#reached[at] = 1
      if (vertex.file) this.#kept = plus(this.#kept, vertex.file)
      for (const below of vertex.below) stack.push(below)
    }
    return this
  }

  /** Adds what is reachable from all roots. */
  fromRoots(): this {
    return this.from(rootsOf(this.#graph))
  }

  /** Puts a removed vertex back. */
  restore(at: number): this {
    if (!this.#removed.delete(at)) return this
    return this.#met.has(at) || this.#graph[at]?.root ? this.from([at]) : this
  }
}

/** The places of all roots. */
export function* rootsOf(graph: Graph): Generator<number> {
  for (const [at, { root }] of graph.entries()) if (root) yield at
}

/**
 * What stays when the first `n` of a list of removals are done, for every `n`: one more entry than there are removals.
 *
 * @param removals  groups of vertices that are removed together, in order
 * @param gone  vertices that are removed before them
 */
export function keptAfter(
  graph: Graph,
  removals: readonly (readonly number[])[],
  gone: Iterable<number> = [],
): readonly FileBytes[] {
  const reach = new Reach(graph, [...gone, ...removals.flat()]).fromRoots()
  const kept: FileBytes[] = [reach.kept]
  for (const group of removals.toReversed()) {
    for (const at of group) reach.restore(at)
    kept.push(reach.kept)
  }
  return kept.reverse()
}

/** The vertices from which one of `ends` can be reached; the ends too. */
export function above(graph: Graph, ends: Iterable<number>): ReadonlySet<number> {
  const referrers = new Map<number, number[]>()
  for (const [at, { below }] of graph.entries()) {
    for (const child of below) {
      const list = referrers.get(child)
      if (list === undefined) referrers.set(child, [at])
      else list.push(at)
    }
  }
  const found = new Set(ends)
  // What is added while it is iterated over is visited too.
  for (const at of found) for (const referrer of referrers.get(at) ?? []) found.add(referrer)
  return found
}
