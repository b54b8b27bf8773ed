/**
 * Handlers: walking the graph of descriptors.
 *
 * A `Handler` names the children of a node and does nothing else. Wraps take a handler and give one: they filter, sort,
 * cut or add children, and `pipe` reads them left to right. Effects belong to whoever walks: to the body of the loop over
 * `walk`, which is serial and ends when the loop does, or to the visitor of `dispatch`, which is parallel and visits every
 * node once, parents first or last.
 *
 * A graph from a registry is not to be trusted: both refuse what is too deep, too large, or contains itself. Reading an
 * index or manifest verifies its digest; nothing here writes anywhere.
 */
export { before } from './before.ts'
export { children, readConfig, readIndex, readManifest } from './children.ts'
export { type DispatchOptions, dispatch, type Lanes, type Visit } from './dispatch.ts'
export { childLabels, childLabelsWithoutLayers } from './gc-labels.ts'
export { isUnknownPlatform, limitManifests } from './limit.ts'
export { defaultMaxDepth, defaultMaxNodes, formatPath, type GraphLimits } from './path.ts'
export { pipe, rewrite } from './pipe.ts'
export { filterPlatforms } from './platforms.ts'
export { type FindReferrers, type RememberedReferrers, referrers, rememberReferrers } from './referrers.ts'
export { dropWhen, leafWhen, skipMissing, skipNonDistributable } from './skip.ts'
export type * from './types.ts'
export { type WalkOptions, walk, walkPaths } from './walk.ts'
