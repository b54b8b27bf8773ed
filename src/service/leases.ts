import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Lease } from '../metadata/lease-types.ts'
import type { LeaseResource } from '../metadata/schema.ts'
import {
  type LeaseSchema,
  Leases,
  type Resource,
  type ResourceSchema,
} from './gen/containerd/services/leases/v1/leases_pb.ts'
import { collectFor } from './images.ts'
import { timestamp } from './messages.ts'
import { type ServiceParts, scopeOf } from './parts.ts'
import { type Service, service } from './rpc.ts'

/** The service of leases. @see containerd plugins/services/leases */
export const leasesService = (parts: ServiceParts): Service =>
  service(Leases, {
    create: async ({ id, labels }, call) => {
      const { leases } = scopeOf(parts, call)
      return { lease: leaseMessage(await leases.create({ ...(id !== '' && { id }), labels }, call)) }
    },
    delete: async ({ id, sync }, call) => {
      await scopeOf(parts, call).leases.delete(id, call)
      if (sync) await collectFor(parts, call)
      return {}
    },
    list: async ({ filters }, call) => {
      const leases: MessageInitShape<typeof LeaseSchema>[] = []
      for await (const lease of scopeOf(parts, call).leases.list(filters, call))
        leases.push(leaseMessage(lease))
      return { leases }
    },
    addResource: async ({ id, resource }, call) => {
      await scopeOf(parts, call).leases.addResource(id, resourceOf(resource), call)
      return {}
    },
    deleteResource: async ({ id, resource }, call) => {
      await scopeOf(parts, call).leases.deleteResource(id, resourceOf(resource), call)
      return {}
    },
    listResources: async ({ id }, call) => {
      const resources: MessageInitShape<typeof ResourceSchema>[] = []
      for await (const resource of scopeOf(parts, call).leases.resources(id, call))
        resources.push({ ...resource })
      return { resources }
    },
  })

const leaseMessage = ({ id, createdAt, labels }: Lease): MessageInitShape<typeof LeaseSchema> => ({
  id,
  createdAt: timestamp(createdAt),
  labels,
})

/** A missing one has no type, which the store refuses. */
const resourceOf = (resource: Resource | undefined): LeaseResource => ({
  type: resource?.type ?? '',
  id: resource?.id ?? '',
})
