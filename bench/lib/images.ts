import fs from 'node:fs/promises'
import path from 'node:path'
import { encode } from '../../src/metadata/codec.ts'
import { contentKey, imageKey } from '../../src/metadata/schema.ts'
import { type Digest, digestOf } from '../../src/oci/digest.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'
import { Runtime } from '../../src/runtime/runtime.ts'

/** Blobs of an image: a manifest, a config, six layers of its own and two that it shares with nine others. */
const own = 8
const sharing = 10

/** How many files the images have. */
export const filesOf = (images: number): number => images * own + Math.ceil(images / sharing) * 2

/** A store of images that can be listed and measured: records as pulls write them, and for each blob a file. */
export async function manyImages(root: string, images: number): Promise<void> {
  await using runtime = await Runtime.open({ root })
  const { database } = runtime.parts
  const directory = path.join(root, 'content/blobs/sha256')
  await fs.mkdir(directory, { recursive: true })
  const dates = { createdAt: new Date(), updatedAt: new Date() }
  for (let from = 0; from < images; from += 500) {
    const blobs = new Map<Digest, Uint8Array>()
    await database.update(async tx => {
      const put = (bytes: Uint8Array, labels: Readonly<Record<string, string>> = {}) => {
        const digest = digestOf(bytes)
        const size = bytes.byteLength
        blobs.set(digest, bytes)
        tx.put(contentKey('default', digest), encode({ size, labels, ...dates }))
        return { digest, size }
      }
      for (let at = from; at < Math.min(from + 500, images); at++) {
        const group = Math.floor(at / sharing)
        const below = parts(at, group).map(([mediaType, bytes]) => ({ mediaType, ...put(bytes) }))
        const [config, ...layers] = below
        const document = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers }
        const labels = Object.fromEntries(
          below.map(({ digest }, n) => [`containerd.io/gc.ref.content.l.${n}`, digest]),
        )
        const manifest = put(Buffer.from(JSON.stringify(document)), labels)
        const target = { mediaType: mediaTypes.ociManifest, ...manifest }
        const name = `example.com/app-${group}:${at}`
        tx.put(imageKey('default', name), encode({ target, labels: {}, ...dates }))
      }
    })
    for (const [digest, bytes] of blobs) await fs.writeFile(path.join(directory, digest.slice(7)), bytes)
  }
}

/** The config and the layers of an image. */
function parts(at: number, group: number): readonly (readonly [mediaType: string, bytes: Uint8Array])[] {
  const layers = [
    ...Array.from({ length: own - 2 }, (_, n) => `layer ${at} ${n}`),
    ...[0, 1].map(n => `shared ${group} ${n}`),
  ].map(text => Buffer.from(text.padEnd(100)))
  const rootfs = { type: 'layers', diff_ids: layers.map(layer => digestOf(layer)) }
  const config = Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs }))
  return [[mediaTypes.ociConfig, config], ...layers.map(layer => [mediaTypes.ociLayer, layer] as const)]
}
