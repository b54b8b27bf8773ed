import { OrlopError } from '../../errors.ts'
import { parseReference } from '../../oci/reference.ts'
import { holds, unpack } from '../any.ts'
import { Transfer, type TransferRequest } from '../gen/containerd/services/transfer/v1/transfer_pb.ts'
import { type ImageStore, ImageStoreSchema } from '../gen/containerd/types/transfer/imagestore_pb.ts'
import {
  ImageExportStreamSchema,
  ImageImportStreamSchema,
} from '../gen/containerd/types/transfer/importexport_pb.ts'
import { type OCIRegistry, OCIRegistrySchema } from '../gen/containerd/types/transfer/registry_pb.ts'
import { namespaceOf, type ServiceParts, scopeOf } from '../parts.ts'
import { type Call, type Service, service } from '../rpc.ts'
import type { Streams } from '../streams.ts'
import { echo, exportImages, importImages } from './archives.ts'
import { reportTo } from './progress.ts'
import { pullImage } from './pull.ts'
import { pushImage } from './push.ts'
import { storedImages, storeNamed } from './store.ts'
import type { TransferWork } from './work.ts'

/** The service that moves images by itself: pulls, pushes, tags, and archives both ways. @see containerd core/transfer/local */
export const transferService = (parts: ServiceParts, streams: Streams): Service =>
  service(Transfer, {
    transfer: async (request, call) => {
      await transfer(parts, streams, request, call)
      return {}
    },
  })

async function transfer(
  parts: ServiceParts,
  streams: Streams,
  { source, destination, options }: TransferRequest,
  call: Call,
): Promise<void> {
  const scope = scopeOf(parts, call)
  const id = options?.progressStream
  const stream = id ? streams.get(namespaceOf(call), id) : undefined
  const run = wayOf({ source, destination }, parts.log)
  await using progress = reportTo(stream, call)
  await run({ streams, scope, progress, call })
}

type Way = (work: TransferWork) => Promise<void>

/** What is to be done, by the types of both ends. */
function wayOf(
  { source, destination }: Pick<TransferRequest, 'source' | 'destination'>,
  log: (line: string) => void,
): Way {
  const types = [source, destination].map(any => known(any?.typeUrl ?? ''))
  if (holds(ImageStoreSchema, destination)) {
    const to = unpack(ImageStoreSchema, destination)
    if (to.unpacks.length > 0) log('transfer: nothing is unpacked here; the request to do so is passed over')
    if (holds(OCIRegistrySchema, source)) {
      const from = checked(unpack(OCIRegistrySchema, source))
      return work => pullImage(work, from, to)
    }
    if (holds(ImageImportStreamSchema, source)) {
      const from = unpack(ImageImportStreamSchema, source)
      return work => importImages(work, from, to)
    }
    if (holds(ImageStoreSchema, source)) return tagging(unpack(ImageStoreSchema, source), to)
  }
  if (holds(ImageStoreSchema, source) && holds(OCIRegistrySchema, destination)) {
    const [from, to] = [unpack(ImageStoreSchema, source), checked(unpack(OCIRegistrySchema, destination))]
    return work => pushImage(work, from, to)
  }
  if (holds(ImageExportStreamSchema, destination)) {
    const to = unpack(ImageExportStreamSchema, destination)
    if (holds(ImageStoreSchema, source)) {
      const from = unpack(ImageStoreSchema, source)
      return work => exportImages(work, from, to)
    }
    if (holds(ImageImportStreamSchema, source)) {
      const from = unpack(ImageImportStreamSchema, source)
      return work => echo(work, from, to)
    }
  }
  throw notImplemented(types)
}

const tagging =
  (from: ImageStore, to: ImageStore): Way =>
  async ({ scope, call }) => {
    const [image] = await storedImages(scope.images, from, call)
    if (image !== undefined) await storeNamed(scope.images, to, image.target, call)
  }

const checked = (registry: OCIRegistry): OCIRegistry => {
  parseReference(registry.reference)
  return registry
}

/** Sources and destinations, by the names that messages and errors have for them. */
const names: Readonly<Record<string, string>> = {
  [OCIRegistrySchema.typeName]: 'a registry',
  [ImageStoreSchema.typeName]: 'the image store',
  [ImageImportStreamSchema.typeName]: 'an archive',
  [ImageExportStreamSchema.typeName]: 'an archive',
}

/** As in containerd, a type that the process does not know is no error of a kind. */
const known = (type: string): string => {
  const name = Object.hasOwn(names, type) ? names[type] : undefined
  if (name !== undefined) return name
  throw new OrlopError('UNKNOWN', `transfer: ${JSON.stringify(type)} is no source or destination`)
}

const notImplemented = ([from, to]: readonly string[]): OrlopError =>
  new OrlopError('UNIMPLEMENTED', `method Transfer not implemented for ${from} to ${to}; use --local`)
