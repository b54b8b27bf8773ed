import type { Readable } from 'node:stream'
import type { AbortOptions } from '../../options.ts'
import { type HttpRequest, isStreamed } from './http.ts'

/** What undici is given of a request's body. */
export interface Outgoing extends AbortOptions {
  readonly body: string | Uint8Array | Readable | null
}

/**
 * The body of a request as undici takes it, and the signal that ends it: `signal`, or of a stream also that the other
 * side has taken nothing for `idleMs` milliseconds.
 */
export function outgoing({ body }: HttpRequest, idleMs: number, { signal }: AbortOptions): Outgoing {
  if (!isStreamed(body)) return { body: body ?? null, signal }
  const stalled = new AbortController()
  const stall = (): void =>
    stalled.abort(Object.assign(new Error('the body is not taken'), { code: 'ORLOP_STALLED' }))
  const chunks = watched(body.chunks, idleMs, stall)
  return {
    // undici takes iterables too, which its types do not say; that spares a stream around each.
    body: chunks as unknown as Readable,
    signal: signal ? AbortSignal.any([signal, stalled.signal]) : stalled.signal,
  }
}

async function* watched(
  chunks: AsyncIterable<Uint8Array>,
  idleMs: number,
  stall: () => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    // The next chunk is asked for when the system has taken this one. In two halves: when this process has been busy
    // itself, the second begins after it has looked at its sockets.
    let timer = setTimeout(() => {
      timer = setTimeout(stall, idleMs / 2)
    }, idleMs / 2)
    try {
      yield chunk
    } finally {
      clearTimeout(timer)
    }
  }
}
