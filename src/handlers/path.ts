import { annotate, OrlopError } from '../errors.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { isConfig, isIndex, isLayer, isManifest } from '../oci/media-type.ts'
import type { AbortOptions } from '../options.ts'

/** A node on its way down from a root. */
export interface Step<N> {
  readonly node: N
  /** What tells it from other nodes. */
  readonly id: string
  /** Absent for a root. */
  readonly parent: Step<N> | undefined
  /** 0 for a root. */
  readonly depth: number
}

/** Limits that keep a hostile graph from eating time and memory; every walk has them. */
export interface GraphLimits {
  /** More nodes than this are refused. */
  readonly maxNodes?: number | undefined
  /** Nodes further from their root than this are refused; a root is at 0. */
  readonly maxDepth?: number | undefined
}

/** Nodes of one graph, where the caller sets no limit: far above the largest image, far below what hurts. */
export const defaultMaxNodes = 100_000

/** Levels of one graph, where the caller sets no limit; images have 3, nested indexes 4 or 5. */
export const defaultMaxDepth = 64

/**
 * What tells nodes apart when no `key` is given: text is itself, a descriptor its media type and digest.
 *
 * @throws INVALID_ARGUMENT  any other kind of node, which needs a `key`
 */
export function defaultKey(node: unknown): string {
  if (typeof node === 'string') return node
  if (isDescriptorLike(node)) return `${node.mediaType} ${node.digest}`
  throw new OrlopError('INVALID_ARGUMENT', 'walk: nodes that are not descriptors need the option `key`')
}

/** The nodes from the root to a step, both among them. */
export function pathOf<N>(step: Step<N>): readonly N[] {
  const path: N[] = []
  for (let at: Step<N> | undefined = step; at !== undefined; at = at.parent) path.push(at.node)
  return path.reverse()
}

/** A path for people: `index sha256:… → linux/arm64 manifest sha256:… → layer sha256:…`. */
export const formatPath = (path: readonly unknown[]): string => path.map(describe).join(' → ')

/** An error of a step with the path to it in front; a root's own error says enough, and aborts pass unchanged. */
export const annotateStep = <N>(error: unknown, step: Step<N>, options: AbortOptions): unknown =>
  step.parent === undefined ? error : annotatePath(error, pathOf(step), options)

/** An error with a path in front; that of a root alone says enough, and aborts pass unchanged. */
export function annotatePath(error: unknown, path: readonly unknown[], { signal }: AbortOptions): unknown {
  if (path.length < 2 || (signal?.aborted && error === signal.reason)) return error
  return annotate(error, formatPath(path))
}

/**
 * The step to a child.
 *
 * @throws INVALID_ARGUMENT  the child is deeper than `maxDepth`
 */
export function stepTo<N>(node: N, id: string, parent: Step<N> | undefined, maxDepth: number): Step<N> {
  const depth = parent === undefined ? 0 : parent.depth + 1
  if (depth > maxDepth) {
    throw new OrlopError(
      'INVALID_ARGUMENT',
      `${describe(node)}: nested more than ${maxDepth} levels deep, refused as hostile`,
    )
  }
  return { node, id, parent, depth }
}

/** The error for a node that is below itself. */
export const cyclic = (node: unknown): OrlopError =>
  new OrlopError(
    'INVALID_ARGUMENT',
    `${describe(node)}: contains itself; no honest content can, so the store does not verify what it gives`,
  )

/** The error for a graph with too many nodes. */
export const tooMany = (maxNodes: number): OrlopError =>
  new OrlopError('RESOURCE_EXHAUSTED', `more than ${maxNodes} nodes in one graph, refused as hostile`)

const describe = (node: unknown): string => {
  if (!isDescriptorLike(node)) return typeof node === 'string' ? node : 'node'
  const { os = '', architecture = '', variant } = node.platform ?? {}
  const platform = node.platform && [os, architecture, variant].filter(Boolean).join('/')
  return [platform, kindOf(node), node.digest].filter(Boolean).join(' ')
}

const kindOf = (desc: Descriptor): string => {
  if (isIndex(desc)) return 'index'
  if (isManifest(desc)) return 'manifest'
  if (isConfig(desc)) return 'config'
  return isLayer(desc) ? 'layer' : 'blob'
}

const isDescriptorLike = (node: unknown): node is Descriptor =>
  typeof node === 'object' &&
  node !== null &&
  'mediaType' in node &&
  typeof node.mediaType === 'string' &&
  'digest' in node &&
  typeof node.digest === 'string'
