import { flat, type Node } from './image.ts'
import type { TestRegistry } from './registry.ts'

/** Puts a graph into a repository of a registry, its root under a tag too; gives the full reference. */
export function publish(registry: TestRegistry, repository: string, tag: string, root: Node): string {
  for (const { desc, bytes } of flat(root)) {
    registry.add(repository, desc.digest === root.desc.digest ? tag : undefined, desc, bytes)
  }
  return `${registry.host}/${repository}:${tag}`
}
