import type { Manager, Provider } from '../content/types.ts'
import { verified } from '../content/verify.ts'
import { hasCode, isNotFound } from '../errors.ts'
import type { DiffIdIndex, KnownLayer } from '../metadata/diff-ids.ts'
import { labelKeys } from '../oci/annotations.ts'
import { algorithmOf, type Digest, Digester } from '../oci/digest.ts'
import { mediaTypes } from '../oci/media-type.ts'
import type { AbortOptions } from '../options.ts'
import { decompressedLayer } from './convert/layer.ts'

/**
 * An index for a store whose records are out of reach, as that of another process: what the labels
 * `containerd.io/uncompressed` say is read and hashed before it is believed, and remembered as long as this object lives.
 */
export class LabelledDiffIds implements DiffIdIndex {
  readonly #store: Provider & Manager
  readonly #known = new Map<Digest, readonly KnownLayer[]>()

  constructor(store: Provider & Manager) {
    this.#store = store
  }

  async find(diffId: Digest, options: AbortOptions = {}): Promise<readonly KnownLayer[]> {
    const known = this.#known.get(diffId)
    if (known !== undefined) return this.#there(known, options)
    const found: KnownLayer[] = []
    const filter = `labels.${JSON.stringify(labelKeys.uncompressed)}==${diffId}`
    for await (const { digest, size } of this.#store.list([`digest==${diffId}`, filter], options)) {
      const plain = await this.#sizeOf({ digest, size }, diffId, options)
      if (plain !== undefined) found.push({ diffId, blob: digest, size: plain })
    }
    if (found.length > 0) this.#known.set(diffId, found)
    return found
  }

  async remember(layer: KnownLayer, options: AbortOptions = {}): Promise<void> {
    const { diffId, blob } = layer
    const others = (this.#known.get(diffId) ?? []).filter(known => known.blob !== blob)
    this.#known.set(
      diffId,
      [...others, layer].toSorted((a, b) => (a.blob < b.blob ? -1 : 1)),
    )
    if (blob === diffId) return
    try {
      await this.#store.update(blob, { labels: { [labelKeys.uncompressed]: diffId } }, options)
    } catch (error) {
      // It went meanwhile, or the store keeps no labels.
      if (!isNotFound(error) && !hasCode(error, 'FAILED_PRECONDITION')) throw error
    }
  }

  async #there(known: readonly KnownLayer[], options: AbortOptions): Promise<readonly KnownLayer[]> {
    const found: KnownLayer[] = []
    for (const layer of known) {
      try {
        await this.#store.info(layer.blob, options)
        found.push(layer)
      } catch (error) {
        if (!isNotFound(error)) throw error
      }
    }
    return found
  }

  /** Bytes without compression, or `undefined` when the blob is another layer than its label says. */
  async #sizeOf(
    blob: { readonly digest: Digest; readonly size: number },
    diffId: Digest,
    { signal }: AbortOptions,
  ): Promise<number | undefined> {
    const digester = new Digester(algorithmOf(diffId))
    const target = { ...blob, mediaType: mediaTypes.octetStream }
    let size = 0
    try {
      const bytes = verified(this.#store.read(target, { signal }), target)
      for await (const chunk of decompressedLayer(bytes, target, { signal })) {
        digester.update(chunk)
        size += chunk.byteLength
      }
    } catch (error) {
      if (hasCode(error, 'DATA_LOSS') || isNotFound(error)) return undefined
      throw error
    }
    return digester.digest() === diffId ? size : undefined
  }
}
