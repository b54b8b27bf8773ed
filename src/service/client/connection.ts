import net from 'node:net'
import {
  create,
  type DescMessage,
  type DescMethod,
  type DescMethodBiDiStreaming,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf'
import { OrlopError } from '../../errors.ts'
import type { AbortOptions } from '../../options.ts'
import { withFate } from '../fate.ts'
import { CallError } from '../grpc/call-error.ts'
import { GrpcClient } from '../grpc/client.ts'
import type { ClientCall } from '../grpc/client-call.ts'
import { answerWindow, maxMessageSize } from '../limits.ts'
import { headersOf } from '../parts.ts'
import { decode, Encoded, pathOf } from '../rpc.ts'
import { socketPath } from '../socket.ts'
import { fromStatus, originalTrailer } from '../status.ts'

/** The namespace and lease that calls are made in; without namespace, in none. */
export interface Place {
  readonly namespace?: string | undefined
  readonly lease?: string | undefined
}

type Messages<O> = AsyncGenerator<O, void, undefined>

/** Calls of a service on a unix socket; connects with the first one. */
export class Connection implements Disposable {
  readonly address: string
  readonly #client: GrpcClient
  readonly #calls = new Set<ClientCall>()

  /** @throws INVALID_ARGUMENT  an address that is no path of a socket */
  constructor(address: string) {
    this.address = socketPath(address)
    this.#client = new GrpcClient(() => net.connect(this.address), {
      message: maxMessageSize,
      window: answerWindow,
    })
  }

  /** One message for one message. @throws as the service says; its codes are ours */
  async unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    { signal, ...place }: Place & AbortOptions,
  ): Promise<MessageShape<O>> {
    signal?.throwIfAborted()
    const parts = encode(method.input, request)
    const call = this.#begin(method, place)
    const cancel = (): void => call.cancel()
    signal?.addEventListener('abort', cancel)
    try {
      call.sendLast(parts)
      const answer = await call.receive()
      // The second look is for the status, without which there is no answer.
      if (answer === undefined || (await call.receive()) !== undefined) {
        const what = answer === undefined ? 'there is no answer' : 'there is more than one answer'
        throw new OrlopError('INTERNAL', `${pathOf(method)}: ${what}`)
      }
      return decodeAnswer(method, answer)
    } catch (error) {
      throw this.#failure(error, signal)
    } finally {
      signal?.removeEventListener('abort', cancel)
      this.#end(call)
    }
  }

  /** One message for many; the call begins now, and ends when the iteration does. */
  stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
    { signal, ...place }: Place & AbortOptions,
  ): Messages<MessageShape<O>> {
    const parts = encode(method.input, request)
    const call = this.#begin(method, place)
    call.sendLast(parts)
    return this.#messages(method, call, { signal })
  }

  /** Many messages for many. */
  duplex<I extends DescMessage, O extends DescMessage>(
    method: DescMethodBiDiStreaming<I, O>,
    { signal, ...place }: Place & AbortOptions,
  ): Duplex<MessageInitShape<I> | Encoded, MessageShape<O>> {
    const call = this.#begin(method, place)
    return {
      send: message => call.send(encode(method.input, message)),
      end: () => call.end(),
      cancel: () => call.cancel(),
      messages: this.#messages(method, call, { signal }),
    }
  }

  #begin(method: DescMethod, { namespace, lease }: Place): ClientCall {
    const headers = namespace === undefined ? {} : headersOf(namespace, lease)
    const call = this.#client.call(pathOf(method), headers)
    this.#calls.add(call)
    return call
  }

  /** Cancels what has not ended by itself. */
  #end(call: ClientCall): void {
    this.#calls.delete(call)
    call.cancel()
  }

  /** The signal counts from now on, also while nobody iterates. */
  #messages<O extends DescMessage>(
    method: DescMethod & { readonly output: O },
    call: ClientCall,
    { signal }: AbortOptions,
  ): Messages<MessageShape<O>> {
    const cancel = (): void => call.cancel()
    signal?.addEventListener('abort', cancel)
    if (signal?.aborted) cancel()
    const end = (): void => {
      signal?.removeEventListener('abort', cancel)
      this.#end(call)
    }
    const failure = (error: unknown): unknown => this.#failure(error, signal)
    return (async function* () {
      try {
        signal?.throwIfAborted()
        for (let message = await call.receive(); message !== undefined; message = await call.receive()) {
          yield decodeAnswer(method, message)
        }
      } catch (error) {
        throw failure(error)
      } finally {
        end()
      }
    })()
  }

  #failure(error: unknown, signal: AbortSignal | undefined): unknown {
    if (signal?.aborted) return signal.reason
    if (!(error instanceof CallError)) return error
    const errno = errnoOf(error.cause)
    if (errno !== undefined && error.fate === 'unsent') return this.#unreachable(errno, error)
    const original = error.binary(originalTrailer)
    const { code, message, fate } = error
    const ours = fromStatus({ code, message, original }, { cause: error })
    if (fate !== undefined) return withFate(ours, fate)
    return original === undefined && isBroken(code) ? withFate(ours, 'lost') : ours
  }

  #unreachable(errno: string, cause: Error): OrlopError {
    if (errno === 'EACCES' || errno === 'EPERM') {
      return new OrlopError('PERMISSION_DENIED', `socket ${this.address}: permission denied`, { cause })
    }
    const why = errno === 'ENOENT' ? 'there is no such socket' : `nobody listens there (${errno})`
    const way = 'start "orlop serve", or correct --address'
    return withFate(
      new OrlopError('UNAVAILABLE', `socket ${this.address}: ${why}; ${way}`, { cause }),
      'unsent',
    )
  }

  /** Calls that are open are cancelled. */
  [Symbol.dispose](): void {
    for (const call of this.#calls) call.cancel()
    this.#client[Symbol.dispose]()
  }
}

/** Both ways of a call. */
export interface Duplex<I, O> {
  /** Resolves when there is room for more. @throws RESOURCE_EXHAUSTED  the message is over its limit */
  send(message: I): Promise<void>
  /** Nothing more is sent. */
  end(): void
  cancel(): void
  readonly messages: Messages<O>
}

/** True for what a service's own gRPC says when it ends beneath a call; one of ours would give its text beside it. */
const isBroken = (code: number): boolean => code === canceled || code === unavailable

const canceled = 1
const unavailable = 14

const errnoOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && 'syscall' in error ? String(error.code) : undefined

function encode<D extends DescMessage>(
  desc: D,
  message: MessageInitShape<D> | Encoded,
): readonly Uint8Array[] {
  return message instanceof Encoded ? message.parts : [toBinary(desc, create(desc, message))]
}

function decodeAnswer<O extends DescMessage>(
  method: DescMethod & { readonly output: O },
  bytes: Uint8Array,
): MessageShape<O> {
  try {
    return decode(method.output, bytes)
  } catch (cause) {
    const what = `${pathOf(method)}: the answer is no ${method.output.typeName}`
    throw new OrlopError('INTERNAL', what, { cause })
  }
}
