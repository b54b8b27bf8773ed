import { isNotFound } from '../errors.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { isNonDistributable } from '../oci/media-type.ts'
import { rewrite } from './pipe.ts'
import type { Handler, Wrap } from './types.ts'

/** Gives no children to nodes that pass `test`, and does not read them. */
export const leafWhen =
  <T = Descriptor>(test: (node: T) => boolean) =>
  <N extends T>(next: Handler<N>): Handler<N> =>
  async (node, options) =>
    test(node) ? [] : next(node, options)

/** Leaves out the children that pass `test`, and with them all below. A root is no child. */
export const dropWhen =
  <T = Descriptor>(test: (node: T) => boolean) =>
  <N extends T>(next: Handler<N>): Handler<N> =>
    rewrite<N>(nodes => nodes.filter(node => !test(node)))(next)

/**
 * Gives no children to a node whose bytes are absent, instead of failing the walk.
 *
 * It takes any NOT_FOUND of what stands before it in the pipe for an absence: put it right after `children`, and
 * `limitManifests`, which throws NOT_FOUND for a platform that is not offered, after it.
 */
export const skipMissing: Wrap = next => async (desc, options) => {
  try {
    return await next(desc, options)
  } catch (error) {
    if (isNotFound(error)) return []
    throw error
  }
}

/** Leaves out layers that a licence keeps from being pushed (Docker calls them foreign). */
export const skipNonDistributable: Wrap = dropWhen(isNonDistributable)
