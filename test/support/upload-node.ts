import { isIndex, isManifest } from '../../src/oci/media-type.ts'
import type { DockerRegistry } from './docker-registry.ts'
import { flat, type Node } from './image.ts'
import { uploadBlob, uploadManifest } from './upload.ts'

/** Pushes a graph into a real registry, children first, its root under a tag; gives the full reference. */
export async function uploadNode(
  { url, host }: Pick<DockerRegistry, 'url' | 'host'>,
  repository: string,
  tag: string,
  root: Node,
): Promise<string> {
  for (const { desc, bytes } of flat(root).toReversed()) {
    if (isIndex(desc) || isManifest(desc)) {
      await uploadManifest(url, repository, desc.digest, desc.mediaType, bytes)
    } else await uploadBlob(url, repository, desc.digest, bytes)
  }
  await uploadManifest(url, repository, tag, root.desc.mediaType, root.bytes)
  return `${host}/${repository}:${tag}`
}
