import { isUnavailable } from '../../errors.ts'
import type { Envelope, Subscriber } from '../../metadata/exchange.ts'
import type { AbortOptions } from '../../options.ts'
import type { Membership } from './membership.ts'

/** The events of a store that others may own. What happens between one owner's end and the next one's start is not told. */
export class SharedEvents implements Subscriber {
  readonly #membership: Membership

  constructor(membership: Membership) {
    this.#membership = membership
  }

  subscribe(filters: readonly string[] = [], options: AbortOptions = {}): AsyncIterable<Envelope> {
    const member = this.#membership.current
    return this.#follow(member, member.store.events.subscribe(filters, options), filters, options)
  }

  async *#follow(
    first: Membership['current'],
    arrivals: AsyncIterable<Envelope>,
    filters: readonly string[],
    options: AbortOptions,
  ): AsyncGenerator<Envelope> {
    for (let member = first; ; ) {
      try {
        yield* arrivals
        return
      } catch (error) {
        // An owner that ends says so, or is cut off.
        if (!isUnavailable(error) || options.signal?.aborted) throw error
        await this.#membership.replace(member, options)
        member = await this.#membership.member()
        arrivals = member.store.events.subscribe(filters, options)
      }
    }
  }
}
