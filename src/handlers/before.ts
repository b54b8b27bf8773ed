import type { Descriptor } from '../oci/descriptor.ts'
import type { AbortOptions } from '../options.ts'
import type { Wrap } from './types.ts'

/** Runs an effect on a node before its children are asked for; if it fails, they are not. */
export const before =
  <N = Descriptor>(effect: (node: N, options: AbortOptions) => Promise<void>): Wrap<N> =>
  next =>
  async (node, options) => {
    await effect(node, options)
    return next(node, options)
  }
