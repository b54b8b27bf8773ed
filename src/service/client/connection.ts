import {
  create,
  type DescMessage,
  type DescMethodBiDiStreaming,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf'
import {
  Client,
  type ClientDuplexStream,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from '@grpc/grpc-js'
import { OrlopError } from '../../errors.ts'
import type { AbortOptions } from '../../options.ts'
import { withFate } from '../fate.ts'
import { callWindow, maxMessageSize } from '../limits.ts'
import { headersOf } from '../parts.ts'
import { socketPath } from '../socket.ts'
import { fromStatus, originalTrailer } from '../status.ts'
import { definitionOf } from './definition.ts'

/** The namespace and lease that calls are made in; without namespace, in none. */
export interface Place {
  readonly namespace?: string | undefined
  readonly lease?: string | undefined
}

type Messages<O> = AsyncGenerator<O, void, undefined>

/** Calls of a service on a unix socket; connects with the first one. */
export class Connection implements Disposable {
  readonly address: string
  readonly #client: Client
  readonly #cancels = new Set<() => void>()

  /** @throws INVALID_ARGUMENT  an address that is no path of a socket */
  constructor(address: string) {
    this.address = socketPath(address)
    this.#client = new Client(`unix:${this.address}`, credentials.createInsecure(), {
      'grpc.max_receive_message_length': maxMessageSize,
      'grpc.max_send_message_length': maxMessageSize,
      'grpc.enable_http_proxy': 0,
      'grpc-node.flow_control_window': callWindow,
      // Each connection ends with its owner, and is not one of a pool.
      'grpc.use_local_subchannel_pool': 1,
    })
  }

  /** One message for one message. @throws as the service says; its codes are ours */
  unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    { signal, ...place }: Place & AbortOptions,
  ): Promise<MessageShape<O>> {
    const { path, requestSerialize, responseDeserialize } = definitionOf<I, O>(method)
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted()
      const message = create(method.input, request)
      const settle = (error: ServiceError | null, response?: MessageShape<O>): void => {
        signal?.removeEventListener('abort', cancel)
        this.#cancels.delete(cancel)
        if (error !== null) reject(this.#failure(error, signal))
        else if (response === undefined) reject(new OrlopError('INTERNAL', `${path}: no answer`))
        else resolve(response)
      }
      const metadata = metadataOf(place)
      const call = this.#client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        message,
        metadata,
        settle,
      )
      const cancel = (): void => call.cancel()
      signal?.addEventListener('abort', cancel)
      this.#cancels.add(cancel)
    })
  }

  /** One message for many; the call begins now, and ends when the iteration does. */
  stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
    { signal, ...place }: Place & AbortOptions,
  ): Messages<MessageShape<O>> {
    const { path, requestSerialize, responseDeserialize } = definitionOf<I, O>(method)
    const message = create(method.input, request)
    const metadata = metadataOf(place)
    const call = this.#client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      message,
      metadata,
    )
    return this.#messages(call, () => call.cancel(), { signal })
  }

  /** Many messages for many. */
  duplex<I extends DescMessage, O extends DescMessage>(
    method: DescMethodBiDiStreaming<I, O>,
    { signal, ...place }: Place & AbortOptions,
  ): Duplex<MessageInitShape<I>, MessageShape<O>> {
    const { path, requestSerialize, responseDeserialize } = definitionOf<I, O>(method)
    const call: ClientDuplexStream<MessageShape<I>, MessageShape<O>> = this.#client.makeBidiStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      metadataOf(place),
    )
    return {
      send: message => void call.write(create(method.input, message)),
      end: () => void call.end(),
      cancel: () => call.cancel(),
      messages: this.#messages(call, () => call.cancel(), { signal }),
    }
  }

  /** Listens to the call from now on, also while nobody iterates: an error that came before is thrown by the first step. */
  #messages<O>(
    call: AsyncIterable<O> & NodeJS.EventEmitter,
    cancel: () => void,
    { signal }: AbortOptions,
  ): Messages<O> {
    let failed: Error | undefined
    const cancels = this.#cancels.add(cancel)
    call.on('end', () => cancels.delete(cancel))
    call.on('error', error => {
      failed = error
    })
    signal?.addEventListener('abort', cancel)
    if (signal?.aborted) cancel()
    const failure = (error: unknown): unknown => this.#failure(error, signal)
    return (async function* () {
      try {
        signal?.throwIfAborted()
        if (failed !== undefined) throw failed
        yield* call
      } catch (error) {
        throw failure(error)
      } finally {
        signal?.removeEventListener('abort', cancel)
        cancels.delete(cancel)
        cancel()
      }
    })()
  }

  #failure(error: unknown, signal: AbortSignal | undefined): unknown {
    if (signal?.aborted) return signal.reason
    if (!isServiceError(error)) return error
    const [original] = error.metadata?.get(originalTrailer) ?? []
    const [, errno] = /\bconnect (E[A-Z]+)/.exec(error.details) ?? []
    if (errno !== undefined && original === undefined) return this.#unreachable(errno, error)
    const ours = fromStatus(
      { code: error.code, message: error.details, original: original?.toString() },
      { cause: error },
    )
    return original === undefined && isBroken(error) ? withFate(ours, 'lost') : ours
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
    for (const cancel of this.#cancels) cancel()
    this.#client.close()
  }
}

/** Both ways of a call. */
export interface Duplex<I, O> {
  send(message: I): void
  /** Nothing more is sent. */
  end(): void
  cancel(): void
  readonly messages: Messages<O>
}

/** True for what gRPC itself says when a connection ends under a call, or is ended by the other side. */
const isBroken = ({ code, details }: ServiceError): boolean =>
  code === status.UNAVAILABLE ||
  code === status.CANCELLED ||
  (code === status.INTERNAL && /RST_STREAM|connection/i.test(details))

const isServiceError = (error: unknown): error is ServiceError =>
  error instanceof Error && 'code' in error && typeof error.code === 'number' && 'details' in error

function metadataOf({ namespace, lease }: Place): Metadata {
  const metadata = new Metadata()
  if (namespace === undefined) return metadata
  for (const [name, value] of Object.entries(headersOf(namespace, lease))) metadata.set(name, value)
  return metadata
}
