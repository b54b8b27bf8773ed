import type { Provider } from '../content/types.ts'
import { annotate, isNotFound } from '../errors.ts'
import type { Wrap } from '../handlers/types.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { isNonDistributable } from '../oci/media-type.ts'
import type { AbortOptions } from '../options.ts'

/** True for a layer that is not copied, for it stays at the URLs that its descriptor has. */
export type Leaves = (layer: Descriptor, options: AbortOptions) => Promise<boolean>

/**
 * Which of the layers that a licence keeps from being passed on (Docker calls them foreign) stay where they are: those with
 * URLs that the source does not have itself, and all with URLs where the destination is not to be given any.
 *
 * @param always  the destination is not to be given any
 * @param onLeft  told of each, once
 * @see containers/image copy, DownloadForeignLayers
 */
export function leavesForeign(from: Provider, always: boolean, onLeft: (layer: Descriptor) => void): Leaves {
  const known = new Map<string, Promise<boolean>>()
  const ask = async (layer: Descriptor, options: AbortOptions): Promise<boolean> => {
    if (!isNonDistributable(layer) || !layer.urls?.length) return false
    const leaves = always || !(await isThere(from, layer, options))
    if (leaves) onLeft(layer)
    return leaves
  }
  return (layer, options) => {
    const answer = known.get(layer.digest) ?? ask(layer, options)
    known.set(layer.digest, answer)
    return answer
  }
}

async function isThere(from: Provider, layer: Descriptor, { signal }: AbortOptions): Promise<boolean> {
  try {
    for await (const _ of from.read(layer, { offset: 0, length: 1, signal })) return true
    return layer.size === 0
  } catch (error) {
    if (isNotFound(error)) return false
    throw annotate(error, `layer ${layer.digest}`)
  }
}

/** Leaves out the layers that stay where they are. */
export const dropLeft =
  (leaves: Leaves): Wrap =>
  next =>
  async (desc, options) => {
    const kept: Descriptor[] = []
    for (const child of await next(desc, options)) if (!(await leaves(child, options))) kept.push(child)
    return kept
  }
