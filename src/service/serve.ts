import net from 'node:net'
import { maxConnections } from './limits.ts'
import type { ServiceParts } from './parts.ts'
import type { GrpcServer } from './server.ts'
import { type ListenOptions, listenOn } from './socket.ts'

/** A service that listens. */
export interface Served extends AsyncDisposable {
  /**
   * Takes no more connections; calls under way have `graceMs` (default 10 000), then they are cut. Uploads that were cut
   * can be resumed. Resolves when no call runs; the store may be closed then.
   */
  close(graceMs?: number): Promise<void>
}

const defaultGraceMs = 10_000

/**
 * Serves a store on a unix socket. gRPC is loaded when the first client comes.
 *
 * @throws UNAVAILABLE  somebody listens there already
 * @throws FAILED_PRECONDITION  something other than a socket is there
 * @throws INVALID_ARGUMENT  an address that is no path, or too long for a socket
 */
export async function serve(parts: ServiceParts, options: ListenOptions): Promise<Served> {
  let grpc: Promise<GrpcServer> | undefined
  const load = async (): Promise<GrpcServer> => (await import('./server.ts')).createServer(parts)
  const listener = net.createServer(socket => {
    socket.on('error', () => undefined) // A client that goes away is no news.
    grpc ??= load()
    grpc.then(
      server => server.accept(socket),
      (error: unknown) => {
        parts.log(
          `the service could not be loaded: ${error instanceof Error ? error.message : String(error)}`,
        )
        socket.destroy()
      },
    )
  })
  listener.maxConnections = maxConnections
  await listenOn(listener, options)
  const close = async (graceMs = defaultGraceMs): Promise<void> => {
    const closed = new Promise<void>(resolve => listener.close(() => resolve()))
    await (await grpc?.catch(() => undefined))?.close(graceMs)
    await closed
  }
  return { close, [Symbol.asyncDispose]: () => close() }
}
