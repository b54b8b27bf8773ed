import type { ImageRecord } from '../../images/types.ts'
import type { Pruned, PruneOptions } from '../../runtime/prune.ts'
import type { PruneRules } from '../../runtime/prune-rules.ts'
import type { Verbs } from '../../runtime/verbs.ts'
import type { Membership } from './membership.ts'

/**
 * The verbs on a store that others may own: one whose owner ends beneath it begins anew with the next owner. What it had
 * done stays done, and was told of.
 */
export const sharedVerbs = (membership: Membership): Verbs => ({
  collect: options => membership.verb(verbs => verbs.collect(options), options),
  plan: options => membership.verb(verbs => verbs.plan(options), options),
  why: (node, options) => membership.verb(verbs => verbs.why(node, options), options),
  measure: (namespace, options) => membership.verb(verbs => verbs.measure(namespace, options), options),
  measureSet: (namespace, names, options) =>
    membership.verb(verbs => verbs.measureSet(namespace, names, options), options),
  prune: (namespace, rules, options) => prune(membership, namespace, rules, options),
  check: options => membership.verb(verbs => verbs.check(options), options),
  repair: options => membership.verb(verbs => verbs.repair(options), options),
  rebuild: options => membership.verb(verbs => verbs.rebuild(options), options),
})

/** Images that an owner deleted before it ended are of this prune too. */
async function prune(
  membership: Membership,
  namespace: string,
  rules: PruneRules,
  options: PruneOptions = {},
): Promise<Pruned> {
  const deleted: ImageRecord[] = []
  const onDeleted = (image: ImageRecord): void => {
    deleted.push(image)
    options.onDeleted?.(image)
  }
  const done = await membership.verb(
    verbs => verbs.prune(namespace, rules, { ...options, onDeleted }),
    options,
  )
  return { ...done, deleted }
}
