import type { DescMethod } from '@bufbuild/protobuf'
import { OrlopError } from '../errors.ts'
import { bytesOf } from './grpc/frame.ts'
import type { Route } from './grpc/server.ts'
import type { CallEnd, CallStream } from './grpc/stream.ts'
import { type Call, decode, type Encoded, encodeAnswer, pathOf, type Service } from './rpc.ts'
import type { Running } from './running.ts'
import { originalTrailer, toStatus } from './status.ts'

/** Told of what went wrong in a call and is no error of ours; the client only hears "unknown error". */
export type OnUnexpected = (method: string, error: unknown) => void

/** What handlers share. */
export interface HandlerOptions {
  readonly onUnexpected: OnUnexpected
  readonly running: Running
  /** Bytes that one answer may have. */
  readonly maxMessage: number
}

/** The methods of services by their paths. */
export const routesOf = (services: readonly Service[], options: HandlerOptions): ReadonlyMap<string, Route> =>
  new Map(
    services.flatMap(({ desc, methods }) =>
      desc.methods.map(method => {
        const work = methods[method.localName] ?? unimplemented(method)
        return [pathOf(method), routeOf(method, work, options)] as const
      }),
    ),
  )

const unimplemented = (method: DescMethod) => (): never => {
  throw new OrlopError(
    'UNIMPLEMENTED',
    `${method.parent.typeName}/${method.name}: this service has no such method`,
  )
}

function routeOf(method: DescMethod, work: unknown, options: HandlerOptions): Route {
  const { running, onUnexpected } = options
  const answer = answerOf(method, work, options)
  const name = `${method.parent.typeName}/${method.name}`
  return stream => {
    const done = answer(stream, callOf(stream, running)).then(
      last => stream.end({ code: 0 }, last),
      (error: unknown) => {
        // The client has gone: nobody is left to tell.
        if (stream.signal.aborted) return
        const end = endOf(error)
        if (end.code === unknown) onUnexpected(name, error)
        stream.end(end)
      },
    )
    running.add(done)
    return done
  }
}

const unknown = 2

function endOf(error: unknown): CallEnd {
  const { code, message, original } = toStatus(error)
  const trailers = original && { [originalTrailer]: Buffer.from(original).toString('base64') }
  return { code, message, ...(trailers && { trailers }) }
}

/** Gives the last message, if it is not sent yet. */
type Answer = (stream: CallStream, call: Call) => Promise<readonly Uint8Array[]>

function answerOf(method: DescMethod, work: unknown, { maxMessage }: HandlerOptions): Answer {
  const { input, output, methodKind } = method
  const name = `${method.parent.typeName}/${method.name}`
  const encode = (value: unknown): Encoded => checkSize(encodeAnswer(output, value), maxMessage)
  const read = (bytes: Buffer): unknown => {
    try {
      return decode(input, bytes)
    } catch (cause) {
      throw new OrlopError('INTERNAL', `${name}: the message is no ${input.typeName}`, { cause })
    }
  }
  const only = async (stream: CallStream): Promise<unknown> => {
    const message = await stream.receive()
    if (message === undefined) throw new OrlopError('INTERNAL', `${name}: there is no message`)
    return read(message)
  }
  const sendAll = async (stream: CallStream, values: AsyncIterable<unknown>): Promise<[]> => {
    for await (const value of values) {
      const { parts, onSent } = encode(value)
      await stream.send(parts, onSent)
    }
    return []
  }
  switch (methodKind) {
    case 'unary': {
      const run = work as (request: unknown, call: Call) => Promise<unknown> // by `Methods`, as the two below
      return async (stream, call) => encode(await run(await only(stream), call)).parts
    }
    case 'server_streaming': {
      const run = work as (request: unknown, call: Call) => AsyncIterable<unknown>
      return async (stream, call) => sendAll(stream, run(await only(stream), call))
    }
    case 'bidi_streaming': {
      const run = work as (requests: AsyncIterator<unknown>, call: Call) => AsyncIterable<unknown>
      return async (stream, call) => sendAll(stream, run(requestsOf(stream, read), call))
    }
    default:
      throw new OrlopError('INTERNAL', `${name}: no service here takes a stream and gives one message`)
  }
}

function checkSize(message: Encoded, limit: number): Encoded {
  const bytes = bytesOf(message.parts)
  if (bytes <= limit) return message
  throw new OrlopError('RESOURCE_EXHAUSTED', `message: has ${bytes} bytes, of which ${limit} can be sent`)
}

const callOf = (stream: CallStream, { closing }: Running): Call => ({
  signal: stream.signal,
  closing: closing.signal,
  header: name => stream.header(name),
  reuse: buffers => stream.reuse(buffers),
})

/** What the client sends, one at a time, to its half-close. */
const requestsOf = (stream: CallStream, read: (bytes: Buffer) => unknown): AsyncIterator<unknown> => ({
  async next() {
    const message = await stream.receive()
    return message === undefined ? { done: true, value: undefined } : { done: false, value: read(message) }
  },
})
