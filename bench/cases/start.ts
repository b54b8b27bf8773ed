import path from 'node:path'
import process from 'node:process'
import { digestOf } from '../../src/oci/digest.ts'
import { Runtime } from '../../src/runtime/runtime.ts'
import { command } from '../lib/measure.ts'
import { orlopWords } from '../lib/peers.ts'
import type { CaseMaker } from '../lib/types.ts'

/** How long a command takes that has hardly anything to do. */
export const make: CaseMaker = async bench => {
  const root = path.join(bench.directory, 'root')
  await images(root, Math.round(1000 * bench.scale))
  const node = {
    name: 'node -e 0',
    kind: 'limit',
    run: () => command([process.execPath, '-e', '0']),
  } as const
  return [
    {
      name: 'version',
      title: 'orlop version',
      contenders: [{ name: 'orlop version', kind: 'ours', run: () => command(orlopWords('version')) }, node],
      targets: [{ against: node.name, measure: 'wall', atMost: 1.4 }],
    },
    {
      name: 'list',
      title: 'orlop images list, 1,000 images',
      contenders: [
        {
          name: 'orlop images list',
          kind: 'ours',
          run: () => command(orlopWords('images', 'list', '--root', root)),
        },
        node,
      ],
      targets: [{ against: node.name, measure: 'wall', atMost: 2 }],
    },
  ]
}

/** A store of images that share one manifest. */
export async function images(root: string, count: number): Promise<void> {
  await using runtime = await Runtime.open({ root })
  const { content, images } = runtime.scope('default')
  const config = Buffer.from(
    JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [] } }),
  )
  const put = async (bytes: Uint8Array, mediaType: string) => {
    const digest = digestOf(bytes)
    await using writer = await content.writer({ ref: digest })
    await writer.write(bytes)
    await writer.commit({ size: bytes.byteLength, digest, labels: { 'containerd.io/gc.root': 'bench' } })
    return { mediaType, digest, size: bytes.byteLength }
  }
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: await put(config, 'application/vnd.oci.image.config.v1+json'),
      layers: [],
    }),
  )
  const target = await put(manifest, 'application/vnd.oci.image.manifest.v1+json')
  const names = Array.from({ length: count }, (_, at) => `registry.example/bench/image-${at}:latest`)
  for (let at = 0; at < count; at += 64) {
    await Promise.all(names.slice(at, at + 64).map(name => images.create({ name, target })))
  }
}
