import { type Node, nodeId, type Scanned } from '../metadata/collectible.ts'
import type { View } from '../metadata/kv.ts'
import type { Edges } from './mark.ts'

/**
 * Says for each piece of garbage why it is unreachable: when it expired, whose reference expired, or that nothing refers
 * to it.
 */
export async function reasonsFor(
  view: View,
  garbage: readonly Scanned[],
  edges: Edges,
): Promise<ReadonlyMap<string, string>> {
  const ids = new Set(garbage.map(({ node }) => nodeId(node)))
  const reasons = new Map<string, string>()
  for (const { node, expiredAt } of garbage) {
    if (expiredAt !== undefined)
      reasons.set(nodeId(node), `${describe(node)} expired at ${expiredAt.toISOString()}`)
  }
  for (const { node, expiredAt } of garbage) {
    if (expiredAt === undefined) continue
    const reason = `only ${describe(node)} kept it, which expired at ${expiredAt.toISOString()}`
    const stack: Node[] = [node]
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      for (const edge of await edges(view, at)) {
        const id = nodeId({ ...edge, flat: false })
        if (!ids.has(id) || reasons.has(id)) continue
        reasons.set(id, reason)
        stack.push(edge)
      }
    }
  }
  for (const { node } of garbage) {
    if (!reasons.has(nodeId(node))) reasons.set(nodeId(node), noReason(node))
  }
  return reasons
}

/** A node in words: `image "a"`, `lease "x"`, and blobs by their digest. */
export const describe = ({ kind, key }: Node): string =>
  kind === 'content' ? `content ${key}` : `${kind} ${JSON.stringify(key)}`

const noReason = ({ kind }: Node): string =>
  kind === 'ingest' ? 'no lease holds it, and it has no time of its own' : 'no reference'
