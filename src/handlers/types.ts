import type { Descriptor } from '../oci/descriptor.ts'
import type { AbortOptions } from '../options.ts'

/** Names the children of a node, and does nothing else; effects belong to the loop that walks. */
export type Handler<N = Descriptor> = (node: N, options: AbortOptions) => Promise<readonly N[]>

/** Makes a handler out of a handler: filters, sorts, limits or adds children. */
export type Wrap<N = Descriptor> = (next: Handler<N>) => Handler<N>
