import type { OnProgress } from '../../remotes/progress.ts'
import { push } from '../../runtime/push.ts'
import type { ImageStore } from '../gen/containerd/types/transfer/imagestore_pb.ts'
import type { OCIRegistry } from '../gen/containerd/types/transfer/registry_pb.ts'
import { openRegistry, registryName } from './registry.ts'
import { storedImages } from './store.ts'
import { type TransferWork, wantedOf } from './work.ts'

/** Sends an image of the store to a registry. */
export async function pushImage(work: TransferWork, from: ImageStore, to: OCIRegistry): Promise<void> {
  const { scope, progress, call } = work
  const { reference } = to
  const [image] = await storedImages(scope.images, from, call)
  if (image === undefined) return
  const destination = registryName(to)
  progress.tell(`Pushing to ${destination}`)
  progress.tell('pushing content', reference, image.target)
  const onProgress: OnProgress = event => {
    if ('ref' in event) progress.blob(reference, event)
  }
  await using resolver = openRegistry(work, to, onProgress)
  const { signal } = call
  const platforms = wantedOf(from.platforms)
  const options = { image: image.name, platforms, concurrency: 3, onProgress, signal }
  const { target } = await push({ resolver, scope }, reference, options)
  progress.tell('pushed content', reference, target)
  progress.tell(`Completed push to ${destination}`)
}
