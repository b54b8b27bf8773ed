import { has, readBlob } from '../content/blob.ts'
import type { InfoProvider, Provider } from '../content/types.ts'
import { OrlopError } from '../errors.ts'
import { children, readConfig, readManifest } from '../handlers/children.ts'
import type { DiffIdIndex } from '../metadata/diff-ids.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { type Digest, encodedOf } from '../oci/digest.ts'
import { type Manifest, maxManifestSize } from '../oci/document.ts'
import { anyPlatform } from '../oci/matcher.ts'
import { isConfig, isIndex, isManifestOrIndex } from '../oci/media-type.ts'
import type { AbortOptions } from '../options.ts'
import { LayerSource, type PlainLayer } from './layer-source.ts'
import { findManifest } from './select.ts'
import { encodeSignature, type Signature } from './signature.ts'
import {
  emptyGzipDigest,
  emptyGzipLayer,
  type LayerInfo,
  layerInfos,
  plainLayerType,
} from './storage-layers.ts'
import { storedSignatures } from './stored-signatures.ts'
import type { PlatformOptions } from './types.ts'

/** What a `StorageImage` reads from. */
export interface StorageImageParts {
  readonly store: Provider & InfoProvider
  readonly index: DiffIdIndex
}

/** A manifest as it is stored. */
export interface StoredManifest {
  readonly descriptor: Descriptor
  readonly bytes: Uint8Array
}

/** A blob that is given out. */
export interface StorageBlob {
  /** Bytes. */
  readonly size: number
  read(options?: AbortOptions): AsyncIterable<Uint8Array>
}

/**
 * An image of a store as containers/image sees one of its storage: layers by diff id and without compression, though here
 * they lie as they came.
 *
 * One image is one manifest, that of a platform, and the indexes that led to it where there were some.
 *
 * @see containers/image storage/storage_src.go
 */
export class StorageImage {
  /** What the image was opened by. */
  readonly target: Descriptor
  /** Its manifest. */
  readonly instance: Descriptor
  /** Its layers, without their compression. */
  readonly layers: LayerSource
  readonly #parts: StorageImageParts
  readonly #manifest: Manifest
  /** Manifests and indexes of it, by digest. */
  readonly #documents: ReadonlyMap<Digest, Descriptor>

  private constructor(
    parts: StorageImageParts,
    path: readonly Descriptor[],
    manifest: Manifest,
    documents: readonly Descriptor[],
  ) {
    const [target] = path
    const instance = path.at(-1)
    if (target === undefined || instance === undefined)
      throw new OrlopError('INTERNAL', 'an image without manifest')
    this.target = target
    this.instance = instance
    this.layers = new LayerSource(parts.store, parts.index)
    this.#parts = parts
    this.#manifest = manifest
    this.#documents = new Map(documents.map(desc => [desc.digest, desc]))
  }

  /**
   * Opens an image of which at least the documents are there.
   *
   * @throws NOT_FOUND  no manifest for the platform, or not there
   */
  static async open(
    parts: StorageImageParts,
    target: Descriptor,
    { platform = anyPlatform, signal }: PlatformOptions = {},
  ): Promise<StorageImage> {
    const { path, manifest } = await findManifest(parts.store, target, { platform, signal })
    const documents: Descriptor[] = [...path]
    for (const index of path.filter(isIndex)) {
      const entries = await children(parts.store)(index, { signal })
      documents.push(...entries.filter(desc => isManifestOrIndex(desc)))
    }
    return new StorageImage(parts, path, manifest, documents)
  }

  /** What podman and CRI-O call the image's id: the hex of its config's digest. */
  get id(): string {
    return encodedOf(this.#manifest.config.digest)
  }

  /**
   * The manifest of the image, or one of its index.
   *
   * @param instance  default: the image's own
   * @throws NOT_FOUND  none of this image, or not there
   */
  async manifest(instance?: Digest, options: AbortOptions = {}): Promise<StoredManifest> {
    const descriptor = instance === undefined ? this.instance : this.#documents.get(instance)
    if (descriptor === undefined)
      throw new OrlopError('NOT_FOUND', `manifest ${instance}: none of image ${this.target.digest}`)
    const bytes = await readBlob(this.#parts.store, descriptor, { maxSize: maxManifestSize, ...options })
    return { descriptor, bytes }
  }

  /**
   * A blob by its digest: the empty layer; a layer by its diff id, without compression; or what this image names.
   *
   * @throws NOT_FOUND  none of these
   * @throws DATA_LOSS  while reading: a layer that is not what its diff id says
   */
  async blob(digest: Digest, options: AbortOptions = {}): Promise<StorageBlob> {
    if (digest === emptyGzipDigest)
      return { size: emptyGzipLayer.byteLength, read: () => once(emptyGzipLayer) }
    const layer = (await this.layers.find(digest, options)) ?? (await this.#ownLayer(digest, options))
    if (layer !== undefined) return layer
    const { config, layers } = this.#manifest
    const named = [config, ...layers].find(desc => desc.digest === digest)
    if (named === undefined || !(await has(this.#parts.store, named, options)))
      throw new OrlopError('NOT_FOUND', `blob ${digest}: none of image ${this.target.digest}`)
    const { store } = this.#parts
    return { size: named.size, read: ({ signal } = {}) => store.read(named, { signal }) }
  }

  /**
   * What a copy is to list instead of the manifest's layers: `undefined`, to keep those, when every layer is here as the
   * manifest names it; else all of them without compression.
   *
   * @throws INVALID_ARGUMENT  `instance` is an index
   * @throws NOT_FOUND  a layer that is not here in any form
   * @throws DATA_LOSS  the config has other layers than the manifest
   */
  async layerInfosForCopy(
    instance?: Digest,
    options: AbortOptions = {},
  ): Promise<readonly LayerInfo[] | undefined> {
    const descriptor = instance === undefined ? this.instance : this.#documents.get(instance)
    if (descriptor === undefined)
      throw new OrlopError('NOT_FOUND', `manifest ${instance}: none of image ${this.target.digest}`)
    if (isIndex(descriptor))
      throw new OrlopError('INVALID_ARGUMENT', `index ${descriptor.digest}: has no layers of its own to copy`)
    const manifest = await readManifest(this.#parts.store, descriptor, options)
    const there = await Promise.all(manifest.layers.map(layer => has(this.#parts.store, layer, options)))
    if (there.every(Boolean)) return undefined
    const mediaType = plainLayerType(descriptor)
    const physical = await this.#plain(manifest, options)
    return layerInfos(
      manifest.layers.map(() => false),
      physical.map(({ digest, size }) => ({ mediaType, digest, size })),
    )
  }

  /**
   * The signatures of the image, or of one of the manifests or the index of it; none is verified.
   *
   * @throws NOT_FOUND  `instance` is none of this image
   */
  async signatures(instance?: Digest, options: AbortOptions = {}): Promise<readonly Signature[]> {
    if (instance !== undefined && !this.#documents.has(instance))
      throw new OrlopError('NOT_FOUND', `manifest ${instance}: none of image ${this.target.digest}`)
    return storedSignatures(this.#parts.store, instance ?? this.instance.digest, options)
  }

  /**
   * Bytes as containers/image sums them: documents and signatures, and the layers without compression.
   *
   * As there the manifest counts twice, for it is kept under two names, and so do the image's own signatures. A layer that is
   * in it twice counts twice.
   *
   * @throws NOT_FOUND  a layer that is not here in any form, so that its size cannot be known
   * @see containers/image storage/storage_image.go, getSize
   */
  async size(options: AbortOptions = {}): Promise<number> {
    const { documents, signatures, own } = await this.#data(options)
    const layers = await this.#plain(this.#manifest, options)
    return documents + this.instance.size + signatures + own + sum(layers.map(({ size }) => size))
  }

  /**
   * Bytes as containers/storage sums them: every document, signature and layer once.
   *
   * @throws as `size`
   * @see containers/storage store.go, ImageSize
   */
  async imageSize(options: AbortOptions = {}): Promise<number> {
    const { documents, signatures } = await this.#data(options)
    const layers = new Map(
      (await this.#plain(this.#manifest, options)).map(({ digest, size }) => [digest, size]),
    )
    return documents + signatures + sum(layers.values())
  }

  /** Bytes of the config, the manifest and the indexes above it, and of the signatures of all these. */
  async #data(options: AbortOptions) {
    const above = [...this.#documents.values()].filter(isIndex)
    const documents = new Map(
      [this.#manifest.config, this.instance, ...above].map(({ digest, size }) => [digest, size]),
    )
    const own = sum((await this.signatures(undefined, options)).map(lengthOf))
    let others = 0
    for (const { digest } of above) others += sum((await this.signatures(digest, options)).map(lengthOf))
    return { documents: sum(documents.values()), signatures: own + others, own }
  }

  /** A layer of this image by its diff id, which the index may not know yet. */
  async #ownLayer(digest: Digest, options: AbortOptions): Promise<PlainLayer | undefined> {
    const { config, layers } = this.#manifest
    if (!isConfig(config)) return undefined
    const { diffIds } = await readConfig(this.#parts.store, config, options)
    const layer = layers[diffIds.indexOf(digest)]
    return layer && (await this.layers.learn(layer, digest, options))
  }

  /** The layers that a config names, without their compression. */
  async #plain({ config, layers }: Manifest, options: AbortOptions): Promise<readonly PlainLayer[]> {
    if (!isConfig(config))
      throw new OrlopError(
        'INVALID_ARGUMENT',
        `manifest ${this.instance.digest}: is an artifact, whose layers are no file systems`,
      )
    const { diffIds } = await readConfig(this.#parts.store, config, options)
    const plain: PlainLayer[] = []
    for (const [at, diffId] of diffIds.entries()) plain.push(await this.#known(layers[at], diffId, options))
    return plain
  }

  async #known(layer: Descriptor | undefined, diffId: Digest, options: AbortOptions): Promise<PlainLayer> {
    if (layer !== undefined) return this.layers.learn(layer, diffId, options)
    const found = await this.layers.find(diffId, options)
    if (found !== undefined) return found
    throw new OrlopError('DATA_LOSS', `layer ${diffId}: the config names it, and the manifest does not`)
  }
}

const lengthOf = (signature: Signature): number => encodeSignature(signature).byteLength

const sum = (numbers: Iterable<number>): number => {
  let total = 0
  for (const number of numbers) total += number
  return total
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes.slice()
}
