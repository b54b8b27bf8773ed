import { createHash } from 'node:crypto'
import { createReadStream, type Dirent } from 'node:fs'
import fs from 'node:fs/promises'
import path from 'node:path'
import { blobFile, createLayout, putBlob, type RawDescriptor } from '../../test/support/layout.ts'
import { output } from '../../test/support/run.ts'
import type { Bench } from './types.ts'

const types = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
} as const

/** An OCI layout with one image, and what it is made of. */
export interface BenchImage {
  readonly layout: string
  /** The name in the layout's index. */
  readonly tag: string
  readonly manifest: RawDescriptor
  readonly config: RawDescriptor
  readonly layers: readonly RawDescriptor[]
  /** Of all blobs. */
  readonly bytes: number
}

/** Where real files are found; all of them come with Debian and Node. */
const places = ['/usr/lib', '/usr/bin', '/usr/share', '/usr/local', '/usr/include']

/** An image of about `imageBytes`, compressed, in seven layers of this machine's own files. */
export async function largeImage({ directory, imageBytes, note }: Bench): Promise<BenchImage> {
  note(`making an image of ${Math.round(imageBytes / 1e6)} MB`)
  const layout = path.join(directory, 'large')
  await createLayout(layout)
  const files = realFiles()
  const layers: Layer[] = []
  for (let at = 0; at < 7; at++) layers.push(await realLayer(layout, at, imageBytes / 7, files))
  return finish(layout, 'large', layers)
}

/** An image that shares the layers of another but for its last one, which is a tenth of it. */
export async function sibling(image: BenchImage, bytes: number): Promise<BenchImage> {
  const kept = image.layers
    .slice(0, -1)
    .map(descriptor => ({ descriptor, diffId: diffIdOf(descriptor.digest) }))
  const files = realFiles('/usr/share')
  const last = await realLayer(image.layout, 99, bytes, files)
  return finish(image.layout, 'sibling', [...kept, last])
}

/** An image for four platforms, each of two layers of its own of about 10 MB. */
export async function multiPlatform({ directory, imageBytes }: Bench): Promise<BenchImage> {
  const layout = path.join(directory, 'multi')
  await createLayout(layout)
  const files = realFiles()
  const images: Image[] = []
  const manifests: RawDescriptor[] = []
  for (const [at, architecture] of ['amd64', 'arm64', 's390x', 'riscv64'].entries()) {
    const layers: Layer[] = []
    for (const layer of [0, 1]) layers.push(await realLayer(layout, at * 2 + layer, imageBytes / 50, files))
    const image = await putImage(layout, layers, architecture)
    images.push(image)
    manifests.push({ ...image.manifest, platform: { os: 'linux', architecture } })
  }
  const index = await putBlob(
    layout,
    types.index,
    Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: types.index, manifests })),
  )
  await name(layout, 'multi', index)
  const [first] = images
  if (!first) throw new Error('no images')
  return { ...first, layout, tag: 'multi', bytes: images.reduce((sum, { bytes }) => sum + bytes, index.size) }
}

/** An image of many layers of a few hundred bytes. */
export async function tinyLayers({ directory }: Bench, count: number): Promise<BenchImage> {
  const layout = path.join(directory, 'tiny')
  await createLayout(layout)
  const layers: Layer[] = []
  for (let at = 0; at < count; at++) {
    const work = path.join(directory, 'tiny-work')
    await fs.mkdir(work, { recursive: true })
    await fs.writeFile(
      path.join(work, 'file'),
      `layer ${at} ${createHash('sha256').update(`${at}`).digest('hex')}\n`,
    )
    const tar = path.join(directory, 'tiny.tar')
    await output('tar', ['--sort=name', '--mtime=@0', '-C', work, '-cf', tar, '.'])
    layers.push(await compressed(layout, tar))
  }
  return finish(layout, 'tiny', layers)
}

interface Layer {
  readonly descriptor: RawDescriptor
  readonly diffId: string
}

/** Diff ids of layers made here, by digest; a sibling needs them again. */
const diffIds = new Map<string, string>()
const diffIdOf = (digest: string): string => diffIds.get(digest) ?? ''

/** Files are taken until the layer, compressed, has about `bytes`. */
async function realLayer(
  layout: string,
  at: number,
  bytes: number,
  files: AsyncGenerator<{ readonly file: string; readonly size: number }>,
): Promise<Layer> {
  const list: string[] = []
  // Programs and libraries become a bit more than a third of their size.
  for (let raw = 0; raw < bytes * 2.6; ) {
    const { value, done } = await files.next()
    if (done) break
    list.push(value.file.slice(1))
    raw += value.size
  }
  const names = path.join(path.dirname(layout), `layer-${at}.list`)
  const tar = path.join(path.dirname(layout), `layer-${at}.tar`)
  await fs.writeFile(names, list.join('\n'))
  await output('tar', ['--mtime=@0', '--no-recursion', '-C', '/', '-cf', tar, '-T', names])
  return compressed(layout, tar)
}

async function compressed(layout: string, tar: string): Promise<Layer> {
  const diffId = await digestOfFile(tar)
  await output('gzip', ['-1', '-n', '-f', tar], { deadline: 600_000 })
  const digest = await digestOfFile(`${tar}.gz`)
  const { size } = await fs.stat(`${tar}.gz`)
  await fs.rename(`${tar}.gz`, blobFile(layout, digest))
  diffIds.set(digest, diffId)
  return { descriptor: { mediaType: types.layer, digest, size }, diffId }
}

/** An image's parts, stored in a layout. */
type Image = Omit<BenchImage, 'layout' | 'tag'>

async function finish(layout: string, tag: string, layers: readonly Layer[]): Promise<BenchImage> {
  const image = await putImage(layout, layers)
  await name(layout, tag, image.manifest)
  return { layout, tag, ...image }
}

async function putImage(layout: string, layers: readonly Layer[], architecture = 'amd64'): Promise<Image> {
  const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value))
  const config = await putBlob(
    layout,
    types.config,
    json({
      architecture,
      os: 'linux',
      config: {},
      rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    }),
  )
  const descriptors = layers.map(({ descriptor }) => descriptor)
  const manifest = await putBlob(
    layout,
    types.manifest,
    json({ schemaVersion: 2, mediaType: types.manifest, config, layers: descriptors }),
  )
  const bytes = [manifest, config, ...descriptors].reduce((sum, { size }) => sum + size, 0)
  return { manifest, config, layers: descriptors, bytes }
}

/** Gives a manifest or index a name in the layout's index. */
async function name(layout: string, tag: string, target: RawDescriptor): Promise<void> {
  const file = path.join(layout, 'index.json')
  const index = JSON.parse(await fs.readFile(file, 'utf8'))
  index.manifests = [
    ...(index.manifests ?? []),
    { ...target, annotations: { 'org.opencontainers.image.ref.name': tag } },
  ]
  await fs.writeFile(file, JSON.stringify(index))
}

/** Regular files of this machine, in order of their names. */
async function* realFiles(
  ...from: readonly string[]
): AsyncGenerator<{ readonly file: string; readonly size: number }> {
  for (const place of from.length > 0 ? from : places) yield* filesBelow(place)
}

async function* filesBelow(
  directory: string,
): AsyncGenerator<{ readonly file: string; readonly size: number }> {
  const entries: readonly Dirent[] = await fs.readdir(directory, { withFileTypes: true }).catch(() => [])
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const file = path.join(directory, entry.name)
    if (entry.isDirectory()) yield* filesBelow(file)
    else if (entry.isFile() && !/[\n\\]/.test(file)) yield { file, size: (await fs.stat(file)).size }
  }
}

async function digestOfFile(file: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(chunk)
  return `sha256:${hash.digest('hex')}`
}

/** Pushes an image of a layout, all platforms of it, to a registry on loopback. */
export const pushImage = ({ layout, tag }: BenchImage, reference: string): Promise<string> =>
  output(
    'skopeo',
    ['copy', '--all', '--quiet', '--dest-tls-verify=false', `oci:${layout}:${tag}`, `docker://${reference}`],
    {
      deadline: 600_000,
    },
  )
