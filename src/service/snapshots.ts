import { OrlopError } from '../errors.ts'
import { Snapshots } from './gen/containerd/services/snapshots/v1/snapshots_pb.ts'
import { type ServiceParts, scopeOf } from './parts.ts'
import { type Service, service } from './rpc.ts'

/** There are no snapshots here, and none can be made; clients that ask whether an image is unpacked are told no. */
export const snapshotsService = (parts: ServiceParts): Service =>
  service(Snapshots, {
    stat: async ({ key }, call) => {
      scopeOf(parts, call)
      throw new OrlopError('NOT_FOUND', `snapshot ${key}: there are none here`)
    },
    list: async function* (_, call) {
      scopeOf(parts, call)
      yield* []
    },
  })
