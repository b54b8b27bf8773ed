import { createReadStream } from 'node:fs'
import fs from 'node:fs/promises'
import path from 'node:path'
import { Digester } from '../../src/oci/digest.ts'
import { blobFile } from '../../test/support/layout.ts'
import { output } from '../../test/support/run.ts'
import { largeImage } from '../lib/data.ts'
import { command } from '../lib/measure.ts'
import { containerdPeer, limits, orlopWords } from '../lib/peers.ts'
import type { CaseMaker } from '../lib/types.ts'

/** One blob of about 500 MB, into a store from a file and from stdin, and out of it. */
export const make: CaseMaker = async bench => {
  const ctr = await containerdPeer(bench)
  const image = await largeImage(bench)
  const file = path.join(bench.directory, 'blob')
  await output('sh', [
    '-c',
    'cat "$@" > "$0"',
    file,
    ...image.layers.map(({ digest }) => blobFile(image.layout, digest)),
  ])
  const digest = await digestOf(file)
  const { size } = await fs.stat(file)
  const root = path.join(bench.directory, 'root')
  const clear = () => fs.rm(root, { recursive: true, force: true })
  const ingest = ['content', 'ingest', '--root', root, '--quiet']
  const expected = ['--expected-digest', digest, '--expected-size', String(size)]
  const peer = (name: string) =>
    ({
      name,
      kind: 'peer',
      prepare: () => ctr.clear(),
      run: () => ctr.ctr(['content', 'ingest', ...expected, 'blob'], { stdin: file }),
    }) as const
  const title = `${Math.round(size / 1e6)} MB`
  const [hash, write] = limits(bench, [file])
  return [
    {
      name: 'ingest',
      title: `ingest of ${title} from a file`,
      contenders: [
        {
          name: 'orlop content ingest FILE',
          kind: 'ours',
          prepare: clear,
          run: () => command(orlopWords(...ingest, 'blob', file)),
        },
        peer('ctr content ingest'),
        ...limits(bench, [file]),
      ],
      targets: [
        { against: 'limits', measure: 'wall', atMost: 1.25 },
        { against: 'ctr content ingest', measure: 'wall', atMost: 0.4 },
      ],
    },
    {
      name: 'ingest-stdin',
      title: `ingest of ${title} from stdin`,
      contenders: [
        {
          name: 'orlop content ingest',
          kind: 'ours',
          prepare: clear,
          run: () => command(orlopWords(...ingest, 'blob'), { stdin: file }),
        },
        peer('ctr content ingest'),
        ...(hash && write ? [hash, write] : []),
      ],
    },
    {
      name: 'read',
      title: `read of ${title} to a pipe`,
      contenders: [
        {
          name: 'orlop content get',
          kind: 'ours',
          prepare: async () => {
            await clear()
            await command(orlopWords(...ingest, 'blob', file))
          },
          run: () =>
            command([
              'sh',
              '-c',
              '"$@" | cat >/dev/null',
              'sh',
              ...orlopWords('content', 'get', '--root', root, digest),
            ]),
        },
        {
          name: 'ctr content get',
          kind: 'peer',
          prepare: async () => {
            await ctr.clear()
            await ctr.ctr(['content', 'ingest', ...expected, 'blob'], { stdin: file })
          },
          run: () => ctr.ctr(['content', 'get', digest]),
        },
        { name: 'cat', kind: 'limit', run: () => command(['sh', '-c', 'cat "$0" | cat >/dev/null', file]) },
      ],
    },
  ]
}

async function digestOf(file: string): Promise<string> {
  const digester = new Digester()
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) digester.update(chunk)
  return digester.digest()
}
