import { type DescMessage, type DescMethod, type MessageShape, toBinary } from '@bufbuild/protobuf'
import type { MethodDefinition } from '@grpc/grpc-js'
import { decode, pathOf } from '../rpc.ts'

/** A method as the client of gRPC needs it: its path, its kind, and its messages as bytes. */
export function definitionOf<I extends DescMessage, O extends DescMessage>(
  method: DescMethod & { readonly input: I; readonly output: O },
): MethodDefinition<MessageShape<I>, MessageShape<O>> {
  const { input, output, methodKind } = method
  return {
    path: pathOf(method),
    requestStream: methodKind === 'client_streaming' || methodKind === 'bidi_streaming',
    responseStream: methodKind === 'server_streaming' || methodKind === 'bidi_streaming',
    requestSerialize: message => encode(input, message),
    requestDeserialize: bytes => decode(input, bytes),
    responseSerialize: message => encode(output, message),
    responseDeserialize: bytes => decode(output, bytes),
  }
}

const encode = <D extends DescMessage>(desc: D, message: MessageShape<D>): Buffer => {
  const { buffer, byteOffset, byteLength } = toBinary(desc, message)
  return Buffer.from(buffer, byteOffset, byteLength)
}
