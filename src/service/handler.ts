import type { DescMethod } from '@bufbuild/protobuf'
import {
  type handleBidiStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  type ServerDuplexStream,
  type ServerWritableStream,
  type StatusObject,
} from '@grpc/grpc-js'
import { OrlopError } from '../errors.ts'
import { orAborted } from './or-aborted.ts'
import { type Call, messageOf, type Service } from './rpc.ts'
import type { Running } from './running.ts'
import { originalTrailer, toStatus } from './status.ts'

type Handler =
  | handleUnaryCall<unknown, unknown>
  | handleServerStreamingCall<unknown, unknown>
  | handleBidiStreamingCall<unknown, unknown>

/** Told of what went wrong in a call and is no error of ours; the client only hears "unknown error". */
export type OnUnexpected = (method: string, error: unknown) => void

/** What handlers share. */
export interface HandlerOptions {
  readonly onUnexpected: OnUnexpected
  readonly running: Running
}

/** A service's methods as gRPC calls them, by their local names. */
export function handlersOf(
  { desc, methods }: Service,
  options: HandlerOptions,
): Readonly<Record<string, Handler>> {
  return Object.fromEntries(
    desc.methods.map(method => {
      const work = methods[method.localName] ?? unimplemented(method)
      return [method.localName, handlerOf(method, work, options)]
    }),
  )
}

const unimplemented = (method: DescMethod) => (): never => {
  throw new OrlopError(
    'UNIMPLEMENTED',
    `${method.parent.typeName}/${method.name}: this service has no such method`,
  )
}

function handlerOf(method: DescMethod, work: unknown, { onUnexpected, running }: HandlerOptions): Handler {
  const name = `${method.parent.typeName}/${method.name}`
  const failure = (error: unknown): Pick<StatusObject, 'code' | 'details' | 'metadata'> => {
    const { code, message, original } = toStatus(error)
    if (code === unknown) onUnexpected(name, error)
    const metadata = new Metadata()
    if (original !== undefined) metadata.set(originalTrailer, Buffer.from(original))
    return { code, details: message, metadata }
  }
  const output = (value: unknown): unknown => messageOf(method.output, value)
  const start = (stream: Answering, run: (call: Call) => AsyncIterable<unknown>): void =>
    running.add(answer(stream, callOf(stream, running), { run, output, failure }))
  switch (method.methodKind) {
    case 'unary': {
      const run = work as (request: unknown, call: Call) => Promise<unknown> // by `Methods`, as the two below
      return (call, callback) => {
        const answered = (async () => run(call.request, callOf(call, running)))().then(
          value => callback(null, output(value)),
          (error: unknown) => callback(failure(error)),
        )
        running.add(answered.catch(error => onUnexpected(name, error)))
      }
    }
    case 'server_streaming': {
      const run = work as (request: unknown, call: Call) => AsyncIterable<unknown>
      return (stream: ServerWritableStream<unknown, unknown>) =>
        start(stream, call => run(stream.request, call))
    }
    case 'bidi_streaming': {
      const run = work as (requests: AsyncIterator<unknown>, call: Call) => AsyncIterable<unknown>
      return (stream: ServerDuplexStream<unknown, unknown>) =>
        start(stream, call => run(requestsOf(stream, call.signal), call))
    }
    default:
      throw new OrlopError('INTERNAL', `${name}: no service here takes a stream and gives one message`)
  }
}

const unknown = 2

/** A call as methods see it. */
function callOf(
  call: { readonly metadata: Metadata; on(event: 'cancelled', listener: () => void): unknown },
  { closing }: Running,
): Call {
  const controller = new AbortController()
  call.on('cancelled', () => controller.abort(new DOMException('the call was cancelled', 'AbortError')))
  return {
    signal: controller.signal,
    closing: closing.signal,
    header: name => call.metadata.get(name)[0]?.toString() ?? '',
  }
}

type Answering = ServerWritableStream<unknown, unknown> | ServerDuplexStream<unknown, unknown>

interface Answer {
  run(call: Call): AsyncIterable<unknown>
  output(value: unknown): unknown
  failure(error: unknown): object
}

/** Sends what comes, each message when the one before has left, and the status in the end. Never rejects. */
async function answer(stream: Answering, call: Call, { run, output, failure }: Answer): Promise<void> {
  try {
    for await (const value of run(call)) await send(stream, output(value), call.signal)
    stream.end()
  } catch (error) {
    // The client has gone: nobody is left to tell.
    if (call.signal.aborted) return
    stream.emit('error', failure(error))
  }
}

/** Resolves when the client has room for more, so that one that never reads keeps one message and not all. */
async function send(stream: Answering, message: unknown, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  const sent = new Promise<void>((resolve, reject) => {
    stream.write(message, (error: Error | null | undefined) => (error ? reject(error) : resolve()))
  })
  await orAborted(sent, signal)
}

/** What the client sends, one at a time, to its half-close. Leaving it early leaves the answers' side open. */
function requestsOf(
  stream: ServerDuplexStream<unknown, unknown>,
  signal: AbortSignal,
): AsyncIterator<unknown> {
  const messages: AsyncIterator<unknown> = stream.iterator({ destroyOnReturn: false })
  return {
    async next() {
      try {
        return await messages.next()
      } catch (error) {
        signal.throwIfAborted()
        throw error
      }
    },
    async return() {
      await messages.return?.()
      return { done: true, value: undefined }
    },
  }
}
