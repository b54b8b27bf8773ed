import type { Descriptor } from '../oci/descriptor.ts'
import type { Handler, Wrap } from './types.ts'

/** A handler through wraps, read left to right: `pipe(h, a, b)` is `b(a(h))`, children pass `a` and then `b`. */
export const pipe = <N = Descriptor>(handler: Handler<N>, ...wraps: ReadonlyArray<Wrap<N>>): Handler<N> =>
  wraps.reduce((inner, wrap) => wrap(inner), handler)

/** A wrap that only rewrites the list of children; it must not change the list it is given. */
export const rewrite =
  <N = Descriptor>(change: (children: readonly N[], parent: N) => readonly N[]): Wrap<N> =>
  next =>
  async (node, options) =>
    change(await next(node, options), node)
