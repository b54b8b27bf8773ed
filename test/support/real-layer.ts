import zlib from 'node:zlib'
import { writeTar } from '../../src/archive/tar-writer.ts'
import { type Digest, digestOf } from '../../src/oci/digest.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'
import { blob, type ConfigInit, config, manifestWith, type Node } from './image.ts'
import { collect } from './resolver.ts'

/** A layer that is a tar, with its bytes before compression and their digest. */
export interface RealLayer {
  readonly tar: Buffer
  readonly diffId: Digest
  readonly gzip: Node
  readonly plain: Node
}

/** A layer with one file. */
export async function realLayer(name: string, text: string): Promise<RealLayer> {
  const body = Buffer.from(text)
  const tar = await collect(writeTar([{ name, size: body.byteLength, mode: 0o644, body: [body] }]))
  return {
    tar,
    diffId: digestOf(tar),
    gzip: blob(mediaTypes.ociLayerGzip, zlib.gzipSync(tar)),
    plain: blob(mediaTypes.ociLayer, tar),
  }
}

/** An OCI image of real layers, compressed with gzip. */
export const realImage = (layers: readonly RealLayer[], init: ConfigInit = {}): Node =>
  manifestWith(
    {},
    config({ ...init, diffIds: layers.map(({ diffId }) => diffId) }),
    ...layers.map(({ gzip }) => gzip),
  )
