import { parseFilters } from '../../filters/filter.ts'
import type { Envelope, Subscriber } from '../../metadata/exchange.ts'
import type { AbortOptions } from '../../options.ts'
import { envelopeOf } from '../event-messages.ts'
import { Events } from '../gen/containerd/services/events/v1/events_pb.ts'
import type { Connection } from './connection.ts'

/**
 * The events of a service behind a socket: orlop's or containerd's. It listens from when the service has heard of it: a
 * moment after the call, and nothing tells when.
 */
export class RemoteEvents implements Subscriber {
  readonly #connection: Connection

  constructor(connection: Connection) {
    this.#connection = connection
  }

  subscribe(filters: readonly string[] = [], options: AbortOptions = {}): AsyncIterable<Envelope> {
    parseFilters(filters)
    const request = { filters: [...filters] }
    return envelopes(this.#connection.stream(Events.method.subscribe, request, options), options)
  }
}

async function* envelopes(
  messages: AsyncIterable<Parameters<typeof envelopeOf>[0]>,
  { signal }: AbortOptions,
): AsyncGenerator<Envelope> {
  try {
    for await (const message of messages) yield envelopeOf(message)
  } catch (error) {
    if (!signal?.aborted) throw error
  }
}
