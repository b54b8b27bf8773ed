import { setMaxListeners } from 'node:events'
import PQueue from 'p-queue'
import { OrlopError } from '../errors.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { AbortOptions } from '../options.ts'
import {
  annotateStep,
  cyclic,
  defaultKey,
  defaultMaxDepth,
  defaultMaxNodes,
  type GraphLimits,
  type Step,
  stepTo,
  tooMany,
} from './path.ts'
import type { Handler } from './types.ts'

/** The work done once for each node. */
export type Visit<N = Descriptor> = (node: N, options: AbortOptions) => Promise<void>

/** Several rows of places for calls, each for other nodes. */
export interface Lanes<N> {
  /** How many calls at one time, by lane. */
  readonly places: readonly number[]
  /** The lane of a node. */
  readonly of: (node: N) => number
}

/** Options of `dispatch`. */
export interface DispatchOptions<N = Descriptor> extends AbortOptions, GraphLimits {
  /** Calls of `handler` and `visit` at one time, together; default 3. */
  readonly concurrency?: number | undefined
  /** Takes the place of `concurrency`. */
  readonly lanes?: Lanes<N> | undefined
  /** `pre` (the default) visits a node before its children are asked for, `post` after all below it were visited. */
  readonly order?: 'pre' | 'post' | undefined
  /** Tells nodes apart; default: media type and digest of a descriptor, text itself. */
  readonly key?: ((node: N) => string) | undefined
}

/**
 * Visits every node below `roots` once, in parallel.
 *
 * A node that is reached on many paths is visited once, and each of its parents waits for it. Only the calls of
 * `handler` and `visit` hold one of the `concurrency` slots; waiting for children holds none, so one slot is enough for
 * any depth. The first failure aborts the signal that all other calls were given; when all of them have ended,
 * `dispatch` rejects with it.
 *
 * @throws RESOURCE_EXHAUSTED  more than `maxNodes` (default 100 000) different nodes
 * @throws INVALID_ARGUMENT  deeper than `maxDepth` (default 64), or a node that contains itself, which would wait forever
 * @throws the first failure of `handler` or `visit`; the text starts with the path to the node
 */
export async function dispatch<N = Descriptor>(
  handler: Handler<N>,
  visit: Visit<N>,
  roots: Iterable<N>,
  options: DispatchOptions<N> = {},
): Promise<void> {
  const { signal } = options
  signal?.throwIfAborted()
  const run = new Run(handler, visit, options)
  const abort = (): void => run.stop(signal?.reason)
  signal?.addEventListener('abort', abort, { once: true })
  try {
    await run.all(roots)
  } finally {
    signal?.removeEventListener('abort', abort)
  }
}

interface Branch {
  /** Ends when the node and all below it were visited. */
  readonly promise: Promise<void>
  /** The nodes that this one waits for. */
  waitsFor: readonly string[]
  done: boolean
}

/** One call of `dispatch`. */
class Run<N> {
  readonly #handler: Handler<N>
  readonly #visit: Visit<N>
  readonly #order: 'pre' | 'post'
  readonly #key: (node: N) => string
  readonly #maxNodes: number
  readonly #maxDepth: number
  readonly #queues: readonly PQueue[]
  readonly #laneOf: (node: N) => number
  readonly #stop = new AbortController()
  /** One for each node that was met. */
  readonly #branches = new Map<string, Branch>()

  constructor(handler: Handler<N>, visit: Visit<N>, options: DispatchOptions<N>) {
    const { concurrency = 3, lanes, order = 'pre', key = defaultKey } = options
    this.#handler = handler
    this.#visit = visit
    this.#order = order
    this.#key = key
    this.#maxNodes = options.maxNodes ?? defaultMaxNodes
    this.#maxDepth = options.maxDepth ?? defaultMaxDepth
    this.#queues = (lanes?.places ?? [concurrency]).map(places => new PQueue({ concurrency: places }))
    this.#laneOf = lanes?.of ?? (() => 0)
    // Every call listens to it, each a few times; Node takes more than ten for a leak.
    setMaxListeners(0, this.#stop.signal)
  }

  /** Only the first reason counts. */
  stop(reason: unknown): void {
    this.#stop.abort(reason)
  }

  /** Visits nodes and all below them; when it rejects, nothing below them runs any more. */
  async all(nodes: Iterable<N>, parent?: Step<N>): Promise<void> {
    const { signal } = this.#stop
    const waiting: Array<Promise<void>> = []
    try {
      const below = Array.from(nodes, node => stepTo(node, this.#key(node), parent, this.#maxDepth))
      if (parent) this.#join(parent, below)
      for (const step of below) waiting.push(this.#branch(step))
    } catch (error) {
      this.stop(parent ? annotateStep(error, parent, { signal }) : error)
    }
    await Promise.allSettled(waiting)
    // The first failure, whoever met it: Node's own APIs reject with an `AbortError` instead of the reason.
    signal.throwIfAborted()
  }

  #branch(step: Step<N>): Promise<void> {
    const known = this.#branches.get(step.id)
    if (known !== undefined) return known.promise
    if (this.#branches.size >= this.#maxNodes) throw tooMany(this.#maxNodes)
    const branch: Branch = { promise: this.#watched(step), waitsFor: [], done: false }
    this.#branches.set(step.id, branch)
    return branch.promise
  }

  async #watched(step: Step<N>): Promise<void> {
    try {
      if (this.#order === 'pre') await this.#slot(step, this.#visit)
      await this.all(await this.#slot(step, this.#handler), step)
      if (this.#order === 'post') await this.#slot(step, this.#visit)
      const branch = this.#branches.get(step.id)
      if (branch) branch.done = true
    } catch (error) {
      this.stop(error)
      throw error
    }
  }

  /** The signal goes to the work and not to the queue, which would free the slot while the work still runs. */
  #slot<T>(step: Step<N>, work: (node: N, options: AbortOptions) => Promise<T>): Promise<T> {
    const { signal } = this.#stop
    const queue = this.#queues[this.#laneOf(step.node)]
    if (queue === undefined) throw new OrlopError('INTERNAL', 'dispatch: a node has a lane without places')
    return queue.add(async () => {
      signal.throwIfAborted()
      try {
        return await work(step.node, { signal })
      } catch (error) {
        // Here and not only in the branch: the next in the queue must not begin.
        const failure = annotateStep(error, step, { signal })
        this.stop(failure)
        throw failure
      }
    })
  }

  /** Notes what `parent` waits for, and refuses if one of those waits for `parent`: then none would ever end. */
  #join(parent: Step<N>, below: ReadonlyArray<Step<N>>): void {
    const branch = this.#branches.get(parent.id)
    if (branch) branch.waitsFor = below.map(({ id }) => id)
    const looked = new Set<string>()
    for (const step of below) {
      const stack = [step.id]
      for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
        if (id === parent.id) throw cyclic(step.node)
        const next = this.#branches.get(id)
        if (next === undefined || next.done || looked.has(id)) continue
        looked.add(id)
        for (const waited of next.waitsFor) stack.push(waited)
      }
    }
  }
}
