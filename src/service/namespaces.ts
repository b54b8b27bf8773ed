import type { MessageInitShape } from '@bufbuild/protobuf'
import { labelsChangeOf } from '../metadata/field-path.ts'
import { type NamespaceSchema, Namespaces } from './gen/containerd/services/namespaces/v1/namespace_pb.ts'
import type { ServiceParts } from './parts.ts'
import { type Service, service } from './rpc.ts'

/**
 * The service of namespaces. As in containerd, Get and Update know no namespace that is absent: its labels are none, and
 * Update makes it. Here Update's answer has the namespace; containerd's is empty.
 *
 * @see containerd plugins/services/namespaces
 */
export const namespacesService = ({ store: { namespaces } }: ServiceParts): Service =>
  service(Namespaces, {
    get: async ({ name }, call) => ({ namespace: { name, labels: await namespaces.labels(name, call) } }),
    list: async (_, call) => {
      const found: MessageInitShape<typeof NamespaceSchema>[] = []
      for await (const { name, labels } of namespaces.list(call)) found.push({ name, labels })
      return { namespaces: found }
    },
    create: async ({ namespace }, call) => {
      const { name, labels } = await namespaces.create(namespace?.name ?? '', namespace?.labels ?? {}, call)
      return { namespace: { name, labels } }
    },
    update: async ({ namespace, updateMask }, call) => {
      const change = labelsChangeOf(updateMask?.paths ?? [], namespace?.labels ?? {})
      const { name, labels } = await namespaces.update(namespace?.name ?? '', change, call)
      return { namespace: { name, labels } }
    },
    delete: async ({ name }, call) => {
      await namespaces.delete(name, call)
      return {}
    },
  })
