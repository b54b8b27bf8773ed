import type { Node } from '../metadata/collectible.ts'
import type { View } from '../metadata/kv.ts'
import type { Survey } from './survey.ts'

/**
 * Says for each piece of garbage, by its number, why it is unreachable: when it expired, whose reference expired, or that
 * nothing refers to it.
 */
export async function reasonsFor(
  view: View,
  garbage: readonly number[],
  { nodes, records, edges }: Pick<Survey, 'nodes' | 'records' | 'edges'>,
): Promise<ReadonlyMap<number, string>> {
  const numbers = new Set(garbage)
  const reasons = new Map<number, string>()
  const expired: { readonly at: number; readonly what: string; readonly when: string }[] = []
  for (const at of garbage) {
    const when = records.expiredAt(at)?.toISOString()
    if (when === undefined) continue
    const what = describe(nodes.node(at))
    reasons.set(at, `${what} expired at ${when}`)
    expired.push({ at, what, when })
  }
  for (const { at: start, what, when } of expired) {
    const reason = `only ${what} kept it, which expired at ${when}`
    const stack = [start << 1]
    for (let visit = stack.pop(); visit !== undefined; visit = stack.pop()) {
      for (const below of await edges(view, visit)) {
        if (!numbers.has(below >> 1) || reasons.has(below >> 1)) continue
        reasons.set(below >> 1, reason)
        stack.push(below)
      }
    }
  }
  for (const at of garbage) if (!reasons.has(at)) reasons.set(at, noReason(nodes.node(at)))
  return reasons
}

/** A node in words: `image "a"`, `lease "x"`, and blobs by their digest. */
export const describe = ({ kind, key }: Node): string =>
  kind === 'content' ? `content ${key}` : `${kind} ${JSON.stringify(key)}`

const noReason = ({ kind }: Node): string =>
  kind === 'ingest' ? 'no lease holds it, and it has no time of its own' : 'no reference'
