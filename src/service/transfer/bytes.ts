import { create } from '@bufbuild/protobuf'
import { OrlopError } from '../../errors.ts'
import { pack, unpack } from '../any.ts'
import { DataSchema, WindowUpdateSchema } from '../gen/containerd/types/transfer/streaming_pb.ts'
import { orAborted } from '../or-aborted.ts'
import type { Call } from '../rpc.ts'
import type { Stream } from '../streams.ts'

/** Bytes that the other side is let send at a time. */
const windowSize = 64 * 1024

/** Bytes of one message. */
const maxData = 32 * 1024

/**
 * What a client sends on a stream, as bytes. It sends no more than it was let; its end says nothing of whether that was all.
 *
 * @see containerd core/transfer/streaming, ReceiveStream
 */
export async function* receiveBytes(
  stream: Stream,
  { signal }: Call,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (let window = 0; ; ) {
    if (window < windowSize) {
      const update = create(WindowUpdateSchema, { update: windowSize })
      // A client that has sent all needs no more room; what it has sent is read all the same.
      await orAborted(stream.send(pack(WindowUpdateSchema, update)), signal)
      window += windowSize
    }
    const message = await orAborted(stream.receive(), signal)
    if (message === undefined) return
    const { data } = unpack(DataSchema, message)
    window -= data.byteLength
    if (data.byteLength > 0) yield data
  }
}

/**
 * Sends bytes on a stream, as fast as the client lets it.
 *
 * @throws CANCELED  the client has ended its side before it had all
 * @see containerd core/transfer/streaming, SendStream
 */
export async function sendBytes(
  stream: Stream,
  bytes: AsyncIterable<Uint8Array>,
  { signal }: Call,
): Promise<void> {
  let window = 0
  for await (const chunk of bytes) {
    for (let at = 0; at < chunk.byteLength; ) {
      while (window <= 0) window += await nextUpdate(stream, signal)
      const data = chunk.subarray(at, at + Math.min(maxData, window))
      const sent = await orAborted(stream.send(pack(DataSchema, create(DataSchema, { data }))), signal)
      if (!sent) throw hasLeft()
      at += data.byteLength
      window -= data.byteLength
    }
  }
}

async function nextUpdate(stream: Stream, signal: AbortSignal): Promise<number> {
  const message = await orAborted(stream.receive(), signal)
  if (message === undefined) throw hasLeft()
  return Math.max(0, unpack(WindowUpdateSchema, message).update)
}

const hasLeft = (): OrlopError =>
  new OrlopError('CANCELED', 'transfer: the client has ended its stream before all was sent')
