import { OrlopError } from '../errors.ts'
import type { Envelope } from '../metadata/exchange.ts'
import { envelopeMessage, envelopeOf, eventOf } from './event-messages.ts'
import { Events } from './gen/containerd/services/events/v1/events_pb.ts'
import { namespaceOf, type ServiceParts } from './parts.ts'
import { type Call, type Service, service } from './rpc.ts'

/** The service of events. @see containerd plugins/services/events */
export const eventsService = ({ store: { events } }: ServiceParts): Service =>
  service(Events, {
    publish: async ({ topic, event }, call) => {
      events.publish({ namespace: namespaceOf(call), topic, event: eventOf(topic, event) })
      return {}
    },
    forward: async ({ envelope }) => {
      if (envelope?.timestamp === undefined) {
        throw new OrlopError('INVALID_ARGUMENT', 'event: an envelope needs a timestamp')
      }
      events.forward(envelopeOf(envelope))
      return {}
    },
    subscribe: ({ filters }, call) => messagesOf(events.subscribe(filters, call), call),
  })

async function* messagesOf(envelopes: AsyncIterableIterator<Envelope>, { closing }: Call) {
  const end = (): void => void envelopes.return?.()
  closing.addEventListener('abort', end)
  try {
    for await (const envelope of envelopes) yield envelopeMessage(envelope)
    if (closing.aborted) throw new OrlopError('UNAVAILABLE', 'events: the service is shutting down')
  } finally {
    closing.removeEventListener('abort', end)
  }
}
