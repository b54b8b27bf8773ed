import type { Handler } from '../handlers/types.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'

/** Asks for the children of each node once, so that they are the same objects each time. */
export const remembered = (handler: Handler): Handler => {
  const known = new Map<string, Promise<readonly Descriptor[]>>()
  return (desc, options) => {
    const key = `${desc.mediaType} ${desc.digest}`
    const found = known.get(key) ?? handler(desc, options)
    known.set(key, found)
    return found
  }
}

/** A blob, and what its parent says of it; a descriptor too, so that errors can name it. */
export interface Node extends Descriptor {
  readonly desc: Descriptor
  /** What a layer is without compression, by the config beside it. */
  readonly diffId?: Digest | undefined
  /** True for layers of artifacts. */
  readonly verbatim?: boolean
}

/** A blob as a node. */
export const nodeOf = (desc: Descriptor, more: Partial<Node> = {}): Node => ({ ...desc, desc, ...more })

/** What tells nodes apart: a layer that two configs call differently is two. */
export const keyOf = ({ desc, diffId, verbatim = false }: Node): string =>
  `${desc.mediaType} ${desc.digest} ${diffId ?? ''} ${verbatim}`
