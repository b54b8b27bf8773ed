import type { Duplex } from 'node:stream'
import { Server, ServerCredentials } from '@grpc/grpc-js'
import type { AbortOptions } from '../options.ts'
import { containersService } from './containers.ts'
import { contentService } from './content.ts'
import { eventsService } from './events.ts'
import { handlersOf } from './handler.ts'
import { healthService } from './health.ts'
import { imagesService } from './images.ts'
import { introspectionService } from './introspection.ts'
import { leasesService } from './leases.ts'
import { maxMessageSize, maxStreams } from './limits.ts'
import { namespacesService } from './namespaces.ts'
import type { ServiceParts } from './parts.ts'
import { definitionOf, type Service } from './rpc.ts'
import { Running } from './running.ts'
import { snapshotsService } from './snapshots.ts'
import { streamingService } from './streaming.ts'
import { Streams } from './streams.ts'
import { transferService } from './transfer.ts'
import { verbsService } from './verbs/service.ts'
import { versionService } from './version.ts'

/** Speaks gRPC on connections that it is handed. */
export interface GrpcServer {
  /** Serves one connection, which it owns from here on. */
  accept(connection: Duplex): void
  /** Ends: calls under way have `graceMs` or until the signal fires, then they are cut. Resolves when none runs any more. */
  close(graceMs: number, options?: AbortOptions): Promise<void>
}

/** A gRPC server of all services of a store. */
export function createServer(parts: ServiceParts): GrpcServer {
  const server = new Server({
    'grpc.max_receive_message_length': maxMessageSize,
    'grpc.max_send_message_length': maxMessageSize,
    'grpc.max_concurrent_streams': maxStreams,
  })
  const running = new Running()
  for (const service of servicesOf(parts)) addService(server, service, parts, running)
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure())
  return {
    accept: connection => injector.injectConnection(connection),
    close: async (graceMs, { signal } = {}) => {
      running.closing.abort()
      const cut = (): void => server.forceShutdown()
      const timer = setTimeout(cut, signal?.aborted ? 0 : graceMs)
      signal?.addEventListener('abort', cut)
      await new Promise<void>(resolve => server.tryShutdown(() => resolve()))
      clearTimeout(timer)
      signal?.removeEventListener('abort', cut)
      await running.idle()
    },
  }
}

const servicesOf = (parts: ServiceParts, streams = new Streams()): readonly Service[] => [
  streamingService(parts, streams),
  transferService(parts, streams),
  contentService(parts),
  imagesService(parts),
  leasesService(parts),
  namespacesService(parts),
  eventsService(parts),
  versionService(),
  introspectionService(parts),
  containersService(parts),
  snapshotsService(parts),
  healthService(),
  verbsService(parts),
]

function addService(server: Server, service: Service, { log }: ServiceParts, running: Running): void {
  const methods = service.desc.methods.map(method => [method.localName, definitionOf(method)] as const)
  const onUnexpected = (method: string, error: unknown): void =>
    log(`${method}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
  server.addService(Object.fromEntries(methods), handlersOf(service, { onUnexpected, running }))
}
