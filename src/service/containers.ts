import { Containers } from './gen/containerd/services/containers/v1/containers_pb.ts'
import { type ServiceParts, scopeOf } from './parts.ts'
import { type Service, service } from './rpc.ts'

/** There are no containers here. Clients that prune images ask which ones containers use. */
export const containersService = (parts: ServiceParts): Service =>
  service(Containers, {
    list: async (_, call) => {
      scopeOf(parts, call)
      return { containers: [] }
    },
    listStream: async function* (_, call) {
      scopeOf(parts, call)
      yield* []
    },
  })
