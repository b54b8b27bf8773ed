import { isAlreadyExists, isNotFound } from '../errors.ts'
import type { ImageRecord, ImageStore } from '../images/types.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { ImageStore as Destination } from './gen/containerd/types/transfer/imagestore_pb.ts'
import type { Call } from './rpc.ts'

/** Names a descriptor; an image of that name is replaced, its labels too, as containerd's transfers do. */
export async function storeImage(
  images: ImageStore,
  { name, labels }: Destination,
  target: Descriptor,
  { signal }: Call,
): Promise<ImageRecord> {
  for (;;) {
    try {
      return await images.create({ name, target, labels }, { signal })
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
    }
    try {
      return await images.update(name, { target, labels, replaceLabels: true }, { signal })
    } catch (error) {
      // Somebody deleted it in between.
      if (!isNotFound(error)) throw error
    }
  }
}
