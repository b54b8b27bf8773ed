import zlib from 'node:zlib'
import type { ReadOptions, Target } from '../../src/content/types.ts'
import { type Digest, digestOf } from '../../src/oci/digest.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'
import { Blobs, blob, manifest, type Node } from './image.ts'
import { type RawEntry, rawTar } from './tar.ts'

/** A layer with its digest before compression. */
export interface TarLayer {
  readonly node: Node
  readonly diffId: Digest
}

/** A file. */
export const file = (name: string, body = name): RawEntry => ({ name, body })

/** A directory. */
export const directory = (name: string): RawEntry => ({ name, flag: '5', mode: '0000755\0' })

/** A symbolic link. */
export const symlink = (name: string, linkName: string): RawEntry => ({ name, flag: '2', linkName })

/** A hard link. */
export const hardlink = (name: string, linkName: string): RawEntry => ({ name, flag: '1', linkName })

/** A layer of a tar with these entries, in gzip; a text is an empty file of that name, or a directory when it ends in `/`. */
export const tarLayer = (...entries: ReadonlyArray<RawEntry | Buffer | string>): TarLayer =>
  gzipLayer(rawTar(...entries.map(entryOf)))

/** The same without compression. */
export const plainLayer = (...entries: ReadonlyArray<RawEntry | Buffer | string>): TarLayer => {
  const tar = rawTar(...entries.map(entryOf))
  return { node: blob(mediaTypes.ociLayer, tar), diffId: digestOf(tar) }
}

/** A layer of bytes, in gzip. */
export const gzipLayer = (tar: Uint8Array): TarLayer => ({
  node: blob(mediaTypes.ociLayerGzip, zlib.gzipSync(tar)),
  diffId: digestOf(tar),
})

const entryOf = (entry: RawEntry | Buffer | string): RawEntry | Buffer => {
  if (typeof entry !== 'string') return entry
  return entry.endsWith('/') ? directory(entry) : file(entry)
}

/** An image of layers, lowest first, with settings for its config. */
export const imageOf = (layers: readonly TarLayer[], settings: object = {}): Node =>
  imageWith(
    layers,
    layers.map(({ diffId }) => diffId),
    settings,
  )

/** An image whose config names other diff ids. */
export const imageWith = (
  layers: readonly TarLayer[],
  diffIds: readonly string[],
  settings: object = {},
): Node => {
  const rootfs = { type: 'layers', diff_ids: diffIds }
  const config = { os: 'linux', architecture: 'amd64', config: settings, rootfs }
  return manifest(blob(mediaTypes.ociConfig, JSON.stringify(config)), ...layers.map(({ node }) => node))
}

/** Gives blobs in small chunks, and counts what was taken of each. */
export class Metered extends Blobs {
  /** Bytes by digest. */
  readonly taken = new Map<Digest, number>()
  /** Streams that are open. */
  open = 0

  override async *read(target: Target, options: ReadOptions = {}): AsyncGenerator<Uint8Array> {
    this.open++
    try {
      for await (const bytes of super.read(target, options)) {
        for (let at = 0; at < bytes.byteLength; at += 4096) {
          const chunk = bytes.subarray(at, at + 4096)
          this.taken.set(target.digest, (this.taken.get(target.digest) ?? 0) + chunk.byteLength)
          yield chunk
        }
      }
    } finally {
      this.open--
    }
  }
}
