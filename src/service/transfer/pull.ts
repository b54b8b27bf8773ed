import type { Descriptor } from '../../oci/descriptor.ts'
import type { OnProgress } from '../../remotes/progress.ts'
import { fetchImage } from '../../runtime/pull.ts'
import type { ImageStore } from '../gen/containerd/types/transfer/imagestore_pb.ts'
import type { OCIRegistry } from '../gen/containerd/types/transfer/registry_pb.ts'
import { openRegistry, registryName } from './registry.ts'
import { storeNamed } from './store.ts'
import { type TransferWork, underLease, wantedOf } from './work.ts'

/** Copies an image out of a registry and names it. */
export async function pullImage(work: TransferWork, from: OCIRegistry, to: ImageStore): Promise<void> {
  const { progress, call } = work
  const named = { ...to, name: to.name || from.reference }
  const source = registryName(from)
  progress.tell(`Resolving from ${source}`)
  await underLease(work, async leased => {
    const target = await fetchAll({ ...work, scope: leased }, from, named)
    for (const { name } of await storeNamed(leased.images, named, target, call)) {
      progress.tell('saved', name, target)
    }
  })
  progress.tell(`Completed pull from ${source}`)
}

async function fetchAll(work: TransferWork, from: OCIRegistry, to: ImageStore): Promise<Descriptor> {
  const { scope, progress, call } = work
  const { reference } = from
  const { signal } = call
  const onProgress: OnProgress = event => {
    if (event.type === 'resolved') {
      progress.tell(`Pulling from ${registryName(from)}`)
      progress.tell('fetching image content', to.name, event.target)
    } else if ('ref' in event) progress.blob(to.name, event)
  }
  await using resolver = openRegistry(work, from, onProgress)
  const platforms = wantedOf(to.platforms)
  const options = { concurrency: 3, onProgress, signal, platforms }
  const parts = { resolver, scope }
  // Manifests and configs of all platforms too, where the client wants them; they are not fetched again below.
  if (to.allMetadata && platforms !== undefined) {
    await fetchImage(parts, reference, { ...options, platforms: undefined, metadataOnly: true })
  }
  return await fetchImage(parts, reference, options)
}
