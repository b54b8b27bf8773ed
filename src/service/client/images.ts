import { OrlopError } from '../../errors.ts'
import { parseFilters } from '../../filters/filter.ts'
import type {
  DeleteImageOptions,
  ImageChange,
  ImageRecord,
  ImageStore,
  NewImage,
} from '../../images/types.ts'
import { listed } from '../../metadata/listed.ts'
import { type Descriptor, descriptorToJson, readDescriptor } from '../../oci/descriptor.ts'
import type { AbortOptions } from '../../options.ts'
import { type Image, Images } from '../gen/containerd/services/images/v1/images_pb.ts'
import { dateOf, descriptorOf, targetMessage } from '../messages.ts'
import type { Connection, Place } from './connection.ts'
import { mapChange, present } from './labels.ts'

/**
 * Image records behind a socket: orlop's or containerd's.
 *
 * containerd's wire has no place for a target's platform, URLs, artifact type and embedded data: it loses them; orlop's
 * keeps them.
 */
export class RemoteImages implements ImageStore {
  readonly #connection: Connection
  readonly #place: Place

  constructor(connection: Connection, place: Place) {
    this.#connection = connection
    this.#place = place
  }

  async get(name: string, options: AbortOptions = {}): Promise<ImageRecord> {
    return recordOf((await this.#connection.unary(Images.method.get, { name }, this.#with(options))).image)
  }

  list(filters: readonly string[] = [], options: AbortOptions = {}): AsyncIterable<ImageRecord> {
    parseFilters(filters)
    return this.#list(filters, options)
  }

  #list(filters: readonly string[], options: AbortOptions): AsyncIterable<ImageRecord> {
    return listed(async () => {
      const request = { filters: [...filters] }
      const { images } = await this.#connection.unary(Images.method.list, request, this.#with(options))
      return images.map(recordOf)
    })
  }

  async create({ name, target, labels = {} }: NewImage, options: AbortOptions = {}): Promise<ImageRecord> {
    const request = { image: { name, labels, target: targetMessage(checked(name, target)) } }
    return recordOf((await this.#connection.unary(Images.method.create, request, this.#with(options))).image)
  }

  async update(name: string, change: ImageChange, options: AbortOptions = {}): Promise<ImageRecord> {
    if (name === '') throw new OrlopError('INVALID_ARGUMENT', 'image: the name must not be empty')
    const { paths, labels, target } = maskOf(name, change)
    // No path at all would replace everything.
    if (paths.length === 0) return this.get(name, options)
    const request = { image: { name, labels, target }, updateMask: { paths: [...paths] } }
    return recordOf((await this.#connection.unary(Images.method.update, request, this.#with(options))).image)
  }

  async delete(name: string, { target: digest, onlyIf, signal }: DeleteImageOptions = {}): Promise<void> {
    if (digest !== undefined || onlyIf !== undefined) {
      // containerd before 1.7 does not know of targets and would delete whatever is there.
      const found = await this.get(name, { signal })
      if (digest !== undefined && found.target.digest !== digest) {
        throw new OrlopError(
          'NOT_FOUND',
          `image ${JSON.stringify(name)} points at ${found.target.digest} and not at ${digest}; it was not deleted`,
        )
      }
      // The protocol has no such condition: what changes from here on is not seen.
      if (onlyIf?.(found) === false) {
        throw new OrlopError(
          'ABORTED',
          `image ${JSON.stringify(name)} was changed meanwhile; it was not deleted`,
        )
      }
    }
    const request = { name, ...(digest !== undefined && { target: { digest } }) }
    await this.#connection.unary(Images.method.delete, request, this.#with({ signal }))
  }

  #with({ signal }: AbortOptions): Place & AbortOptions {
    return { ...this.#place, signal }
  }
}

/** A change as a field mask and the values it picks from. A target goes with its annotations as they are to be. */
function maskOf(name: string, change: ImageChange) {
  const { target, annotations, replaceAnnotations = false } = change
  const labels = mapChange('labels', change.labels, change.replaceLabels)
  if (target !== undefined) {
    const merged = present({
      ...(replaceAnnotations && annotations ? {} : target.annotations),
      ...annotations,
    })
    const message = targetMessage({ ...checked(name, target), annotations: merged })
    return { paths: [...labels.paths, 'target'], labels: labels.values, target: message }
  }
  const some = mapChange('annotations', annotations, replaceAnnotations)
  return {
    paths: [...labels.paths, ...some.paths],
    labels: labels.values,
    target: { annotations: some.values },
  }
}

const checked = (name: string, target: Descriptor): Descriptor =>
  readDescriptor(descriptorToJson(target), `image ${JSON.stringify(name)}: target`)

const recordOf = (image: Image | undefined): ImageRecord => {
  if (image?.target === undefined)
    throw new OrlopError('INTERNAL', 'images: the service told nothing of the image')
  const { name, labels, target, createdAt, updatedAt } = image
  return {
    name,
    target: descriptorOf(target, `image ${JSON.stringify(name)}: target`),
    labels,
    createdAt: dateOf(createdAt),
    updatedAt: dateOf(updatedAt),
  }
}
