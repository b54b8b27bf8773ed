import { setImmediate } from 'node:timers/promises'
import { type Collectible, type Node, nodeOfKey } from '../metadata/collectible.ts'
import type { Database } from '../metadata/database.ts'
import type { Publisher } from '../metadata/exchange.ts'
import type { Journal } from '../metadata/journal.ts'
import type { Transaction } from '../metadata/transaction.ts'
import type { AbortOptions } from '../options.ts'
import type { Marker } from './mark.ts'
import type { NodeTable } from './node-table.ts'
import type { Groups } from './order.ts'
import type { Pauses } from './pauses.ts'

/** What a sweep works on. */
export interface SweepParts {
  readonly database: Database
  readonly collectibles: ReadonlyMap<string, Collectible>
  /** Opened before the view that was marked. */
  readonly journal: Journal
  readonly marker: Marker
  /** Has the numbers by which records are removed. */
  readonly nodes: NodeTable
  readonly events?: Publisher | undefined
  readonly pauses: Pauses
  /** Told of each record that is gone for good. */
  readonly onRemoved: (node: Node) => void
}

/** Milliseconds of work in one transaction; its commit comes on top. */
const batchTime = 10
/** Records in one transaction: what it holds until it is durable outlives V8's young generation when there are many. */
const batchSize = 100

/**
 * Removes the records that are still unreachable, in batches, between which writers go on.
 *
 * Why a batch is safe, whatever was written since the view was marked: it first marks, within its own transaction, all
 * that the journal tells of and what that leads to. Take a path from a root to some record, as the transaction sees it, and
 * on it the first node that is not marked. (1) It is a root. Had it been one in the view it would be marked, so its record
 * was put since, and every record that was put is marked. (2) A marked node refers to it. If the record that says so
 * is as it was when that node was visited, the visit has marked it. If not, it was put since: then the journal
 * has the node that refers, which was visited anew, or (a back reference, or what a lease was made to hold) the
 * node itself. So there is no such node: what is not marked is unreachable now, and nothing can change until
 * the commit, for updates run alone. Marking too much is harmless; what was put and is garbage waits for the next run.
 *
 * Removals go from what refers to what is referred to (`removalOrder`). So a record that somebody takes up again between
 * two batches still has all that it refers to, just as if all were removed in one step after it.
 *
 * @returns how many were removed, by kind
 */
export async function sweep(
  parts: SweepParts,
  groups: Groups,
  options: AbortOptions = {},
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>()
  await catchUp(parts, options)
  let at = 0
  while (at < groups.count) {
    options.signal?.throwIfAborted()
    const batch = await removeBatch(parts, groups, at)
    for (const { node, event } of batch.removed) {
      counts.set(node.kind, (counts.get(node.kind) ?? 0) + 1)
      parts.onRemoved(node)
      if (event !== undefined) parts.events?.publish(event)
    }
    at = batch.next
    if (batch.behind) await catchUp(parts, options)
    // Those who were held up first.
    else await setImmediate()
  }
  return counts
}

/** Marks what was written so far while writers go on, so that little is left for a transaction. */
async function catchUp({ database, journal, marker }: SweepParts, options: AbortOptions): Promise<void> {
  // Within an update: when it resolves, a new view shows all that was taken.
  const keys = await database.update(async () => journal.take())
  marker.push(written(keys))
  await database.view(view => marker.run(view, options))
}

interface Batch {
  /** The first group that is left. */
  readonly next: number
  /** True: too much was written meanwhile to mark it here, and nothing was removed. */
  readonly behind: boolean
  readonly removed: ReadonlyArray<{ readonly node: Node; readonly event: RemovalEvent }>
}

type RemovalEvent = Awaited<ReturnType<Collectible['remove']>>['event']

async function removeBatch(parts: SweepParts, groups: Groups, from: number): Promise<Batch> {
  let start: number | undefined
  try {
    return await parts.database.update(async tx => {
      start = performance.now()
      const until = start + batchTime
      parts.marker.push(written(parts.journal.take()))
      if (!(await parts.marker.run(tx, { until }))) return { next: from, behind: true, removed: [] }
      return removeSome(parts, tx, groups, { from, until })
    })
  } finally {
    // From here on others waited, until it was durable.
    if (start !== undefined) parts.pauses.add(performance.now() - start)
  }
}

async function removeSome(
  { collectibles, marker, nodes }: SweepParts,
  tx: Transaction,
  groups: Groups,
  { from, until }: { readonly from: number; readonly until: number },
): Promise<Batch> {
  const removed: Array<Batch['removed'][number]> = []
  let next = from
  for (; next < groups.count; next++) {
    if (next > from && (removed.length >= batchSize || performance.now() > until)) break
    let more = false
    for (const number of groups.at(next)) {
      if (marker.hasNumber(number)) continue
      const node = nodes.node(number)
      const result = await collectibles.get(node.kind)?.remove(tx, node)
      if (result?.removed) removed.push({ node, event: result.event })
      more ||= result?.more ?? false
    }
    if (more) break
  }
  return { next, behind: false, removed }
}

const written = (keys: readonly string[]): readonly Node[] => keys.flatMap(key => nodeOfKey(key) ?? [])
