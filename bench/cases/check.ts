import path from 'node:path'
import { startDockerRegistry } from '../../test/support/docker-registry.ts'
import { blobFile } from '../../test/support/layout.ts'
import { largeImage, pushImage } from '../lib/data.ts'
import { command } from '../lib/measure.ts'
import { orlopWords } from '../lib/peers.ts'
import type { CaseMaker } from '../lib/types.ts'

/** Every byte of an image looked at again, beside as many programs that hash as there are cores. */
export const make: CaseMaker = async bench => {
  const { host } = await startDockerRegistry(bench)
  const image = await largeImage(bench)
  const name = `${host}/bench/large:1`
  await pushImage(image, name)
  const root = path.join(bench.directory, 'root')
  await command(orlopWords('images', 'pull', '--root', root, '--quiet', name))
  const files = image.layers.map(({ digest }) => blobFile(image.layout, digest))
  const hashes = {
    name: 'sha256 on all cores',
    kind: 'limit',
    run: () =>
      command([
        'sh',
        '-c',
        'printf "%s\\n" "$@" | xargs -P "$(nproc)" -n 1 "$0" dist/bench/inside/sha256.js',
        process.execPath,
        ...files,
      ]),
  } as const
  const targets = [{ against: hashes.name, measure: 'wall', atMost: 1.2 }] as const
  return [
    {
      name: 'check-deep',
      title: `images check --deep of ${Math.round(image.bytes / 1e6)} MB`,
      contenders: [
        {
          name: 'orlop images check --deep',
          kind: 'ours',
          run: () => command(orlopWords('images', 'check', '--deep', '--root', root, name)),
        },
        hashes,
      ],
      targets,
    },
    {
      name: 'fsck',
      title: `check of a store of ${Math.round(image.bytes / 1e6)} MB`,
      contenders: [
        { name: 'orlop check', kind: 'ours', run: () => command(orlopWords('check', '--root', root)) },
        hashes,
      ],
      targets,
    },
  ]
}
