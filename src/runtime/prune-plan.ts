import type { FileBytes } from '../content/fs-usage.ts'
import { parseFilters } from '../filters/filter.ts'
import { pinOf } from '../images/pin.ts'
import { imageField } from '../images/store.ts'
import type { ImageRecord } from '../images/types.ts'
import { type Cap, type Chosen, capsOf, chooseByCaps, type PruneFacts } from './prune-caps.ts'
import { checkRules, keptVersions, oldestFirst, type PruneRule, type PruneRules } from './prune-rules.ts'
import { minus, noBytes, plus, Reach } from './reach-graph.ts'

/** What becomes of an image, and which rule says so. */
export interface PruneDecision {
  readonly image: ImageRecord
  readonly action: 'delete' | 'keep'
  readonly rule: PruneRule
  /** For people. */
  readonly reason: string
}

/** A cap that stays missed when all that may go is gone. */
export interface MissedCap {
  readonly rule: Cap['rule']
  /** Bytes too many in the store, or too few on the device. */
  readonly missing: number
  readonly left: Left
}

/** Who keeps the bytes that no prune can free; each byte is counted with the first of these that keeps it. */
export interface Left {
  /** Leases, labels, ingests and other namespaces. */
  readonly held: number
  readonly pinned: number
  /** The last versions of repositories. */
  readonly keepLast: number
  /** Files in the content directory that are no content. */
  readonly others: number
}

/** What a prune would do. Bytes are those of the content directory of the whole store. */
export interface PrunePlan {
  /** One an image of the namespace, in order of name. */
  readonly decisions: readonly PruneDecision[]
  /** The images to delete, oldest first. */
  readonly deletions: readonly ImageRecord[]
  readonly before: FileBytes
  /** What the next collection frees whether or not images are deleted. */
  readonly garbage: FileBytes
  /** What it frees on top of that once these images are deleted: together, shared blobs counted as they are. */
  readonly freed: FileBytes
  readonly after: FileBytes
  readonly missed: readonly MissedCap[]
}

/**
 * Decides over the images of a namespace. Reads no disk, no clock and no records: all it knows is in `facts`.
 *
 * First pins and `keepLast` protect; then `filters` and `olderThan`, or `all`, choose from what is left; then the caps choose
 * more from what is left by then, whether or not filters match it.
 *
 * @throws INVALID_ARGUMENT  no rule, a number out of its range, or a filter that cannot be read
 */
export function planPrune(facts: PruneFacts, rules: PruneRules): PrunePlan {
  checkRules(rules)
  const { images } = facts
  const protect = protection(images, rules)
  const select = selection(facts.now, rules)
  const caps = capsOf(rules, facts)
  const free = images.filter(image => protect(image) === undefined)
  const selected = free.filter(image => select(image).action === 'delete').toSorted(oldestFirst)
  const rest = free.filter(image => select(image).action === 'keep')
  const chosen = chooseByCaps(facts, caps, caps.length > 0 ? rest : [], selected)
  const decide = (image: ImageRecord): PruneDecision => ({
    image,
    ...(protect(image) ?? byCaps(image, chosen, caps) ?? select(image)),
  })
  const deletions = [...selected, ...chosen.images.keys()]
  const sums = sumsOf(facts, deletions)
  return {
    decisions: images.map(decide),
    deletions,
    ...sums,
    missed: [...chosen.missed].map(([rule, missing]) => ({
      rule,
      missing,
      left: whatIsLeft(facts, rules),
    })),
  }
}

type Verdict = Omit<PruneDecision, 'image'>

/** Pins, and the last versions of repositories. */
function protection(
  images: readonly ImageRecord[],
  { keepLast }: PruneRules,
): (image: ImageRecord) => Verdict | undefined {
  const kept = keepLast === undefined ? new Map<string, string>() : keptVersions(images, keepLast)
  return image => {
    const pin = pinOf(image)
    if (pin !== undefined) return { action: 'keep', rule: 'pin', reason: `pinned by the label ${pin}` }
    const repository = kept.get(image.name)
    if (repository === undefined) return undefined
    return { action: 'keep', rule: 'keep-last', reason: `of the last ${keepLast} of ${repository}` }
  }
}

/** What filters, age and `all` say; a rule that is not given says nothing. */
function selection(now: Date, rules: PruneRules): (image: ImageRecord) => Verdict {
  const { all = false, filters = [], olderThan, keepLast, maxBytes, minFree } = rules
  const matches = parseFilters(filters)
  const isChosen = all || filters.length > 0 || olderThan !== undefined
  const rest = keepLast !== undefined && maxBytes === undefined && minFree === undefined
  return image => {
    const changed = `last changed ${image.updatedAt.toISOString()}`
    if (!matches(path => imageField(image, path))) {
      return { action: 'keep', rule: 'filter', reason: 'no filter matches' }
    }
    if (olderThan !== undefined && now.getTime() - image.updatedAt.getTime() <= olderThan) {
      return { action: 'keep', rule: 'older-than', reason: `not old enough: ${changed}` }
    }
    if (olderThan !== undefined) return { action: 'delete', rule: 'older-than', reason: changed }
    if (filters.length > 0) return { action: 'delete', rule: 'filter', reason: 'a filter matches' }
    if (isChosen) return { action: 'delete', rule: 'all', reason: 'nothing protects it' }
    if (rest)
      return { action: 'delete', rule: 'keep-last', reason: `not of the last ${keepLast}: ${changed}` }
    return { action: 'keep', rule: 'none', reason: 'no rule chooses it' }
  }
}

function byCaps(image: ImageRecord, { images, useless }: Chosen, caps: readonly Cap[]): Verdict | undefined {
  const rule = images.get(image)
  if (rule !== undefined) {
    const reason = `oldest of what is left: last changed ${image.updatedAt.toISOString()}`
    return { action: 'delete', rule, reason }
  }
  const [cap] = caps
  if (cap === undefined || !useless.has(image)) return undefined
  return { action: 'keep', rule: cap.rule, reason: 'deleting it would free nothing: others keep its blobs' }
}

function sumsOf(
  { graph, overhead, verticesOf }: PruneFacts,
  deletions: readonly ImageRecord[],
): Pick<PrunePlan, 'before' | 'garbage' | 'freed' | 'after'> {
  const files = graph.reduce((sum, { file }) => (file ? plus(sum, file) : sum), noBytes)
  const kept = new Reach(graph).fromRoots().kept
  const left = new Reach(graph, deletions.flatMap(verticesOf)).fromRoots().kept
  return {
    before: plus(files, overhead),
    garbage: minus(files, kept),
    freed: minus(kept, left),
    after: plus(left, overhead),
  }
}

function whatIsLeft({ images, graph, verticesOf, overhead }: PruneFacts, rules: PruneRules): Left {
  const reach = new Reach(graph, images.flatMap(verticesOf)).fromRoots()
  const protect = protection(images, rules)
  const add = (rule: PruneRule): number => {
    const before = reach.kept.bytes
    for (const image of images) {
      if (protect(image)?.rule === rule) for (const at of verticesOf(image)) reach.restore(at)
    }
    return reach.kept.bytes - before
  }
  const held = reach.kept.bytes
  return { held, pinned: add('pin'), keepLast: add('keep-last'), others: overhead.bytes }
}
