import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Timestamp } from '@bufbuild/protobuf/wkt'
import { OrlopError } from '../errors.ts'
import type { ImageRecord } from '../images/types.ts'
import { type RecordChange, recordChangeOf } from '../metadata/field-path.ts'
import { parseDigest } from '../oci/digest.ts'
import type { ScopeInit } from '../runtime/runtime.ts'
import { type Image, type ImageSchema, Images } from './gen/containerd/services/images/v1/images_pb.ts'
import { dateOf, descriptorOf, targetMessage, timestamp } from './messages.ts'
import { type ServiceParts, scopeOf } from './parts.ts'
import { type Call, type Service, service } from './rpc.ts'

/** The service of image records. @see containerd plugins/services/images */
export const imagesService = (parts: ServiceParts): Service =>
  service(Images, {
    get: async ({ name }, call) => ({
      image: imageMessage(await scopeOf(parts, call).images.get(name, call)),
    }),
    list: async ({ filters }, call) => {
      const images: MessageInitShape<typeof ImageSchema>[] = []
      for await (const image of scopeOf(parts, call).images.list(filters, call))
        images.push(imageMessage(image))
      return { images }
    },
    create: async ({ image, sourceDateEpoch }, call) => {
      const { name, labels, target } = required(image)
      const { images } = scopeOf(parts, call, clockAt(sourceDateEpoch))
      return {
        image: imageMessage(
          await images.create({ name, labels, target: requiredTarget(name, target) }, call),
        ),
      }
    },
    update: async ({ image, updateMask, sourceDateEpoch }, call) => {
      const { images } = scopeOf(parts, call, clockAt(sourceDateEpoch))
      const change = changeOf(required(image), updateMask?.paths ?? [])
      return { image: imageMessage(await images.update(image?.name ?? '', change, call)) }
    },
    delete: async ({ name, sync, target }, call) => {
      const { images } = scopeOf(parts, call)
      const digest = target === undefined ? undefined : parseDigest(target.digest)
      await images.delete(name, { target: digest, signal: call.signal })
      if (sync) await collectFor(parts, call)
      return {}
    },
  })

/** The target is only read where the paths ask for it: who changes labels sends an empty one. */
function changeOf({ name, labels, target }: Image, paths: readonly string[]): RecordChange {
  const whole = paths.length === 0 || paths.includes('target')
  return recordChangeOf(paths, {
    labels,
    annotations: target?.annotations,
    ...(whole && { target: requiredTarget(name, target) }),
  })
}

/** Waits for a collection, for who asked for it with `sync`. */
export async function collectFor({ collect }: ServiceParts, { signal }: Call): Promise<void> {
  await collect?.({ signal })
}

const imageMessage = (image: ImageRecord): MessageInitShape<typeof ImageSchema> => ({
  name: image.name,
  labels: image.labels,
  target: targetMessage(image.target),
  createdAt: timestamp(image.createdAt),
  updatedAt: timestamp(image.updatedAt),
})

const required = (image: Image | undefined): Image => {
  if (image === undefined || image.name === '') {
    throw new OrlopError('INVALID_ARGUMENT', 'image: the name must not be empty')
  }
  return image
}

const requiredTarget = (name: string, target: Image['target']) => {
  const what = `image ${JSON.stringify(name)}: target`
  if (target === undefined) throw new OrlopError('INVALID_ARGUMENT', `${what}: there is none`)
  return descriptorOf(target, what)
}

/** Dates of the records that are written; the client's, where it wants them reproducible. */
const clockAt = (epoch: Timestamp | undefined): ScopeInit => {
  if (epoch === undefined) return {}
  const date = dateOf(epoch)
  return { now: () => date }
}
