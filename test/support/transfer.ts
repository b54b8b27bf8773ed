import { create, type MessageInitShape } from '@bufbuild/protobuf'
import type { Any } from '@bufbuild/protobuf/wkt'
import { pack, unpack } from '../../src/service/any.ts'
import { Connection, type Duplex } from '../../src/service/client/connection.ts'
import {
  StreamInitSchema,
  Streaming,
} from '../../src/service/gen/containerd/services/streaming/v1/streaming_pb.ts'
import { Transfer } from '../../src/service/gen/containerd/services/transfer/v1/transfer_pb.ts'
import { ImageStoreSchema } from '../../src/service/gen/containerd/types/transfer/imagestore_pb.ts'
import {
  ImageExportStreamSchema,
  ImageImportStreamSchema,
} from '../../src/service/gen/containerd/types/transfer/importexport_pb.ts'
import { ProgressSchema } from '../../src/service/gen/containerd/types/transfer/progress_pb.ts'
import {
  OCIRegistrySchema,
  type RegistryResolverSchema,
} from '../../src/service/gen/containerd/types/transfer/registry_pb.ts'
import {
  DataSchema,
  WindowUpdateSchema,
} from '../../src/service/gen/containerd/types/transfer/streaming_pb.ts'
import { openRemote, type Remote } from './remote.ts'
import type { Teardown } from './tmp.ts'

/** A client of the transfer service, as containerd's own is one. */
export interface TransferClient extends Remote {
  readonly connection: Connection
  readonly scope: ReturnType<Remote['served']['scope']>
  /** Opens a stream: named, and acknowledged. */
  stream(id: string): Promise<Duplex<Any, Any>>
  transfer(source: Any, destination: Any, progressStream?: string): Promise<unknown>
}

/** The namespace of a `TransferClient`. */
export const place = { namespace: 'test' }

/** A service over a store in memory, and a client. */
export async function openTransfer(t: Teardown): Promise<TransferClient> {
  const remote = await openRemote(t)
  const connection = new Connection(remote.address)
  t.teardown(() => connection[Symbol.dispose]())
  return {
    ...remote,
    connection,
    scope: remote.served.scope('test'),
    stream: async id => {
      const stream = connection.duplex(Streaming.method.stream, place)
      stream.send(pack(StreamInitSchema, create(StreamInitSchema, { id })))
      await stream.messages.next()
      return stream
    },
    transfer: (source, destination, progressStream = '') => {
      const request = { source, destination, options: { progressStream } }
      return connection.unary(Transfer.method.transfer, request, place)
    },
  }
}

/** An image in a registry. */
export const registry = (
  reference: string,
  resolver: MessageInitShape<typeof RegistryResolverSchema> = {},
): Any => pack(OCIRegistrySchema, create(OCIRegistrySchema, { reference, resolver }))

/** An image in the store. */
export const store = (init: MessageInitShape<typeof ImageStoreSchema>): Any =>
  pack(ImageStoreSchema, create(ImageStoreSchema, init))

/** An archive that the client sends. */
export const archiveIn = (init: MessageInitShape<typeof ImageImportStreamSchema>): Any =>
  pack(ImageImportStreamSchema, create(ImageImportStreamSchema, init))

/** An archive that the client is sent. */
export const archiveOut = (init: MessageInitShape<typeof ImageExportStreamSchema>): Any =>
  pack(ImageExportStreamSchema, create(ImageExportStreamSchema, init))

/** Sends bytes as the service lets it, and ends; gives the greatest window that it had. */
export async function sendAll(stream: Duplex<Any, Any>, bytes: Uint8Array): Promise<number> {
  let window = 0
  let greatest = 0
  for (let at = 0; at < bytes.byteLength; ) {
    while (window <= 0) {
      const { value, done } = await stream.messages.next()
      if (done) return greatest
      window += unpack(WindowUpdateSchema, value).update
      greatest = Math.max(greatest, window)
    }
    const data = bytes.subarray(at, at + Math.min(32_768, window))
    stream.send(pack(DataSchema, create(DataSchema, { data })))
    at += data.byteLength
    window -= data.byteLength
  }
  stream.end()
  return greatest
}

/** Takes bytes up to the end of a stream, letting the service send `step` at a time; gives them and their messages' sizes. */
export async function receiveAll(stream: Duplex<Any, Any>, step = 65_536) {
  const update = pack(WindowUpdateSchema, create(WindowUpdateSchema, { update: step }))
  const pieces: Uint8Array[] = []
  let window = step
  stream.send(update)
  for await (const message of stream.messages) {
    const { data } = unpack(DataSchema, message)
    pieces.push(data)
    window -= data.byteLength
    if (window > 0) continue
    stream.send(update)
    window += step
  }
  return { bytes: Buffer.concat(pieces), sizes: pieces.map(({ byteLength }) => byteLength) }
}

/** What progress tells, a line each, to its end. */
export async function progressOn(stream: Duplex<Any, Any>): Promise<readonly string[]> {
  const events: string[] = []
  for await (const message of stream.messages) {
    const { event, name, parents } = unpack(ProgressSchema, message)
    events.push(parents.length > 0 ? `${parents.join()} > ${name}: ${event}` : `${name}: ${event}`)
  }
  return events
}
