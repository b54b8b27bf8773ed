import path from 'node:path'
import { type TarPart, writeTar } from '../../src/archive/tar-writer.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'
import { Runtime } from '../../src/runtime/runtime.ts'
import { bound, memoryBound } from '../lib/bound.ts'
import { command } from '../lib/measure.ts'
import { orlopWords } from '../lib/peers.ts'
import type { Case, CaseMaker } from '../lib/types.ts'

/** What looking into an image of 200,000 files, and comparing two such of which one file in a hundred differs, takes. */
export const make: CaseMaker = async bench => {
  const root = path.join(bench.directory, 'root')
  const count = Math.round(200_000 * bench.scale)
  bench.note(`two images of ${count} files`)
  for (const variant of [1, 2]) await filesImage(root, count, variant)
  const of = (name: string, ...args: readonly string[]): Case => ({
    name: `files-${name}`,
    title: `images ${args.join(' ')}, ${count.toLocaleString('en')} files`,
    contenders: [
      {
        name: 'orlop',
        kind: 'ours',
        run: async () => ({ ...(await command(orlopWords('images', ...args, '--root', root))), count }),
      },
      bound(memoryBound),
    ],
    targets: [{ against: memoryBound, measure: 'peak', atMost: 1 }],
  })
  return [
    of('list', 'ls-files', nameOf(1)),
    of('list-long', 'ls-files', '--long', nameOf(1)),
    of('list-json', 'ls-files', '--json', nameOf(1)),
    of('diff', 'diff', nameOf(1), nameOf(2)),
  ]
}

const nameOf = (variant: number): string => `example.com/files:${variant}`

async function filesImage(root: string, count: number, variant: number): Promise<void> {
  await using runtime = await Runtime.open({ root })
  const { content, images } = runtime.scope('default')
  const put = async (bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, mediaType: string) => {
    await using writer = await content.writer({ ref: `${mediaType} ${variant}` })
    for await (const chunk of bytes) await writer.write(chunk)
    const { digest, offset: size } = writer
    await writer.commit({ digest, labels: { 'containerd.io/gc.root': 'bench' } })
    return { mediaType, digest, size }
  }
  const layer = await put(inPieces(writeTar(entries(count, variant))), mediaTypes.ociLayer)
  const rootfs = { type: 'layers', diff_ids: [layer.digest] }
  const config = await put(
    [Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs }))],
    mediaTypes.ociConfig,
  )
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [layer] }
  const target = await put([Buffer.from(JSON.stringify(manifest))], mediaTypes.ociManifest)
  await images.create({ name: nameOf(variant), target })
}

/** Directories of nine files each, a link in fifty. */
function* entries(count: number, variant: number): Generator<TarPart> {
  for (let at = 0; at < count; at++) {
    const group = Math.floor(at / 10)
    const directory = `usr/share/app-${Math.floor(group / 100)}/lib/node_modules/package-${group}`
    const name = `${directory}/some-module-file-${at % 10}.js`
    if (at % 10 === 0) yield { name: `${directory}/`, type: 'directory', mode: 0o755 }
    else if (at % 50 === 7) yield { name, type: 'symlink', linkName: '../other/target.js', mode: 0o777 }
    else {
      const body = Buffer.from(digestOf(`${at} ${at % 100 === 3 ? variant : 0}`))
      yield { name, mode: 0o644, size: body.byteLength, body: [body] }
    }
  }
}

/** In pieces that are worth a write. */
async function* inPieces(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let held: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of source) {
    held.push(chunk)
    bytes += chunk.byteLength
    if (bytes < 2 ** 20) continue
    yield Buffer.concat(held)
    held = []
    bytes = 0
  }
  yield Buffer.concat(held)
}
