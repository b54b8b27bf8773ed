import {
  create,
  type DescMessage,
  type DescMethod,
  type DescMethodBiDiStreaming,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type DescService,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf'
import type { MethodDefinition } from '@grpc/grpc-js'

/** What a method knows of the call beside its message. */
export interface Call {
  /** Fires when the client cancels, goes away, or its deadline passes. */
  readonly signal: AbortSignal
  /** Fires when the server begins to end: a call that would go on for ever must stop. */
  readonly closing: AbortSignal
  /** The first value of a header, or `''`. */
  header(name: string): string
}

/** One method: a function from messages to messages; a stream is an iterable. */
export type Method<D> =
  D extends DescMethodUnary<infer I, infer O>
    ? (request: MessageShape<I>, call: Call) => Promise<MessageInitShape<O>>
    : D extends DescMethodServerStreaming<infer I, infer O>
      ? (request: MessageShape<I>, call: Call) => AsyncIterable<MessageInitShape<O>>
      : D extends DescMethodBiDiStreaming<infer I, infer O>
        ? (requests: AsyncIterator<MessageShape<I>>, call: Call) => AsyncIterable<MessageInitShape<O>>
        : never

/** The methods of a service; those that are left out answer UNIMPLEMENTED. */
export type Methods<S extends DescService> = { readonly [K in keyof S['method']]?: Method<S['method'][K]> }

/** A service with its methods, their types forgotten, for the server. */
export interface Service {
  readonly desc: DescService
  readonly methods: Readonly<Record<string, unknown>>
}

/** Ties methods to the service they implement; the compiler holds them to its messages. */
export const service = <S extends DescService>(desc: S, methods: Methods<S>): Service => ({ desc, methods })

/** A method as gRPC needs it, for either side: its path, its kind, and its messages as bytes. */
export function definitionOf<I extends DescMessage, O extends DescMessage>(
  method: DescMethod & { readonly input: I; readonly output: O },
): MethodDefinition<MessageShape<I>, MessageShape<O>> {
  const { input, output, methodKind } = method
  return {
    path: `/${method.parent.typeName}/${method.name}`,
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

const decode = <D extends DescMessage>(desc: D, bytes: Uint8Array): MessageShape<D> =>
  fromBinary(desc, bytes, { readUnknownFields: false })

/** A message out of its parts, for methods that were found by name. */
export const messageOf = (desc: DescMessage, init: unknown): MessageShape<DescMessage> =>
  create(desc, init as MessageInitShape<DescMessage>) // `Methods` holds its functions to this type
