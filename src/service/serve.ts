import net from 'node:net'
import type { AbortOptions } from '../options.ts'
import { maxConnections } from './limits.ts'
import type { ServiceParts } from './parts.ts'
import type { ServiceServer } from './server.ts'
import { type ListenOptions, listenOn } from './socket.ts'

/** A service that listens. */
export interface Served extends AsyncDisposable {
  /** Listens on another socket too. Throws as `serve`. */
  listen(options: ListenOptions): Promise<void>
  /**
   * Takes no more connections; calls under way have `graceMs` (default 10 000) or until the signal fires, then they are
   * cut. Uploads that were cut can be resumed. Resolves when no call runs; the store may be closed then.
   */
  close(graceMs?: number, options?: AbortOptions): Promise<void>
}

const defaultGraceMs = 10_000

/**
 * Serves a store on a unix socket. gRPC is loaded when the first client says something.
 *
 * @throws UNAVAILABLE  somebody listens there already
 * @throws FAILED_PRECONDITION  something other than a socket is there
 * @throws INVALID_ARGUMENT  an address that is no path, or too long for a socket
 */
export async function serve(parts: ServiceParts, options: ListenOptions): Promise<Served> {
  let grpc: Promise<ServiceServer> | undefined
  const load = async (): Promise<ServiceServer> => (await import('./server.ts')).createServer(parts)
  const silent = new Set<net.Socket>()
  const accept = async (socket: net.Socket): Promise<void> => {
    silent.delete(socket)
    try {
      grpc ??= load()
      ;(await grpc).accept(socket)
    } catch (error) {
      parts.log(`the service could not be loaded: ${error instanceof Error ? error.message : String(error)}`)
      socket.destroy()
    }
  }
  const welcome = (socket: net.Socket): void => {
    silent.add(socket)
    socket.on('error', () => undefined) // A client that goes away is no news.
    socket.once('close', () => silent.delete(socket))
    // Whoever only asks whether somebody listens says nothing, and ends.
    socket.once('readable', () => {
      if (socket.readableLength > 0) void accept(socket)
      else socket.destroy()
    })
  }
  const listeners: net.Server[] = []
  const listen = async (where: ListenOptions): Promise<void> => {
    const listener = net.createServer(welcome)
    listener.maxConnections = maxConnections
    await listenOn(listener, where)
    if (where.keepsProcess === false) listener.unref()
    listeners.push(listener)
  }
  await listen(options)
  const close: Served['close'] = async (graceMs = defaultGraceMs, work = {}) => {
    const closed = listeners.map(one => new Promise<void>(resolve => one.close(() => resolve())))
    for (const socket of silent) socket.destroy()
    await (await grpc?.catch(() => undefined))?.close(graceMs, work)
    await Promise.all(closed)
  }
  return { listen, close, [Symbol.asyncDispose]: () => close() }
}
