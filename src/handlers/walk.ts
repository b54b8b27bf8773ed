import type { Descriptor } from '../oci/descriptor.ts'
import type { AbortOptions } from '../options.ts'
import {
  annotateStep,
  cyclic,
  defaultKey,
  defaultMaxDepth,
  defaultMaxNodes,
  type GraphLimits,
  pathOf,
  type Step,
  stepTo,
  tooMany,
} from './path.ts'
import type { Handler } from './types.ts'

/** Options of `walk`. */
export interface WalkOptions<N = Descriptor> extends AbortOptions, GraphLimits {
  /**
   * Keys of nodes that are not to be visited again; the walk adds each one it visits. Given, the walk ends by itself on
   * any graph, so the limits have no defaults; absent, a node is visited once a path, and cycles are refused.
   */
  readonly seen?: Set<string> | undefined
  /** Tells nodes apart; default: media type and digest of a descriptor, text itself. */
  readonly key?: ((node: N) => string) | undefined
}

/**
 * Nodes below `roots`, depth first, parents before children, in the order the handler names them.
 *
 * The loop's body runs before the children of its node are asked for, so a body may fetch what the handler will read.
 * Leaving the loop reads nothing further.
 *
 * @param options.maxNodes  default 100 000, without limit when `seen` is given
 * @param options.maxDepth  default 64, without limit when `seen` is given
 * @throws RESOURCE_EXHAUSTED  more than `maxNodes`
 * @throws INVALID_ARGUMENT  deeper than `maxDepth`, or a node that contains itself
 * @throws whatever `handler` throws; the text starts with the path to the node
 */
export async function* walk<N = Descriptor>(
  handler: Handler<N>,
  roots: Iterable<N>,
  options: WalkOptions<N> = {},
): AsyncGenerator<N, void, undefined> {
  for await (const { node } of steps(handler, roots, options)) yield node
}

/** As `walk`, with the path to each node: its root first, itself last. */
export async function* walkPaths<N = Descriptor>(
  handler: Handler<N>,
  roots: Iterable<N>,
  options: WalkOptions<N> = {},
): AsyncGenerator<readonly N[], void, undefined> {
  for await (const step of steps(handler, roots, options)) yield pathOf(step)
}

async function* steps<N>(
  handler: Handler<N>,
  roots: Iterable<N>,
  options: WalkOptions<N>,
): AsyncGenerator<Step<N>, void, undefined> {
  const { signal, seen, key = defaultKey } = options
  const { maxNodes = seen ? Number.POSITIVE_INFINITY : defaultMaxNodes } = options
  const { maxDepth = seen ? Number.POSITIVE_INFINITY : defaultMaxDepth } = options
  const below = (nodes: Iterable<N>, parent?: Step<N>): Array<Step<N>> =>
    Array.from(nodes, node => stepTo(node, key(node), parent, maxDepth)).reverse()
  // The stack is data and not recursion: depth cannot overflow it.
  const stack = below(roots)
  let count = 0
  for (let step = stack.pop(); step !== undefined; step = stack.pop()) {
    signal?.throwIfAborted()
    if (seen?.has(step.id)) continue
    seen?.add(step.id)
    if (!seen && isBelowItself(step)) throw annotateStep(cyclic(step.node), step, options)
    if (++count > maxNodes) throw tooMany(maxNodes)
    yield step
    for (const child of below(await childrenOf(handler, step, options), step)) stack.push(child)
  }
}

async function childrenOf<N>(
  handler: Handler<N>,
  step: Step<N>,
  { signal }: AbortOptions,
): Promise<readonly N[]> {
  try {
    signal?.throwIfAborted()
    return await handler(step.node, { signal })
  } catch (error) {
    throw annotateStep(error, step, { signal })
  }
}

const isBelowItself = <N>({ id, parent }: Step<N>): boolean => {
  for (let at = parent; at !== undefined; at = at.parent) if (at.id === id) return true
  return false
}
