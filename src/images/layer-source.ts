import { has } from '../content/blob.ts'
import type { InfoProvider, Provider } from '../content/types.ts'
import { verified } from '../content/verify.ts'
import { OrlopError } from '../errors.ts'
import type { DiffIdIndex, KnownLayer } from '../metadata/diff-ids.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { algorithmOf, type Digest, Digester } from '../oci/digest.ts'
import { mediaTypes } from '../oci/media-type.ts'
import type { AbortOptions } from '../options.ts'
import { checkDiffId, decompressedLayer } from './convert/layer.ts'

/** A layer without its compression. */
export interface PlainLayer {
  /** Its diff id. */
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
  /**
   * Its bytes, decompressed as they are read, and checked.
   *
   * @throws DATA_LOSS  at the end: they are not what the diff id says; the text names the blob and both digests
   */
  read(options?: AbortOptions): AsyncIterable<Uint8Array>
}

/**
 * Serves the layers of a store without their compression, by diff id, whatever compression they are stored with.
 *
 * Sizes come from the index, which knows only what was read here once; `learn` reads a layer to fill it. No layer is written
 * out uncompressed.
 *
 * @see containers/image storage/storage_src.go, GetBlob
 */
export class LayerSource {
  readonly #store: Provider & InfoProvider
  readonly #index: DiffIdIndex

  constructor(store: Provider & InfoProvider, index: DiffIdIndex) {
    this.#store = store
    this.#index = index
  }

  /** The layer of a diff id, if the index knows a blob of it: the one without compression, else the first by digest. */
  async find(diffId: Digest, options: AbortOptions = {}): Promise<PlainLayer | undefined> {
    const known = await this.#index.find(diffId, options)
    const best = known.find(({ blob }) => blob === diffId) ?? known[0]
    return best && this.#layer(best)
  }

  /**
   * The layer of a blob that the index may not know yet: it is read then, checked, and remembered.
   *
   * @param diffId  what the config says that it is
   * @throws NOT_FOUND  the blob is not there, nor another one of that diff id
   * @throws DATA_LOSS  the blob's bytes are not what its digest says, or it is another layer
   */
  async learn(layer: Descriptor, diffId: Digest, options: AbortOptions = {}): Promise<PlainLayer> {
    const found = await this.find(diffId, options)
    if (found !== undefined) return found
    if (!(await has(this.#store, layer, options)))
      throw new OrlopError(
        'NOT_FOUND',
        `layer ${layer.digest}: it is not there, nor another blob of ${diffId}`,
      )
    let size = 0
    for await (const chunk of this.#checked(layer, diffId, options)) size += chunk.byteLength
    const known = { diffId, size, blob: layer.digest }
    await this.#index.remember(known, options)
    return this.#layer(known)
  }

  #layer(known: KnownLayer): PlainLayer {
    return {
      digest: known.diffId,
      size: known.size,
      read: options => this.#read(known, options),
    }
  }

  async *#read(
    { diffId, size: expected, blob }: KnownLayer,
    options: AbortOptions = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { size } = await this.#store.info(blob, options)
    let given = 0
    for await (const chunk of this.#checked(
      { mediaType: mediaTypes.octetStream, digest: blob, size },
      diffId,
      options,
    )) {
      given += chunk.byteLength
      yield chunk
    }
    if (given !== expected)
      throw new OrlopError(
        'DATA_LOSS',
        `layer ${blob}: has ${given} bytes without compression, expected ${expected}`,
      )
  }

  /** The layer's bytes without compression; both digests are checked. */
  async *#checked(
    blob: Descriptor,
    diffId: Digest,
    { signal }: AbortOptions,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const digester = new Digester(algorithmOf(diffId))
    const bytes = verified(this.#store.read(blob, { signal }), blob)
    for await (const chunk of decompressedLayer(bytes, blob, { signal })) {
      digester.update(chunk)
      yield chunk
    }
    checkDiffId(blob, digester.digest(), diffId)
  }
}
