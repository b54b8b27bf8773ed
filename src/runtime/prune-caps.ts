import type { FileBytes } from '../content/fs-usage.ts'
import type { ImageRecord } from '../images/types.ts'
import { groupBy } from './group-by.ts'
import { oldestFirst, type PruneRules } from './prune-rules.ts'
import { above, type Graph, keptAfter, Reach } from './reach-graph.ts'

/** What a plan is made from. */
export interface PruneFacts {
  /** The images of the namespace. */
  readonly images: readonly ImageRecord[]
  /** The records and files of the whole store. */
  readonly graph: Graph
  /** The vertices that go with an image. */
  readonly verticesOf: (image: ImageRecord) => readonly number[]
  /** What of the content directory is in no vertex: strange files, and directories. */
  readonly overhead: FileBytes
  /** Room on the device, in bytes; needed for `minFree`. */
  readonly device?: { readonly free: number; readonly size: number } | undefined
  readonly now: Date
}

/** A cap, and whether so little content meets it. */
export interface Cap {
  readonly rule: 'max-bytes' | 'min-free'
  /** Bytes by which content that takes `kept` misses it; 0 or less when it is met. */
  missing(kept: FileBytes): number
}

/** What the caps choose on top of what other rules have chosen. */
export interface Chosen {
  readonly images: ReadonlyMap<ImageRecord, Cap['rule']>
  /** Those whose removal would free nothing, for others keep all their blobs. */
  readonly useless: ReadonlySet<ImageRecord>
  /** Caps that are missed after all that could be chosen, and by how many bytes. */
  readonly missed: ReadonlyMap<Cap['rule'], number>
}

/** The caps that the rules name. */
export function capsOf({ maxBytes, minFree }: PruneRules, facts: PruneFacts): readonly Cap[] {
  const { graph, overhead, device } = facts
  const caps: Cap[] = []
  if (maxBytes !== undefined) {
    caps.push({ rule: 'max-bytes', missing: kept => kept.bytes + overhead.bytes - maxBytes })
  }
  if (minFree !== undefined && device !== undefined) {
    const wanted = 'bytes' in minFree ? minFree.bytes : Math.ceil(minFree.part * device.size)
    const now = graph.reduce((sum, { file }) => sum + (file?.allocated ?? 0), 0)
    caps.push({ rule: 'min-free', missing: kept => wanted - (device.free + now - kept.allocated) })
  }
  return caps
}

/**
 * Chooses images, oldest first, until every cap is met or none is left.
 *
 * The names of one target go together, for nothing comes free before the last of them; they are as old as the newest. The
 * sums are exact, blobs that several images share included: see `keptAfter`. A tighter cap chooses the same and more.
 *
 * @param candidates  images that may be chosen
 * @param gone  images that others rules have chosen
 */
export function chooseByCaps(
  facts: PruneFacts,
  caps: readonly Cap[],
  candidates: readonly ImageRecord[],
  gone: readonly ImageRecord[],
): Chosen {
  const { graph, verticesOf } = facts
  const goneVertices = gone.flatMap(verticesOf)
  const isUseful = usefulness(facts, candidates, goneVertices)
  const useless = new Set(candidates.filter(image => !verticesOf(image).some(isUseful)))
  const groups = [
    ...groupBy(
      candidates.filter(image => !useless.has(image)),
      ({ target }) => target.digest,
    ).values(),
  ]
    .map(group => group.toSorted(oldestFirst))
    .toSorted((a, b) => byNewest(a, b))
  const kept = keptAfter(
    graph,
    groups.map(group => group.flatMap(verticesOf)),
    goneVertices,
  )
  const images = new Map<ImageRecord, Cap['rule']>()
  let count = 0
  const missedAt = (at: number): readonly Cap[] => {
    const bytes = kept[at]
    return bytes === undefined ? [] : caps.filter(cap => cap.missing(bytes) > 0)
  }
  for (; count < groups.length; count++) {
    const [cap] = missedAt(count)
    if (cap === undefined) break
    for (const image of groups[count] ?? []) images.set(image, cap.rule)
  }
  const last = kept[count]
  const missed = last ? missedAt(count).map(cap => [cap.rule, cap.missing(last)] as const) : []
  return { images, useless, missed: new Map(missed) }
}

/** Tells the vertices that keep, directly or not, a file that is kept now and would go with all the candidates. */
function usefulness(
  { graph, verticesOf }: PruneFacts,
  candidates: readonly ImageRecord[],
  gone: readonly number[],
): (vertex: number) => boolean {
  const most = new Reach(graph, gone).fromRoots()
  const least = new Reach(graph, [...gone, ...candidates.flatMap(verticesOf)]).fromRoots()
  const files = graph.flatMap(({ file }, at) => (file && most.has(at) && !least.has(at) ? [at] : []))
  const useful = above(graph, files)
  return vertex => most.has(vertex) && useful.has(vertex)
}

/** Groups by their newest, which is their last. */
function byNewest(a: readonly ImageRecord[], b: readonly ImageRecord[]): number {
  const [one, other] = [a.at(-1), b.at(-1)]
  return one && other ? oldestFirst(one, other) : 0
}
