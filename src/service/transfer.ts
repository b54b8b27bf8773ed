import { OrlopError } from '../errors.ts'
import { parseReference } from '../oci/reference.ts'
import { holds, unpack } from './any.ts'
import { Transfer, type TransferRequest } from './gen/containerd/services/transfer/v1/transfer_pb.ts'
import { type ImageStore, ImageStoreSchema } from './gen/containerd/types/transfer/imagestore_pb.ts'
import {
  ImageExportStreamSchema,
  ImageImportStreamSchema,
} from './gen/containerd/types/transfer/importexport_pb.ts'
import { OCIRegistrySchema } from './gen/containerd/types/transfer/registry_pb.ts'
import { namespaceOf, type ServiceParts, scopeOf } from './parts.ts'
import { type Call, type Service, service } from './rpc.ts'
import type { Streams } from './streams.ts'
import { reportTo } from './transfer-progress.ts'
import { pullImage } from './transfer-pull.ts'
import { storeImage } from './transfer-store.ts'

/** The service that moves images by itself: pulls and tags. @see containerd core/transfer/local */
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
  const types = [source, destination].map(any => known(any?.typeUrl ?? ''))
  if (!holds(ImageStoreSchema, destination)) throw notImplemented(types)
  const to = checked(unpack(ImageStoreSchema, destination))
  const stream = options?.progressStream ? streams.get(namespaceOf(call), options.progressStream) : undefined
  await using progress = reportTo(stream, call)
  if (to.unpacks.length > 0)
    parts.log('transfer: nothing is unpacked here; the request to do so is passed over')
  if (holds(OCIRegistrySchema, source)) {
    const from = unpack(OCIRegistrySchema, source)
    parseReference(from.reference)
    await pullImage({ parts, streams, scope, progress, call }, from, to)
  } else if (holds(ImageStoreSchema, source)) {
    const { target } = await scope.images.get(unpack(ImageStoreSchema, source).name, call)
    await storeImage(scope.images, to, target, call)
  } else throw notImplemented(types)
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

const checked = (to: ImageStore): ImageStore => {
  if (to.extraReferences.length === 0) return to
  throw new OrlopError(
    'UNIMPLEMENTED',
    'transfer: further names of an image (extra_references) are not stored',
  )
}
