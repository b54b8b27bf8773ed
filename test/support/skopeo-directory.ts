import fs from 'node:fs/promises'
import path from 'node:path'
import { isIndex, isManifest } from '../../src/oci/media-type.ts'
import { flat, type Node } from './image.ts'

const hexOf = (digest: string): string => digest.replace(/^.*:/, '')

const nameOf = ({ desc }: Node, root: Node): string => {
  if (desc.digest === root.desc.digest) return 'manifest.json'
  return isManifest(desc) || isIndex(desc) ? `${hexOf(desc.digest)}.manifest.json` : hexOf(desc.digest)
}

/** Writes a graph for skopeo's transport `dir:`, the only one that takes documents of every kind as they are. */
export async function writeSkopeoDirectory(directory: string, root: Node): Promise<void> {
  await fs.mkdir(directory, { recursive: true })
  await fs.writeFile(path.join(directory, 'version'), 'Directory Transport Version: 1.1\n')
  for (const node of flat(root)) await fs.writeFile(path.join(directory, nameOf(node, root)), node.bytes)
}
