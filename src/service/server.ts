import type { Duplex } from 'node:stream'
import type { AbortOptions } from '../options.ts'
import { containersService } from './containers.ts'
import { contentService } from './content.ts'
import { eventsService } from './events.ts'
import { GrpcServer } from './grpc/server.ts'
import { routesOf } from './handler.ts'
import { healthService } from './health.ts'
import { imagesService } from './images.ts'
import { introspectionService } from './introspection.ts'
import { leasesService } from './leases.ts'
import { callWindow, maxMessageSize, maxStreams, maxUnread } from './limits.ts'
import { namespacesService } from './namespaces.ts'
import type { ServiceParts } from './parts.ts'
import type { Service } from './rpc.ts'
import { Running } from './running.ts'
import { snapshotsService } from './snapshots.ts'
import { streamingService } from './streaming.ts'
import { Streams } from './streams.ts'
import { transferService } from './transfer/service.ts'
import { verbsService } from './verbs/service.ts'
import { versionService } from './version.ts'

/** Speaks gRPC on connections that it is handed. */
export interface ServiceServer {
  /** Serves one connection, which it owns from here on. */
  accept(connection: Duplex): void
  /** Ends: calls under way have `graceMs` or until the signal fires, then they are cut. Resolves when none runs any more. */
  close(graceMs: number, options?: AbortOptions): Promise<void>
}

/** A gRPC server of all services of a store. */
export function createServer(parts: ServiceParts): ServiceServer {
  const running = new Running()
  const onUnexpected = (method: string, error: unknown): void =>
    parts.log(`${method}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
  const routes = routesOf(servicesOf(parts), { onUnexpected, running, maxMessage: maxMessageSize })
  const server = new GrpcServer(routes, {
    message: maxMessageSize,
    streams: maxStreams,
    window: callWindow,
    unread: maxUnread,
  })
  return {
    accept: connection => server.accept(connection),
    close: async (graceMs, options) => {
      running.closing.abort()
      await server.close(graceMs, options)
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
