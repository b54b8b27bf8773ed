import { create } from '@bufbuild/protobuf'
import type { Any } from '@bufbuild/protobuf/wkt'
import { EmptySchema } from '@bufbuild/protobuf/wkt'
import { OrlopError } from '../errors.ts'
import { pack, unpack } from './any.ts'
import { StreamInitSchema, Streaming } from './gen/containerd/services/streaming/v1/streaming_pb.ts'
import { namespaceOf, type ServiceParts, scopeOf } from './parts.ts'
import { type Call, type Service, service } from './rpc.ts'
import type { Streams } from './streams.ts'

/** The service of streams that other calls name. @see containerd plugins/services/streaming */
export const streamingService = (parts: ServiceParts, streams: Streams): Service =>
  service(Streaming, { stream: (messages, call) => carry(parts, streams, messages, call) })

async function* carry(
  parts: ServiceParts,
  streams: Streams,
  messages: AsyncIterator<Any>,
  call: Call,
): AsyncGenerator<Any, void, undefined> {
  scopeOf(parts, call)
  const first = await messages.next()
  if (first.done) throw new OrlopError('INVALID_ARGUMENT', 'stream: the first message must be a StreamInit')
  const { id } = unpack(StreamInitSchema, first.value)
  using stream = streams.add(namespaceOf(call), id, messages)
  const close = (): void => stream.close()
  for (const signal of [call.signal, call.closing]) signal.addEventListener('abort', close)
  try {
    // The client uses the id only after this.
    yield pack(EmptySchema, create(EmptySchema))
    yield* stream.sent()
  } finally {
    for (const signal of [call.signal, call.closing]) signal.removeEventListener('abort', close)
  }
}
