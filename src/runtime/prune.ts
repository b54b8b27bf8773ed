import fs from 'node:fs/promises'
import { fromErrno, hasCode, isNotFound } from '../errors.ts'
import type { Collection } from '../gc/collector.ts'
import { pinOf } from '../images/pin.ts'
import type { ImageRecord, ImageStore } from '../images/types.ts'
import { refuseDamaged } from '../metadata/level-log.ts'
import type { AbortOptions } from '../options.ts'
import { graphOf } from './measure.ts'
import type { PruneFacts } from './prune-caps.ts'
import { type PrunePlan, planPrune } from './prune-plan.ts'
import { checkRules, type PruneRules } from './prune-rules.ts'
import { minus, noBytes, plus } from './reach-graph.ts'
import { layoutOf } from './root.ts'
import type { Runtime, Scope } from './runtime.ts'

/** Options of `prune`. */
export interface PruneOptions extends AbortOptions {
  /** True: only plan. */
  readonly dryRun?: boolean | undefined
  /** Told of each image that is gone. */
  readonly onDeleted?: ((image: ImageRecord) => void) | undefined
}

/** What a prune did. */
export interface Pruned {
  readonly plan: PrunePlan
  readonly deleted: readonly ImageRecord[]
  /** Images of the plan that were changed or deleted by others meanwhile; they were left alone. */
  readonly skipped: readonly ImageRecord[]
  /** Absent after a dry run. */
  readonly collection?: Collection
}

/**
 * Deletes images of a namespace by rules, then collects.
 *
 * The plan is made first, in full; then exactly its deletions are done, but of images that were changed, repointed or pinned
 * in between. The collection runs also when there is nothing to delete, for garbage counts against caps too.
 *
 * @throws INVALID_ARGUMENT  no rule, a number out of its range, or a filter that cannot be read
 * @throws DATA_LOSS  a record that cannot be read, or some may be missing; nothing was deleted
 */
export async function prune(
  runtime: Pick<Runtime, 'root' | 'parts' | 'gc'>,
  { namespace, images }: Pick<Scope, 'namespace' | 'images'>,
  rules: PruneRules,
  { dryRun = false, onDeleted = () => undefined, signal }: PruneOptions = {},
): Promise<Pruned> {
  checkRules(rules)
  await refuseDamaged(layoutOf(runtime.root).metadata)
  const plan = planPrune(await factsOf(runtime, namespace, rules, { signal }), rules)
  if (dryRun) return { plan, deleted: [], skipped: [] }
  const deleted: ImageRecord[] = []
  const skipped: ImageRecord[] = []
  for (const image of plan.deletions) {
    if (await deleteUnchanged(images, image, { signal })) {
      deleted.push(image)
      onDeleted(image)
    } else skipped.push(image)
  }
  return { plan, deleted, skipped, collection: await runtime.gc.collect({ signal }) }
}

async function factsOf(
  runtime: Pick<Runtime, 'root' | 'parts'>,
  namespace: string,
  { minFree }: PruneRules,
  options: AbortOptions,
): Promise<PruneFacts> {
  const { graph, files, images, verticesOf } = await graphOf(runtime, namespace, options)
  const inGraph = graph.reduce((sum, { file }) => (file ? plus(sum, file) : sum), noBytes)
  return {
    graph,
    images,
    verticesOf: ({ name }) => verticesOf(namespace, name),
    overhead: minus(files.total, inGraph),
    device: minFree && (await deviceOf(layoutOf(runtime.root).content)),
    now: runtime.parts.now(),
  }
}

/** Room for this user on the device of a directory, and its size, as `df` has them. */
async function deviceOf(directory: string): Promise<{ readonly free: number; readonly size: number }> {
  try {
    const { bavail, blocks, bsize } = await fs.statfs(directory)
    return { free: bavail * bsize, size: blocks * bsize }
  } catch (error) {
    throw fromErrno(error, `room on the device of ${directory}`)
  }
}

/** False when it is not what the plan saw. Asked and deleted in one step: nobody's pull or pin comes in between. */
async function deleteUnchanged(
  images: ImageStore,
  { name, target, updatedAt }: ImageRecord,
  options: AbortOptions,
): Promise<boolean> {
  const onlyIf = (found: ImageRecord): boolean =>
    found.updatedAt.getTime() === updatedAt.getTime() && pinOf(found) === undefined
  try {
    await images.delete(name, { ...options, target: target.digest, onlyIf })
    return true
  } catch (error) {
    if (isNotFound(error) || hasCode(error, 'ABORTED')) return false
    throw error
  }
}
