import { isIndex, isManifest } from '../../src/oci/media-type.ts'
import { flat, type Node } from './image.ts'
import type { TestRegistry } from './registry.ts'

/** Puts a graph into a repository of a registry, its root under a tag too; gives the full reference. */
export function publish(registry: TestRegistry, repository: string, tag: string, root: Node): string {
  for (const { desc, bytes } of flat(root)) {
    if (isIndex(desc) || isManifest(desc)) {
      const tagged = desc.digest === root.desc.digest ? tag : undefined
      registry.put(repository, tagged, Buffer.from(bytes).toString(), desc.mediaType)
    } else registry.blob(repository, bytes)
  }
  return `${registry.host}/${repository}:${tag}`
}
