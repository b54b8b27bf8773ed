import type { Collection, RemovedItem } from '../../gc/collector.ts'
import type { ImageRecord } from '../../images/types.ts'
import type { Node } from '../../metadata/collectible.ts'
import { asSize, asString } from '../../oci/json.ts'
import type { AbortOptions } from '../../options.ts'
import type { Resolver } from '../../remotes/types.ts'
import type { Pruned } from '../../runtime/prune.ts'
import type { PruneRules } from '../../runtime/prune-rules.ts'
import type { Verbs } from '../../runtime/verbs.ts'
import { bool, list, maybe, type Reader, record } from './readers.ts'
import * as values from './values.ts'

/** What a verb that runs for a client has beside its arguments. */
export interface VerbContext<E> extends AbortOptions {
  /** Tells the client of something that has happened. */
  tell(event: E): void
  /** The client's. */
  readonly resolver: Resolver
}

interface VerbInit<A, R, E> {
  readonly arguments: Reader<A>
  readonly result: Reader<R>
  /** Of what `run` tells. */
  readonly event?: Reader<E>
  run(verbs: Verbs, args: A, context: VerbContext<E>): Promise<R>
  /** The result as JSON; the result itself where there is nothing to do. */
  readonly toJson?: (result: R) => object
  readonly eventToJson?: (event: E) => object
}

/** One verb, for both sides of the wire. */
export interface Verb<A, R, E> {
  readonly arguments: Reader<A>
  readonly result: Reader<R>
  readonly event: Reader<E>
  /** Runs it with arguments out of JSON; what it tells and gives can be written as JSON. */
  serve(verbs: Verbs, args: unknown, context: VerbContext<unknown>): Promise<unknown>
}

const define = <A, R, E = never>({
  run,
  toJson,
  eventToJson,
  event = noEvent,
  ...readers
}: VerbInit<A, R, E>): Verb<A, R, E> => ({
  ...readers,
  event,
  serve: async (verbs, json, context) => {
    const tell = (one: E): void => context.tell(eventToJson?.(one) ?? one)
    const result = await run(verbs, readers.arguments(json, 'arguments'), { ...context, tell })
    return toJson?.(result) ?? result
  },
})

/** Verbs that tell nothing send no events; what comes all the same is from a newer orlop. */
const noEvent: Reader<never> = value => value as never

/** All verbs by their names on the wire. */
export const verbDefinitions = {
  collect: define<object, Collection, RemovedItem>({
    arguments: record<object>({}),
    result: values.collection,
    event: values.removedItem,
    run: (verbs, _, { tell, signal }) => verbs.collect({ onRemoved: tell, signal }),
  }),
  plan: define({
    arguments: record<object>({}),
    result: values.plan,
    run: (verbs, _, { signal }) => verbs.plan({ signal }),
  }),
  why: define({
    arguments: record<{ readonly node: Node; readonly limit?: number | undefined }>({
      node: values.node,
      limit: maybe(asSize),
    }),
    result: values.why,
    run: (verbs, { node, limit }, { signal }) => verbs.why(node, { limit, signal }),
  }),
  measure: define({
    arguments: record<{ readonly namespace: string }>({ namespace: asString }),
    result: values.diskUsage,
    run: (verbs, { namespace }, { signal }) => verbs.measure(namespace, { signal }),
  }),
  measureSet: define({
    arguments: record<{ readonly namespace: string; readonly names: readonly string[] }>({
      namespace: asString,
      names: list(asString),
    }),
    result: values.setUsage,
    run: (verbs, { namespace, names }, { signal }) => verbs.measureSet(namespace, names, { signal }),
  }),
  prune: define<PruneArguments, Pruned, ImageRecord>({
    arguments: record<PruneArguments>({
      namespace: asString,
      rules: values.pruneRules,
      dryRun: maybe(bool),
    }),
    result: values.pruned,
    event: values.image,
    run: (verbs, { namespace, rules, dryRun }, { tell, signal }) =>
      verbs.prune(namespace, rules, { dryRun, onDeleted: tell, signal }),
    toJson: values.prunedToJson,
    eventToJson: values.imageToJson,
  }),
  check: define({
    arguments: record<{ readonly quick?: boolean | undefined }>({ quick: maybe(bool) }),
    result: values.report,
    run: (verbs, { quick }, { signal }) => verbs.check({ quick, signal }),
  }),
  repair: define({
    arguments: record<RepairArguments>({
      quick: maybe(bool),
      from: maybe(asString),
      lends: bool,
    }),
    result: values.mended,
    run: (verbs, { lends, ...options }, { resolver, signal }) =>
      verbs.repair({ ...options, ...(lends && { resolver }), signal }),
  }),
  rebuild: define({
    arguments: record<{ readonly namespace?: string | undefined; readonly merge?: boolean | undefined }>({
      namespace: maybe(asString),
      merge: maybe(bool),
    }),
    result: values.rebuilt,
    run: (verbs, options, { signal }) => verbs.rebuild({ ...options, signal }),
    toJson: values.rebuiltToJson,
  }),
}

interface PruneArguments {
  readonly namespace: string
  readonly rules: PruneRules
  readonly dryRun?: boolean | undefined
}

interface RepairArguments {
  readonly quick?: boolean | undefined
  readonly from?: string | undefined
  /** The client has a resolver. */
  readonly lends: boolean
}

/** The name of a verb. */
export type VerbName = keyof typeof verbDefinitions

/** True for a verb that is known here. */
export const isVerb = (name: string): name is VerbName => Object.hasOwn(verbDefinitions, name)
