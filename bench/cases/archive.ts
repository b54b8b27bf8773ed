import fs from 'node:fs/promises'
import path from 'node:path'
import { output } from '../../test/support/run.ts'
import { largeImage } from '../lib/data.ts'
import { command } from '../lib/measure.ts'
import { containerdPeer, orlopWords } from '../lib/peers.ts'
import type { CaseMaker } from '../lib/types.ts'

/** Import and export of an image of about 500 MB as an OCI archive. */
export const make: CaseMaker = async bench => {
  const ctr = await containerdPeer(bench)
  const image = await largeImage(bench)
  const name = 'registry.example/bench/large:1'
  const archive = path.join(bench.directory, 'image.tar')
  await output(
    'skopeo',
    ['copy', '--quiet', `oci:${image.layout}:${image.tag}`, `oci-archive:${archive}:${name}`],
    { deadline: 600_000 },
  )
  const root = path.join(bench.directory, 'root')
  const out = path.join(bench.directory, 'out.tar')
  const clear = () => fs.rm(root, { recursive: true, force: true })
  const load = orlopWords('images', 'import', '--root', root, '--quiet', archive)
  const ctrLoad = ['images', 'import', '--no-unpack', '--digests', archive]
  const title = `${Math.round(image.bytes / 1e6)} MB`
  const dropOut = () => fs.rm(out, { force: true })
  return [
    {
      name: 'import',
      title: `import of ${title}`,
      contenders: [
        { name: 'orlop images import', kind: 'ours', prepare: clear, run: () => command(load) },
        { name: 'ctr images import', kind: 'peer', prepare: () => ctr.clear(), run: () => ctr.ctr(ctrLoad) },
      ],
      targets: [{ against: 'ctr images import', measure: 'wall', atMost: 0.5 }],
    },
    {
      name: 'export',
      title: `export of ${title}`,
      contenders: [
        {
          name: 'orlop images export',
          kind: 'ours',
          prepare: async () => {
            await dropOut()
            await clear()
            await command(load)
          },
          run: () => command(orlopWords('images', 'export', '--root', root, '--quiet', out, name)),
        },
        {
          name: 'ctr images export',
          kind: 'peer',
          prepare: async () => {
            await dropOut()
            await ctr.clear()
            await ctr.ctr(ctrLoad)
          },
          run: () => ctr.ctr(['images', 'export', out, name]),
        },
      ],
      targets: [{ against: 'ctr images export', measure: 'wall', atMost: 0.5 }],
    },
  ]
}
