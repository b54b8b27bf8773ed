import type { ContentStore } from '../content/types.ts'
import { isNotFound } from '../errors.ts'
import { Collector } from '../gc/collector.ts'
import { type ScheduleOptions, Scheduler, type SchedulerOptions } from '../gc/scheduler.ts'
import { images } from '../images/collectible.ts'
import type { ImageStore } from '../images/types.ts'
import { contentNode, imageNode, ingestNode, type Node } from '../metadata/collectible.ts'
import { blobs, ingests } from '../metadata/content-collectible.ts'
import type { Database } from '../metadata/database.ts'
import type { Publisher } from '../metadata/exchange.ts'
import type { Gate } from '../metadata/gate.ts'
import type { Op } from '../metadata/kv.ts'
import { leases } from '../metadata/lease-collectible.ts'
import { parseKey } from '../metadata/schema.ts'
import { isDigest } from '../oci/digest.ts'
import type { AbortOptions } from '../options.ts'
import { lookup } from './lookup.ts'

/** The parts of a store that its collector works on. */
export interface CollectedParts {
  readonly database: Database
  readonly backend: ContentStore
  readonly gate: Gate
  readonly events: Publisher
  readonly now: () => Date
  /** See `CollectorParts`. */
  readonly guard?: (() => Promise<void>) | undefined
}

/** All kinds of records that are collected, in the order in which they go where references leave a choice. */
export const collectibles = [leases, ingests, blobs, images] as const

/** The collector of a store. */
export const collectorOf = (parts: CollectedParts): Collector => new Collector({ ...parts, collectibles })

/**
 * Collects by itself from now on, as changes call for it, until it is disposed: for processes that stay. Dispose it before
 * the store is closed.
 */
export function scheduleCollections(
  { database }: Pick<CollectedParts, 'database'>,
  collector: Collector,
  options: ScheduleOptions & Pick<SchedulerOptions, 'onError'> = {},
): Scheduler {
  const scheduler: Scheduler = new Scheduler({
    ...options,
    collect: work => collector.collect(work),
    onStop: () => watching[Symbol.dispose](),
  })
  const watching = database.watch(ops => scheduler.mutated(ops.some(leavesGarbage)))
  scheduler.start()
  return scheduler
}

/** What is deleted may have kept others; so may an image, before it was changed. */
const leavesGarbage = ({ type, key }: Op): boolean => type === 'delete' || parseKey(key)?.kind === 'image'

/**
 * What a user means: a blob by its digest, an image by a name that `lookup` finds, else an ingest by its ref. Whether the
 * blob or ingest exists is not asked here.
 */
export async function nodeNamed(
  { images, namespace }: { readonly images: ImageStore; readonly namespace: string },
  text: string,
  options: AbortOptions = {},
): Promise<Node> {
  if (isDigest(text)) return contentNode(namespace, text)
  try {
    return imageNode(namespace, (await lookup(images, text, options)).name)
  } catch (error) {
    if (!isNotFound(error)) throw error
    return ingestNode(namespace, text)
  }
}
