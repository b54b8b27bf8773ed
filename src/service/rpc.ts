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
import type { Buffers } from '../content/buffers.ts'

/** What a method knows of the call beside its message. */
export interface Call {
  /** Fires when the client cancels, goes away, or its deadline passes. */
  readonly signal: AbortSignal
  /** Fires when the server begins to end: a call that would go on for ever must stop. */
  readonly closing: AbortSignal
  /** The first value of a header, or `''`. */
  header(name: string): string
  /** From here on requests may be in memory of `buffers`: each is good until the next one is asked for. */
  reuse(buffers: Buffers): void
}

/** One method: a function from messages to messages; a stream is an iterable. */
export type Method<D> =
  D extends DescMethodUnary<infer I, infer O>
    ? (request: MessageShape<I>, call: Call) => Promise<MessageInitShape<O>>
    : D extends DescMethodServerStreaming<infer I, infer O>
      ? (request: MessageShape<I>, call: Call) => AsyncIterable<MessageInitShape<O> | Encoded>
      : D extends DescMethodBiDiStreaming<infer I, infer O>
        ? (
            requests: AsyncIterator<MessageShape<I>>,
            call: Call,
          ) => AsyncIterable<MessageInitShape<O> | Encoded>
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

/** A message whose bytes are made already: large ones, that would be copied twice otherwise. */
export class Encoded {
  readonly parts: readonly Uint8Array[]
  /** Called when the bytes have left this process; never, when they have not. */
  readonly onSent: (() => void) | undefined

  constructor(parts: readonly Uint8Array[], onSent?: () => void) {
    this.parts = parts
    this.onSent = onSent
  }
}

/** The path of a method. */
export const pathOf = ({ parent, name }: DescMethod): string => `/${parent.typeName}/${name}`

/** A message out of its bytes; what is not known in them is dropped. */
export const decode = <D extends DescMessage>(desc: D, bytes: Uint8Array): MessageShape<D> =>
  fromBinary(desc, bytes, { readUnknownFields: false })

/** The bytes of an answer, of methods that were found by name. */
export const encodeAnswer = (desc: DescMessage, answer: unknown): Encoded =>
  answer instanceof Encoded
    ? answer
    : new Encoded([toBinary(desc, create(desc, answer as MessageInitShape<DescMessage>))]) // `Methods` holds its functions to this type
