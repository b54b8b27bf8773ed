import type { View } from '../metadata/kv.ts'
import { integers } from '../numbers.ts'
import type { AbortOptions } from '../options.ts'
import { Pace } from '../pace.ts'
import type { VisitEdges } from './mark.ts'

/** Records that are removed together, one group after the other: one, or several that refer to each other in a circle. */
export class Groups {
  /** The numbers of the records, and where each group ends among them; in the order of Tarjan's search, which is backward. */
  readonly #members: Int32Array
  readonly #ends: readonly number[]

  constructor(members: Int32Array, ends: readonly number[]) {
    this.#members = members
    this.#ends = ends
  }

  get count(): number {
    return this.#ends.length
  }

  /** The members of a group; the first is removed first. */
  at(group: number): Int32Array {
    const place = this.#ends.length - 1 - group
    return this.#members.subarray(this.#ends[place - 1] ?? 0, this.#ends[place] ?? 0)
  }
}

/** What refers to what, by places in a list: those of one place after those of the one before. */
interface Below {
  /** Where the list of each place begins; one more at the end. */
  readonly from: Int32Array
  at(index: number): number
}

/**
 * Garbage in the order of its removal: what refers before what is referred to, circles in one group.
 *
 * So, whenever the removal is interrupted, all that a remaining record refers to is there as well.
 *
 * @param garbage  numbers of nodes, in the order wanted where references leave a choice
 * @param size  above all numbers
 * @see Tarjan, Depth-first search and linear graph algorithms (1972); with its stack as data
 */
export async function removalOrder(
  view: View,
  garbage: readonly number[],
  size: number,
  edges: VisitEdges,
  options: AbortOptions = {},
): Promise<Groups> {
  const pace = new Pace(options)
  const below = await belowIn(view, garbage, size, edges, pace)
  const { members, ends } = await components(garbage.length, below, pace)
  return new Groups(
    members.map(place => garbage[place] ?? 0),
    ends,
  )
}

/** What each piece of garbage refers to that is garbage too. */
async function belowIn(
  view: View,
  garbage: readonly number[],
  size: number,
  edges: VisitEdges,
  pace: Pace,
): Promise<Below> {
  const places = new Int32Array(size).fill(-1)
  for (const [place, number] of garbage.entries()) places[number] = place
  const from = new Int32Array(garbage.length + 1)
  const below = integers()
  let count = 0
  for (const [place, number] of garbage.entries()) {
    const found = edges(view, number << 1)
    for (const visit of found instanceof Promise ? await found : found) {
      const to = places[visit >> 1] ?? -1
      if (to >= 0) below.set(count++, to)
    }
    from[place + 1] = count
    if (pace.due) await pace.rest()
  }
  return { from, at: index => below.get(index) }
}

/** Places that lead to each other, in components: a component comes after those that it refers to. */
async function components(
  count: number,
  { from, at }: Below,
  pace: Pace,
): Promise<{ readonly members: Int32Array; readonly ends: readonly number[] }> {
  /** When each place was found, from 1; the earliest find that it leads back to; and which of its list comes next. */
  const found = new Int32Array(count)
  const low = new Int32Array(count)
  const next = from.slice(0, count)
  const isClosed = new Uint8Array(count)
  const open: number[] = []
  const path: number[] = []
  const members = new Int32Array(count)
  const ends: number[] = []
  let finds = 0
  let closed = 0
  const enter = (place: number): void => {
    found[place] = low[place] = ++finds
    open.push(place)
    path.push(place)
  }
  const lower = (place: number, to: number): void => {
    low[place] = Math.min(low[place] ?? 0, to)
  }
  // From the last, for what comes out is read backward.
  for (let start = count - 1; start >= 0; start--) {
    if ((found[start] ?? 0) > 0) continue
    enter(start)
    for (let place = path.at(-1); place !== undefined; place = path.at(-1)) {
      if (pace.due) await pace.rest()
      const index = next[place] ?? 0
      if (index < (from[place + 1] ?? 0)) {
        next[place] = index + 1
        const child = at(index)
        if (found[child] === 0) enter(child)
        else if (isClosed[child] === 0) lower(place, found[child] ?? 0)
        continue
      }
      path.pop()
      const parent = path.at(-1)
      if (parent !== undefined) lower(parent, low[place] ?? 0)
      if (low[place] !== found[place]) continue
      const group = open.splice(open.lastIndexOf(place))
      for (const member of group) {
        isClosed[member] = 1
        members[closed++] = member
      }
      ends.push(closed)
    }
  }
  return { members, ends }
}
