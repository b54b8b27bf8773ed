import { create, createRegistry, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { type Any, AnySchema } from '@bufbuild/protobuf/wkt'
import { OrlopError } from '../errors.ts'
import type { Envelope } from '../metadata/exchange.ts'
import type { JsonObject } from '../oci/json.ts'
import { file_containerd_events_content } from './gen/containerd/events/content_pb.ts'
import { file_containerd_events_namespace } from './gen/containerd/events/namespace_pb.ts'
import { file_containerd_services_images_v1_images } from './gen/containerd/services/images/v1/images_pb.ts'
import type { EnvelopeSchema } from './gen/containerd/types/event_pb.ts'
import { dateOf, timestamp } from './messages.ts'

/** The events of this store, whose topic says which message they are. */
const typesByTopic: Readonly<Record<string, string>> = {
  '/content/create': 'containerd.events.ContentCreate',
  '/content/delete': 'containerd.events.ContentDelete',
  '/images/create': 'containerd.services.images.v1.ImageCreate',
  '/images/update': 'containerd.services.images.v1.ImageUpdate',
  '/images/delete': 'containerd.services.images.v1.ImageDelete',
  '/namespaces/create': 'containerd.events.NamespaceCreate',
  '/namespaces/update': 'containerd.events.NamespaceUpdate',
  '/namespaces/delete': 'containerd.events.NamespaceDelete',
}

const registry = createRegistry(
  file_containerd_events_content,
  file_containerd_events_namespace,
  file_containerd_services_images_v1_images,
)
const known: ReadonlySet<string> = new Set(Object.values(typesByTopic))

/** Where an event keeps the type and the bytes of a message that a client sent, so that they go out as they came in. */
const typeKey = '@type'
const bytesKey = '@bytes'

/**
 * An event out of a message: the fields, where it is of a type that is known here. Of what is not the message of its topic
 * the bytes are kept too, so that they go out again as they came in.
 *
 * @throws INVALID_ARGUMENT  bytes that are no such message
 */
export function eventOf(topic: string, any: Any | undefined): JsonObject {
  const { typeUrl = '', value = new Uint8Array() } = any ?? {}
  // Messages are named bare by containerd, and with a host before them by others.
  const name = typeUrl.slice(typeUrl.lastIndexOf('/') + 1)
  const fields = known.has(name) ? fieldsOf(name, value) : {}
  if (known.has(name) && typeOf(topic) === typeUrl) return fields
  return { ...fields, [typeKey]: typeUrl, [bytesKey]: Buffer.from(value).toString('base64') }
}

const typeOf = (topic: string): string | undefined =>
  Object.hasOwn(typesByTopic, topic) ? typesByTopic[topic] : undefined

function fieldsOf(name: string, bytes: Uint8Array): JsonObject {
  const desc = registry.getMessage(name)
  if (desc === undefined) return {}
  try {
    const fields = Object.entries(fromBinary(desc, bytes, { readUnknownFields: false }))
    const plain = fields.filter(([key]) => !key.startsWith('$'))
    return Object.fromEntries(
      plain.map(([key, field]) => [key, typeof field === 'bigint' ? Number(field) : field]),
    )
  } catch (cause) {
    throw new OrlopError('INVALID_ARGUMENT', `event: its bytes are no ${name}`, { cause })
  }
}

/** An event as a message: the bytes that a client sent, else the message of its topic; one of neither is empty. */
export function anyOf({ topic, event }: Pick<Envelope, 'topic' | 'event'>): Any {
  const { [typeKey]: typeUrl, [bytesKey]: bytes } = event
  if (typeof typeUrl === 'string' && typeof bytes === 'string') {
    return create(AnySchema, { typeUrl, value: Buffer.from(bytes, 'base64') })
  }
  const name = typeOf(topic)
  const desc = name === undefined ? undefined : registry.getMessage(name)
  if (desc === undefined) return create(AnySchema)
  const fields = Object.entries(event).map(([key, field]) => [
    key,
    key === 'size' ? BigInt(Number(field)) : field,
  ])
  return create(AnySchema, {
    typeUrl: desc.typeName,
    value: toBinary(desc, create(desc, Object.fromEntries(fields))),
  })
}

/** An envelope as a message. */
export const envelopeMessage = (envelope: Envelope): MessageInitShape<typeof EnvelopeSchema> => ({
  timestamp: timestamp(envelope.timestamp),
  namespace: envelope.namespace,
  topic: envelope.topic,
  event: anyOf(envelope),
})

/** An envelope out of a message. @throws INVALID_ARGUMENT  a time that is none, an event that cannot be read */
export const envelopeOf = (message: {
  readonly timestamp?: Parameters<typeof dateOf>[0]
  readonly namespace: string
  readonly topic: string
  readonly event?: Any | undefined
}): Envelope => ({
  timestamp: dateOf(message.timestamp),
  namespace: message.namespace,
  topic: message.topic,
  event: eventOf(message.topic, message.event),
})
