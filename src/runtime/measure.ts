import { treeBytes } from '../content/fs-usage.ts'
import type { ImageRecord } from '../images/types.ts'
import type { AbortOptions } from '../options.ts'
import { type DiskUsage, diskUsage, type SetUsage, setUsage } from './disk-usage.ts'
import { collectibles } from './gc.ts'
import { layoutOf } from './root.ts'
import type { Runtime } from './runtime.ts'
import { readStoreGraph, type StoreGraph } from './store-graph.ts'

/** A store that can be measured. */
export type Measurable = Pick<Runtime, 'root' | 'parts'>

/** The records and files of a store, with the images of a namespace. @throws DATA_LOSS  a record that cannot be read */
export const graphOf = (
  { root, parts }: Measurable,
  namespace: string,
  options: AbortOptions = {},
): Promise<StoreGraph> =>
  readStoreGraph({ ...parts, collectibles, content: layoutOf(root).content }, namespace, options)

/**
 * What a store takes on disk, and each image of a namespace.
 *
 * Reads all records and the sizes of all files, no bytes. Beside writers it is right for some moment in between.
 *
 * @throws DATA_LOSS  a record that cannot be read
 */
export async function measure(
  runtime: Measurable,
  namespace = 'default',
  options: AbortOptions = {},
): Promise<DiskUsage> {
  const store = await graphOf(runtime, namespace, options)
  return diskUsage(store, await treeBytes(layoutOf(runtime.root).metadata, options))
}

/** What some images of a namespace take together, and what comes free if all of them are removed. Throws as `measure`. */
export async function measureSet(
  runtime: Measurable,
  namespace: string,
  images: readonly Pick<ImageRecord, 'name'>[],
  options: AbortOptions = {},
): Promise<SetUsage> {
  return setUsage(await graphOf(runtime, namespace, options), images)
}
