import { isAlreadyExists } from '../../src/errors.ts'
import { childLabels } from '../../src/handlers/gc-labels.ts'
import type { ImageRecord } from '../../src/images/types.ts'
import { withLease } from '../../src/metadata/with-lease.ts'
import type { Scope } from '../../src/runtime/runtime.ts'
import { commitBytes } from './commit.ts'
import type { Node } from './image.ts'

/** Stores an image as a pull does: its blobs, leaves first and with the labels that tie them, then its name. */
export const putImage = (
  scope: Scope,
  name: string,
  node: Node,
  labels: Readonly<Record<string, string>> = {},
): Promise<ImageRecord> =>
  withLease(scope.leases, {}, async ({ id }) => {
    await putNode(scope.under(id), node)
    return scope.images.create({ name, target: node.desc, labels })
  })

/** Stores blobs, leaves first, without a name; those that are there stay. */
export async function putNode({ content }: Pick<Scope, 'content'>, node: Node): Promise<void> {
  for (const child of node.below) await putNode({ content }, child)
  try {
    await commitBytes(content, node.bytes, { labels: childLabels(node.below.map(({ desc }) => desc)) })
  } catch (error) {
    if (!isAlreadyExists(error)) throw error
  }
}
