import fs from 'node:fs/promises'
import path from 'node:path'
import { startDockerRegistry } from '../../test/support/docker-registry.ts'
import { blobFile } from '../../test/support/layout.ts'
import { type BenchImage, largeImage, multiPlatform, pushImage, sibling, tinyLayers } from '../lib/data.ts'
import { command } from '../lib/measure.ts'
import { type CtrPeer, containerdPeer, fresh, limits, orlopWords } from '../lib/peers.ts'
import type { Bench, CaseMaker, Contender } from '../lib/types.ts'

/** A pull from docker-registry on loopback: of all, of a tenth, and of many tiny layers. */
export const make: CaseMaker = async bench => {
  const { host } = await startDockerRegistry(bench)
  const ctr = await containerdPeer(bench)
  const large = await largeImage(bench)
  const next = await sibling(large, large.bytes / 10)
  const tiny = await tinyLayers(bench, 120)
  const name = (image: BenchImage): string => `${host}/bench/${image.tag}:1`
  const multi = await multiPlatform(bench)
  for (const image of [large, next, tiny, multi]) await pushImage(image, name(image))
  const files = [large.manifest, large.config, ...large.layers].map(({ digest }) =>
    blobFile(large.layout, digest),
  )
  return [
    {
      name: 'pull',
      title: `pull of ${Math.round(large.bytes / 1e6)} MB in ${large.layers.length} layers`,
      contenders: [...pullers(bench, ctr, name(large)), curl(bench, host, large), ...limits(bench, files)],
      targets: [
        { against: 'ctr content fetch', measure: 'wall', atMost: 0.6 },
        { against: 'skopeo copy to oci', measure: 'wall', atMost: 1 },
        { against: 'skopeo copy to oci', measure: 'cpu', atMost: 1.5 },
      ],
    },
    {
      name: 'pull-rest',
      title: 'pull of an image of which 90 % is there',
      contenders: pullers(bench, ctr, name(next), { before: name(large) }),
    },
    {
      name: 'pull-tiny',
      title: 'pull of 120 tiny layers',
      contenders: pullers(bench, ctr, name(tiny)),
    },
    {
      name: 'pull-platform',
      title: 'pull of one of four platforms',
      contenders: pullers(bench, ctr, name(multi), { platform: 'arm64' }),
    },
    {
      name: 'pull-platforms',
      title: 'pull of all four platforms',
      contenders: pullers(bench, ctr, name(multi), { platform: 'all' }),
    },
  ]
}

interface Wanted {
  /** An image that is there before. */
  readonly before?: string
  /** An architecture, or all of them; default: of an image that has one only. */
  readonly platform?: string
}

/** How each of the three is told of platforms; skopeo before and after its command. */
const platformFlags = (platform: string | undefined) => {
  if (platform === undefined) return { orlop: [], override: [], copy: [], ctr: [] }
  if (platform === 'all') {
    const all = ['--all-platforms']
    return { orlop: all, override: [], copy: ['--all'], ctr: [...all, '--all-metadata'] }
  }
  const one = ['--platform', `linux/${platform}`]
  return { orlop: one, override: ['--override-arch', platform], copy: [], ctr: one }
}

/** Whoever can pull, each into an empty store, or one that has `before`. */
function pullers(
  { directory }: Bench,
  ctr: CtrPeer,
  name: string,
  { before, platform }: Wanted = {},
): readonly Contender[] {
  const root = path.join(directory, 'root')
  const layout = path.join(directory, 'layout')
  const flags = platformFlags(platform)
  const pull = (what: string) => orlopWords('images', 'pull', '--root', root, '--quiet', ...flags.orlop, what)
  const copy = (what: string) => {
    const places = [`docker://${what}`, `oci:${layout}:x`]
    return [
      'skopeo',
      ...flags.override,
      'copy',
      '--quiet',
      '--src-tls-verify=false',
      ...flags.copy,
      ...places,
    ]
  }
  const fetch = (what: string) => ['content', 'fetch', '--plain-http', ...flags.ctr, what]
  return [
    {
      name: 'orlop images pull',
      kind: 'ours',
      prepare: async () => {
        await fs.rm(root, { recursive: true, force: true })
        if (before !== undefined) await command(pull(before))
      },
      run: () => command(pull(name)),
    },
    {
      name: 'skopeo copy to oci',
      kind: 'peer',
      prepare: async () => {
        await fs.rm(layout, { recursive: true, force: true })
        if (before !== undefined) await command(copy(before))
      },
      run: () => command(copy(name)),
    },
    {
      name: 'ctr content fetch',
      kind: 'peer',
      prepare: async () => {
        await ctr.clear()
        if (before !== undefined) await ctr.ctr(fetch(before))
      },
      run: () => ctr.ctr(fetch(name)),
    },
  ]
}

/** The blobs to files, three at a time, unverified and not synced. */
function curl({ directory }: Bench, host: string, image: BenchImage): Contender {
  const target = path.join(directory, 'curl')
  const urls = image.layers.map(({ digest }) => `http://${host}/v2/bench/${image.tag}/blobs/${digest}`)
  const args = urls.flatMap((url, at) => ['-o', path.join(target, `${at}`), url])
  return {
    name: 'curl to files',
    kind: 'limit',
    prepare: () => fresh(target),
    run: () => command(['curl', '-sS', '--fail', '--parallel', '--parallel-max', '3', ...args]),
  }
}
