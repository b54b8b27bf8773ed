import { OrlopError } from '../errors.ts'
import { Health, HealthCheckResponse_ServingStatus } from './gen/grpc/health/v1/health_pb.ts'
import { type Service, service } from './rpc.ts'

/** gRPC's health service, which containerd's clients ask before they trust a socket. */
export const healthService = (): Service =>
  service(Health, {
    check: async ({ service: name }) => {
      if (name !== '')
        throw new OrlopError('NOT_FOUND', `health: service ${JSON.stringify(name)} is not watched`)
      return { status: HealthCheckResponse_ServingStatus.SERVING }
    },
  })
