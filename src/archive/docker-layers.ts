import { openWriter } from '../content/open-writer.ts'
import type { ContentStore, Info } from '../content/types.ts'
import { verified } from '../content/verify.ts'
import { isAlreadyExists, OrlopError } from '../errors.ts'
import { compress } from '../images/compress.ts'
import { type Compression, sniffCompression, sniffLength } from '../images/decompress.ts'
import { diffId } from '../images/diff-id.ts'
import { labelKeys } from '../oci/annotations.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { algorithmOf, type Digest, isDigest } from '../oci/digest.ts'
import { mediaTypes } from '../oci/media-type.ts'
import type { AbortOptions } from '../options.ts'
import { holdBlob } from './hold.ts'
import type { StoredFile } from './types.ts'

/** Options of `DockerLayers`. */
export interface DockerLayersOptions extends AbortOptions {
  /** True: layers that are not compressed become gzip. */
  readonly compress?: boolean | undefined
}

const layerTypes: Readonly<Record<Compression, string>> = {
  none: mediaTypes.dockerLayer,
  gzip: mediaTypes.dockerLayerGzip,
  zstd: mediaTypes.dockerLayerZstd,
}

/** Makes layers of the files of a `docker save`, each once. */
export class DockerLayers {
  readonly #content: ContentStore
  readonly #options: DockerLayersOptions
  readonly #layers = new Map<Digest, Promise<Descriptor>>()
  #packed: Promise<ReadonlyMap<string, Info>> | undefined

  constructor(content: ContentStore, options: DockerLayersOptions) {
    this.#content = content
    this.#options = options
  }

  /**
   * The layer that a stored file is. One that the store has compressed, as its label `containerd.io/uncompressed` says,
   * takes its place, as in containerd. containerd calls zstd gzip; here it gets its own media type.
   *
   * @param expected  the diff id that the config names
   * @throws DATA_LOSS  the file is another layer than the config says
   * @see containerd core/images/archive/importer.go, resolveLayers
   */
  async layer(file: StoredFile, expected: Digest, where: string): Promise<Descriptor> {
    const { signal } = this.#options
    const plain = await this.#sniffed(file)
    // The file's own digest is known from storing it.
    const isKnown = plain.mediaType === mediaTypes.dockerLayer && algorithmOf(plain.digest) === 'sha256'
    const found = isKnown ? plain.digest : await diffId(this.#content, plain, { signal })
    if (algorithmOf(found) === algorithmOf(expected) && found !== expected) {
      throw new OrlopError(
        'DATA_LOSS',
        `${where}: layer ${found}, uncompressed, is not the ${expected} that the config names`,
      )
    }
    const known = this.#layers.get(file.digest)
    if (known !== undefined) return await known
    const layer = this.#settled(plain)
    this.#layers.set(file.digest, layer)
    return await layer
  }

  async #settled(plain: Descriptor): Promise<Descriptor> {
    if (plain.mediaType !== mediaTypes.dockerLayer) return plain
    const packed = await this.#reused(plain)
    if (packed !== undefined) return packed
    return this.#options.compress ? await this.#compressed(plain) : plain
  }

  async #sniffed({ digest, size }: StoredFile): Promise<Descriptor> {
    const target = { mediaType: '', digest, size }
    const { signal } = this.#options
    const chunks: Uint8Array[] = []
    for await (const chunk of this.#content.read(target, { length: sniffLength, signal })) chunks.push(chunk)
    return { ...target, mediaType: layerTypes[sniffCompression(Buffer.concat(chunks))] }
  }

  async #reused({ digest }: Descriptor): Promise<Descriptor | undefined> {
    this.#packed ??= this.#allPacked()
    const info = (await this.#packed).get(digest)
    if (info === undefined || info.digest === digest) return undefined
    const layer = await this.#sniffed(info)
    return (await holdBlob(this.#content, layer, this.#options)) ? layer : undefined
  }

  /** By the digest of what is packed. */
  async #allPacked(): Promise<ReadonlyMap<string, Info>> {
    const found = new Map<string, Info>()
    const filter = `labels.${JSON.stringify(labelKeys.uncompressed)}`
    for await (const info of this.#content.list([filter], { signal: this.#options.signal })) {
      const label = info.labels[labelKeys.uncompressed]
      if (label !== undefined && isDigest(label) && !found.has(label)) found.set(label, info)
    }
    return found
  }

  async #compressed(plain: Descriptor): Promise<Descriptor> {
    const ref = `compress-blob-gzip-${plain.digest}`
    try {
      return { mediaType: mediaTypes.dockerLayerGzip, ...(await this.#writeCompressed(plain, ref)) }
    } catch (error) {
      await this.#content.abort(ref).catch(() => undefined)
      throw error
    }
  }

  async #writeCompressed(plain: Descriptor, ref: string): Promise<StoredFile> {
    const { signal } = this.#options
    await using writer = await openWriter(this.#content, { ref }, { signal })
    if (writer.offset > 0) await writer.reset({ signal })
    const source = verified(this.#content.read(plain, { signal }), plain)
    for await (const chunk of compress(source, { type: 'gzip' }, { signal })) {
      await writer.write(chunk, { signal })
    }
    const { digest, offset: size } = writer
    const labels = { [labelKeys.uncompressed]: plain.digest }
    try {
      await writer.commit({ digest, size, labels, signal })
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
      await this.#content.update(digest, { labels }, { signal })
    }
    return { digest, size }
  }
}
